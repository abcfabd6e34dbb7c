package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/// A byte-level BPE tokenizer as Hugging Face writes it (`tokenizer.json`, `tokenizer_config.json`) or as a GGUF file
/// holds it, giving the ids that the Hugging Face libraries give.
///
/// Text is cut at added tokens, normalised, cut into words by regular expressions, and each word's bytes are merged by
/// [Bpe]. An unpaired surrogate counts as U+FFFD. As in transformers 5, `tokenizer.json` alone says which tokens are
/// put around a text (`add_bos_token` is not looked at) and spaces are not cleaned up after decoding.
///
/// Safe for use by many threads.
public final class Tokenizer {
    static final String FILE = "tokenizer.json";
    static final String CONFIG_FILE = "tokenizer_config.json";
    static final String TEMPLATE_FILE = "chat_template.jinja";
    static final String SPECIAL_TOKENS_FILE = "special_tokens_map.json";
    static final String ADDED_TOKENS_FILE = "added_tokens.json";
    static final List<String> NEIGHBOURS = List.of(CONFIG_FILE, TEMPLATE_FILE, SPECIAL_TOKENS_FILE, ADDED_TOKENS_FILE);

    /// Below this composition changes nothing, below the other no form does.
    private static final int LEAST_COMPOSED = 0x200;
    private static final int LEAST_NORMALIZED = 0x80;

    /// What the files say.
    ///
    /// @param raw added tokens looked for in the text as given
    /// @param normalized added tokens looked for in the normalised text
    /// @param ids by exact content
    /// @param bytes what each id contributes to decoded text; null where there is no such id
    /// @param special ids that `skipSpecialTokens` leaves out
    /// @param before ids put before a text on demand
    /// @param after ids put after a text on demand
    record Parts(
            AddedTokens raw,
            List<Normalizer.Form> forms,
            AddedTokens normalized,
            PreTokenizer preTokenizer,
            Bpe bpe,
            Map<String, Integer> ids,
            byte[] @Nullable [] bytes,
            BitSet special,
            int[] before,
            int[] after,
            OptionalInt bos,
            OptionalInt eos,
            Optional<ChatTemplate> template) {}

    private final Parts parts;
    private final Map<String, byte[]> files;
    private final BlockingQueue<WordEncoder> encoders =
            new ArrayBlockingQueue<>(Runtime.getRuntime().availableProcessors());

    /// @param files contents by name, for [#save]
    Tokenizer(Parts parts, Map<String, byte[]> files) {
        this.parts = parts;
        this.files = files;
    }

    /// Loads a tokenizer.
    ///
    /// @param folderOrFile a folder with `tokenizer.json` and, where they exist, `tokenizer_config.json` and
    ///     `chat_template.jinja`; or the first file itself, whose neighbours are then not read
    /// @throws BadInput where there is none, or it is corrupt, or of a kind that is not read here
    public static Tokenizer load(Path folderOrFile) {
        return TokenizerReader.load(folderOrFile);
    }

    /// Reads the tokenizer that a GGUF file holds.
    ///
    /// What its keys (`tokenizer.ggml.*`) do not say, how text is cut into words, the name under `pre` stands
    /// for. A token is special where its type is control. `add_bos_token` and `add_eos_token` tell which tokens
    /// are put around a text; without the first it is as usual for `pre`.
    ///
    /// @param metadata by key: `String`, `Long`, `Double`, `Boolean`, or a `List` of those
    /// @param where it comes from, for messages
    /// @throws BadInput where it describes no tokenizer, or one of a kind that is not read here
    public static Tokenizer of(Map<String, Object> metadata, String where) {
        return GgufTokenizer.read(metadata, where);
    }

    /// @return the highest id + 1
    public int size() {
        return parts.bytes.length;
    }

    /// Encodes text. Added tokens within the text are recognised, none is put around it.
    public int[] encode(String text) {
        return encode(text, false);
    }

    /// @param addSpecialTokens whether to put the tokens around the text that `tokenizer.json` asks for
    public int[] encode(String text, boolean addSpecialTokens) {
        WordEncoder encoder = encoders.poll();
        if (encoder == null) {
            encoder = new WordEncoder(parts.bpe);
        }
        for (int i = 0; addSpecialTokens && i < parts.before.length; i++) {
            encoder.add(parts.before[i]);
        }
        encodeInto(encoder, text.toCharArray());
        for (int i = 0; addSpecialTokens && i < parts.after.length; i++) {
            encoder.add(parts.after[i]);
        }
        int[] ids = encoder.take();
        encoders.offer(encoder);
        return ids;
    }

    /// Tokens of a text.
    ///
    /// @param ids none put around the text
    /// @param starts for each the character of the text that it begins with or within, ascending;
    ///     where normalising changed the text, up to a few characters before it
    public record Located(int[] ids, int[] starts) {}

    /// Encodes text, and says where its tokens begin.
    public Located locate(String text) {
        int[] ids = encode(text);
        return new Located(ids, TokenPlaces.starts(parts, ids, text.toCharArray()));
    }

