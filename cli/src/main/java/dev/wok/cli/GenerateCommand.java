package dev.wok.cli;

import dev.wok.generate.Generation;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok generate`: continues a text, or token ids.
@Command(
        name = "generate",
        description = "Continues a text. Prints the prompt and what follows as it comes, or JSON.",
        sortOptions = false,
        footer = {"", "Example:", "  wok generate runs/nano/model --prompt 'public static void main('"})
final class GenerateCommand implements Callable<Integer> {
    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "MODEL", description = "A model folder.")
    @Nullable
    Path model;

    @ArgGroup(multiplicity = "1")
    Prompt prompt = new Prompt();

    /// What is continued.
    static final class Prompt {
        @Option(
                names = "--prompt",
                paramLabel = "TEXT",
                description = "The text to continue, after the token that begins a text.")
        @Nullable
        String text;

        @Option(
                names = "--ids",
                paramLabel = "FILE",
                description = "JSON: a list of lists of token ids, continued one after the other.")
        @Nullable
        Path ids;
    }

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "New tokens at most (default: 128).")
    int maxTokens;

    @Mixin
    SamplingOptions sampling = new SamplingOptions();

    @Option(names = "--ignore-eos", description = "Go on after the token that ends a text.")
    boolean ignoreEos;

    @Option(
            names = "--json",
            description = "One object a line: ids, text, finish_reason, prefill_tokens_per_second,"
                    + " decode_tokens_per_second.")
    boolean json;

    @Mixin
    ComputeOptions compute = new ComputeOptions();

    GenerateCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        Sampling how = sampling.sampling();
        if (maxTokens < 0) {
            throw new BadInput("--max-tokens %d: expected 0 or more.".formatted(maxTokens));
        }
        List<int[]> given = prompt.ids == null ? List.of() : Json.idsOf(prompt.ids);
        try (ComputeOptions.Compute on = compute.open(display);
                Speaker speaker = Speaker.load(Given.required(model), on, display)) {
            if (ignoreEos) {
                speaker.ignoreStops();
            }
            List<int[]> prompts = prompt.text == null ? given : List.of(speaker.prompt(prompt.text));
            for (int[] ids : prompts) {
                if (json) {
                    printJson(speaker.say(ids, maxTokens, how, _ -> {}));
                } else {
                    stream(speaker, ids, how);
                }
            }
        }
        return 0;
    }

    private void stream(Speaker speaker, int[] ids, Sampling how) {
        PrintStream out = console.out();
        if (prompt.text != null) {
            out.print(prompt.text);
            out.flush();
        }
        Speaker.Said said = speaker.say(ids, maxTokens, how, piece -> {
            out.print(piece);
            out.flush();
        });
        out.println();
        out.flush();
        Generation generation = said.generation();
        display.say("%s, %s/s"
                .formatted(
                        Amounts.of(generation.ids().length, "tokens"),
                        Amounts.of(generation.decodeTokensPerSecond(), "tokens")));
    }

    private void printJson(Speaker.Said said) {
        Generation generation = said.generation();
        SequencedMap<String, Object> object = new LinkedHashMap<>();
        object.put("ids", generation.ids());
        object.put("text", said.text());
        object.put("finish_reason", generation.finishReason().name().toLowerCase(Locale.ROOT));
        object.put("prefill_tokens_per_second", generation.prefillTokensPerSecond());
        object.put("decode_tokens_per_second", generation.decodeTokensPerSecond());
        console.out().println(Json.text(object));
        console.out().flush();
    }
}
