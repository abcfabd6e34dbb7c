package dev.wok.bench;

import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// A tokenizer for models that have none, such as those of random weights: bytes, and words of four letters that mean
/// nothing, as many as the model has ids. What it reads, it reads byte by byte.
final class MadeUpTokenizer {
    private static final int BYTES = 256;
    private static final int LETTERS = 26;
    private static final int WORD = 4;
    private static final String TEMPLATE =
            "{%- for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{%- endfor %}";

    private MadeUpTokenizer() {}

    static Tokenizer of(int ids) {
        if (ids < BYTES) {
            throw new BadInput("the model has %d ids, a server is measured with %d or more.".formatted(ids, BYTES));
        }
        try {
            Path folder = Files.createTempDirectory("wok-tokenizer");
            Path tokenizer = folder.resolve("tokenizer.json");
            Path template = folder.resolve("chat_template.jinja");
            try {
                Files.writeString(tokenizer, json(ids));
                Files.writeString(template, TEMPLATE);
                return Tokenizer.load(folder);
            } finally {
                Files.deleteIfExists(tokenizer);
                Files.deleteIfExists(template);
                Files.delete(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String json(int ids) {
        StringBuilder text = new StringBuilder("""
                {"version": "1.0", "added_tokens": [], "normalizer": null,
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
                 "post_processor": null, "decoder": {"type": "ByteLevel"},
                 "model": {"type": "BPE", "merges": [], "vocab": {""");
        int moved = BYTES;
        for (int id = 0; id < ids; id++) {
            text.append(id == 0 ? "" : ", ");
            if (id >= BYTES) {
                text.append('"').append(word(id)).append('"');
            } else {
                text.append("\"\\u%04x\"".formatted(isPrinted(id) ? id : moved++));
            }
            text.append(": ").append(id);
        }
        return text.append("}}}").toString();
    }

    /// Which bytes stand for themselves where byte-level BPE writes them as text.
    private static boolean isPrinted(int b) {
        return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
    }

    private static String word(int id) {
        char[] letters = new char[WORD];
        for (int i = WORD - 1, rest = id; i >= 0; i--, rest /= LETTERS) {
            letters[i] = (char) ('a' + rest % LETTERS);
        }
        return new String(letters);
    }
}
