package dev.wok.cli;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok tokenize`: text to token ids, and back.
@Command(
        name = "tokenize",
        description = {
            "Turns text from the input into token ids, or ids into text.",
            "Without --json each line is one text, or the ids of one text separated by spaces."
        },
        sortOptions = false,
        footer = {"", "Example:", "  echo '[\"Hello world\"]' | wok tokenize runs/nano/model --json"})
final class TokenizeCommand implements Callable<Integer> {
    private static final String INPUT = "the input";

    private final Console console;

    @Parameters(paramLabel = "MODEL", description = "A folder with a tokenizer.json, the file itself, or a GGUF file.")
    @Nullable
    Path model;

    @Option(names = "--decode", description = "From ids to text.")
    boolean decode;

    @Option(
            names = "--special",
            description =
                    "Add the special tokens that the tokenizer puts around a text; with --decode leave all of them"
                            + " out of it.")
    boolean special;

    @Option(names = "--json", description = "Read and write one JSON array: of strings here, of arrays of ids there.")
    boolean json;

    TokenizeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Path given = Given.required(model);
        Tokenizer tokenizer = Model.loadTokenizer(given).orElseGet(() -> Tokenizer.load(given));
        if (json) {
            Object answer = decode
                    ? Json.ids(console.in(), INPUT).stream()
                            .map(ids -> tokenizer.decode(ids, special))
                            .toList()
                    : Json.strings(console.in(), INPUT).stream()
                            .map(text -> tokenizer.encode(text, special))
                            .toList();
            console.out().println(Json.text(answer));
        } else {
            lines(tokenizer);
        }
        return 0;
    }

    private void lines(Tokenizer tokenizer) {
        BufferedReader reader = console.lines();
        try {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                console.out()
                        .println(decode ? tokenizer.decode(ids(line), special) : text(tokenizer.encode(line, special)));
            }
        } catch (IOException e) {
            throw Given.unreadable(e);
        }
    }

    private static int[] ids(String line) {
        List<String> words = Arrays.stream(line.strip().split("[\\s,]+", -1))
                .filter(word -> !word.isEmpty())
                .toList();
        int[] ids = new int[words.size()];
        for (int i = 0; i < ids.length; i++) {
            try {
                ids[i] = Integer.parseInt(words.get(i));
            } catch (NumberFormatException e) {
                throw new BadInput(
                        "'%s' is no token id; expected numbers separated by spaces.".formatted(words.get(i)), e);
            }
        }
        return ids;
    }

    private static String text(int[] ids) {
        return Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" "));
    }
}
