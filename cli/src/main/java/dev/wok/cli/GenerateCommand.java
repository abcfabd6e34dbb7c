package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.api.Model;
import dev.wok.generate.Constraint;
import dev.wok.generate.Generation;
import dev.wok.notice.BadInput;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
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
        description = "Continues a text. Prints the prompt and what follows as it comes, or JSON. Answers a file of"
                + " requests, many at once.",
        sortOptions = false,
        footer = {"", "Example:", "  wok generate runs/nano/model --prompt 'public static void main('"})
final class GenerateCommand implements Callable<Integer> {
    private static final int INTERRUPTED = 130;

    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "MODEL", description = "A model folder or a GGUF file.")
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

        @Option(
                names = "--input",
                paramLabel = "FILE",
                description =
                        "A JSON object a line, answered into --output, many at once: prompt, ids or messages; and,"
                                + " where wanted, id, max_tokens, stop, temperature, top_p, top_k, min_p, seed and so on.")
        @Nullable
        Path input;
    }

    @Option(
            names = "--output",
            paramLabel = "FILE",
            description = "With --input: where the answers go, a JSON object a line, in the order of the requests. What"
                    + " is interrupted goes on when the same command is given again.")
    @Nullable
    Path output;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "New tokens at most (default: 128).")
    int maxTokens;

    @Mixin
    SamplingOptions sampling = new SamplingOptions();

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "Ends before this text where it comes up; may be given again.")
    List<String> stops = List.of();

    @Option(names = "--ignore-eos", description = "Go on after the token that ends a text.")
    boolean ignoreEos;

    @Option(names = "--schema", paramLabel = "FILE", description = "A JSON schema: the answer is JSON that it allows.")
    @Nullable
    Path schema;

    @Option(names = "--any-json", description = "The answer is JSON.")
    boolean anyJson;

    @Option(
            names = "--json",
            description = "One object a line: ids, text, finish_reason, prefill_tokens_per_second,"
                    + " decode_tokens_per_second; where tokens were guessed, drafts_read and drafts_accepted.")
    boolean json;

    @Option(
            names = "--logprobs",
            paramLabel = "N",
            description =
                    "With --json: a field logprobs, for each token its log-probability and the N likeliest tokens.")
    @Nullable
    Integer logprobs;

    @Mixin
    EngineOptions engine = new EngineOptions();

    @Mixin
    ComputeOptions compute = new ComputeOptions();

    GenerateCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        Answer.Options options = options();
        if (prompt.input != null) {
            return answer(prompt.input, options);
        }
        List<int[]> sequences = prompt.ids == null ? List.of() : Json.idsOf(prompt.ids);
        try (Model loaded = Model.load(Given.required(model), modelOptions())) {
            if (prompt.text != null) {
                return finished(loaded, ask(loaded, prompt.text, options)) ? 0 : INTERRUPTED;
            }
            for (int[] ids : sequences) {
                if (!finished(loaded, loaded.generate(ids, options))) {
                    return INTERRUPTED;
                }
            }
        }
        return 0;
    }

    private int answer(Path input, Answer.Options options) {
        if (output == null || json) {
            throw new BadInput("--input goes with --output FILE, which gets a JSON object a line%s."
                    .formatted(json ? "; leave out --json" : ""));
        }
        Batch batch = new Batch(input, output, options, display);
        try (Model loaded = Model.load(Given.required(model), modelOptions())) {
            boolean complete = batch.run(loaded, "%s %s %s ".formatted(model, compute.dtype, compute.weights));
            if (!complete) {
                display.say("interrupted; the same command goes on");
            }
            return complete ? 0 : INTERRUPTED;
        }
    }

    private static Answer ask(Model loaded, String text, Answer.Options options) {
        if (loaded.tokenizer().isEmpty()) {
            throw new BadInput("the model folder has no tokenizer.json; give token ids (--ids) instead of text.");
        }
        return loaded.generate(text, options);
    }

    private boolean finished(Model loaded, Answer answer) {
        return Interruption.during(answer, () -> print(loaded, answer));
    }

    private Model.Options modelOptions() {
        return engine.added(compute.options(display));
    }

    private Answer.Options options() {
        if (maxTokens < 0) {
            throw new BadInput("--max-tokens %d: expected 0 or more.".formatted(maxTokens));
        }
        if (logprobs != null && !json && prompt.input == null) {
            throw new BadInput("--logprobs are a field of the JSON objects: add --json.");
        }
        if (output != null && prompt.input == null) {
            throw new BadInput("--output goes with --input; without it the answer is printed.");
        }
        Answer.Options options = Answer.Options.defaults()
                .withMaxTokens(maxTokens)
                .withSampling(sampling.sampling())
                .withStops(stops.toArray(String[]::new))
                .withIgnoreEos(ignoreEos);
        if (schema != null && anyJson) {
            throw new BadInput("--schema says more than --any-json: leave out one of them.");
        }
        if (schema != null || anyJson) {
            options = options.withConstraint(schema == null ? Constraint.anyJson() : Given.schema(schema));
        }
        return logprobs == null ? options : options.withLogprobs(logprobs);
    }

    private void print(Model loaded, Answer answer) {
        if (json) {
            answer.text();
            console.out().println(Json.text(object(loaded, answer)));
            console.out().flush();
        } else {
            stream(answer);
            loaded.diskReads()
                    .ifPresent(reads ->
                            display.say("experts from disk: %.0f %% of those chosen were in memory, %s read a token"
                                    .formatted(
                                            100.0 * reads.held() / Math.max(1, reads.chosen()),
                                            Amounts.of(
                                                    reads.bytes() / (double) Math.max(1, reads.tokens()), "bytes"))));
        }
    }

    private void stream(Answer answer) {
        PrintStream out = console.out();
        if (prompt.text != null) {
            out.print(prompt.text);
            out.flush();
        }
        for (String piece : answer) {
            out.print(piece);
            out.flush();
        }
        out.println();
        out.flush();
        Generation.Drafts drafts = answer.drafts();
        display.say("%s, %s/s%s"
                .formatted(
                        Amounts.of(answer.ids().length, "tokens"),
                        Amounts.of(answer.decodeTokensPerSecond(), "tokens"),
                        drafts.read() == 0
                                ? ""
                                : ", %.0f %% of %,d guesses right"
                                        .formatted(100 * drafts.acceptance(), drafts.read())));
    }

    private SequencedMap<String, Object> object(Model loaded, Answer answer) {
        SequencedMap<String, Object> object = AnswerJson.of(answer);
        object.put("prefill_tokens_per_second", answer.prefillTokensPerSecond());
        object.put("decode_tokens_per_second", answer.decodeTokensPerSecond());
        if (answer.drafts().read() > 0) {
            object.put("drafts_read", answer.drafts().read());
            object.put("drafts_accepted", answer.drafts().accepted());
        }
        loaded.diskReads().ifPresent(reads -> {
            object.put("disk_tokens", reads.tokens());
            object.put("disk_experts_chosen", reads.chosen());
            object.put("disk_experts_held", reads.held());
            object.put("disk_bytes", reads.bytes());
            object.put("disk_guessed", reads.guessed());
            object.put("disk_guessed_right", reads.right());
        });
        if (logprobs != null) {
            AnswerJson.addLogprobs(object, loaded, answer);
        }
        return object;
    }
}