    private void encodeInto(WordEncoder encoder, char[] text) {
        replaceLoneSurrogates(text);
        AddedTokens.Parts words = new AddedTokens.Parts() {
            @Override
            public void text(char[] t, int from, int to) {
                parts.preTokenizer.split(t, from, to, encoder);
            }

            @Override
            public void token(int id, int at) {
                encoder.add(id);
            }
        };
        parts.raw.split(text, 0, text.length, new AddedTokens.Parts() {
            @Override
            public void text(char[] t, int from, int to) {
                if (parts.forms.isEmpty() || isPlain(t, from, to)) {
                    parts.normalized.split(t, from, to, words);
                } else {
                    char[] normal = normalize(parts.forms, new String(t, from, to - from))
                            .toCharArray();
                    parts.normalized.split(normal, 0, normal.length, words);
                }
            }

            @Override
            public void token(int id, int at) {
                encoder.add(id);
            }
        });
    }

    static void replaceLoneSurrogates(char[] text) {
        for (int i = 0; i < text.length; i++) {
            if (Character.isSurrogate(text[i])) {
                if (RegexNode.isPair(text, i, text.length)) {
                    i++;
                } else {
                    text[i] = '\uFFFD';
                }
            }
        }
    }

    static String normalize(List<Normalizer.Form> forms, String text) {
        String normal = text;
        for (Normalizer.Form form : forms) {
            normal = Normalizer.normalize(normal, form);
        }
        return normal;
    }

    private boolean isPlain(char[] text, int from, int to) {
        int seen = 0;
        for (int i = from; i < to; i++) {
            seen |= text[i];
        }
        boolean composesOnly = parts.forms.stream().allMatch(f -> f == Normalizer.Form.NFC);
        return seen < (composesOnly ? LEAST_COMPOSED : LEAST_NORMALIZED);
    }

    /// Decodes ids. An id that there is no token for contributes nothing; bytes that are no characters become U+FFFD.
    public String decode(int[] ids, boolean skipSpecialTokens) {
        Utf8Stream stream = new Utf8Stream();
        for (int id : ids) {
            add(stream, id, skipSpecialTokens);
        }
        return stream.takeAll();
    }

    private void add(Utf8Stream stream, int id, boolean skipSpecialTokens) {
        byte[] bytes = id < 0 || id >= parts.bytes.length ? null : parts.bytes[id];
        if (bytes != null && !(skipSpecialTokens && parts.special.get(id))) {
            stream.add(bytes);
        }
    }

    /// @return what each id contributes to decoded text; nothing for special tokens and where there is none
    public List<byte[]> vocabulary() {
        List<byte[]> vocabulary = new ArrayList<>();
        for (int id = 0; id < parts.bytes.length; id++) {
            byte[] bytes = parts.bytes[id];
            vocabulary.add(bytes == null || parts.special.get(id) ? new byte[0] : bytes.clone());
        }
        return vocabulary;
    }

    /// @return what an id contributes to decoded text that skips no special tokens; nothing where there is none
    public byte[] bytes(int id) {
        byte[] bytes = id < 0 || id >= parts.bytes.length ? null : parts.bytes[id];
        return bytes == null ? new byte[0] : bytes.clone();
    }

    /// @return whether an id is one that `skipSpecialTokens` leaves out
    public boolean isSpecial(int id) {
        return parts.special.get(id);
    }

    /// @return a decoder of ids that come one by one
    public Decoder decoder(boolean skipSpecialTokens) {
        return new Decoder(skipSpecialTokens, Set.of());
    }

    /// @param kept special tokens that are not left out as all others are
    /// @return a decoder of ids that come one by one
    public Decoder decoder(Set<Integer> kept) {
        return new Decoder(true, kept);
    }

    /// Decodes ids one by one, never giving out half a character. All that it gives out, put together, is what
    /// [#decode] makes of all ids.
    public final class Decoder {
        private final Utf8Stream stream = new Utf8Stream();
        private final boolean skipSpecialTokens;
        private final Set<Integer> kept;

        private Decoder(boolean skipSpecialTokens, Set<Integer> kept) {
            this.skipSpecialTokens = skipSpecialTokens;
            this.kept = Set.copyOf(kept);
        }

        /// @return the characters that are complete now; often none
        public String append(int id) {
            add(stream, id, skipSpecialTokens && !kept.contains(id));
            return stream.takeWhole();
        }

        /// @return what was kept back: U+FFFD where the ids ended amid a character
        public String finish() {
            return stream.takeAll();
        }
    }

    /// @param token exact content as the vocabulary spells it
    /// @return its id
    public OptionalInt id(String token) {
        Integer id = parts.ids.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /// @return the id of the token that begins a text, where `tokenizer_config.json` names one
    public OptionalInt bosId() {
        return parts.bos;
    }

    /// @return the id of the token that ends a text, where `tokenizer_config.json` names one
    public OptionalInt eosId() {
        return parts.eos;
    }

    /// @return how the model wants a conversation written, where the files say so
    public Optional<ChatTemplate> chatTemplate() {
        return parts.template;
    }

    /// Writes the files that this tokenizer was loaded from or trained into, or that say what a GGUF file said.
    ///
    /// @throws BadInput where they cannot be written; none is left half-written
    public void save(Path folder) {
        List<Path> partial = new ArrayList<>();
        try {
            Files.createDirectories(folder);
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                Path part = folder.resolve(file.getKey() + ".part");
                partial.add(part);
                Files.write(part, file.getValue());
            }
            for (String name : files.keySet()) {
                Files.move(
                        folder.resolve(name + ".part"),
                        folder.resolve(name),
                        StandardCopyOption.REPLACE_EXISTING,
                        StandardCopyOption.ATOMIC_MOVE);
            }
        } catch (IOException e) {
            throw BadInput.writing(folder.resolve(FILE), e, partial.toArray(Path[]::new));
        }
    }
}
