package dev.wok.cli;

import dev.wok.api.Model;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import dev.wok.tune.Answerer;
import dev.wok.tune.Evaluation;
import dev.wok.tune.Prompts;
import dev.wok.tune.Task;
import dev.wok.tune.Tasks;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok eval`: how well models answer problems that are held out.
@Command(
        name = "eval",
        description = "Asks models problems of a task that are held out, and says how many of their answers are right,"
                + " within which bounds, how long they are and how many are cut off.",
        sortOptions = false,
        footer = {"", "Example:", "  wok eval runs/base/model runs/r1/model --task countdown --samples 4"})
final class EvalCommand implements Callable<Integer> {
    private static final double TEMPERATURE = 0.6;
    private static final double TOP_P = 0.95;

    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "MODEL", arity = "1..*", description = "Model folders or GGUF files, side by side.")
    List<Path> models = List.of();

    @Option(
            names = "--task",
            paramLabel = "NAME",
            required = true,
            description = "A built-in task, with parameters such as countdown:numbers=3, or a .jsonl file of problems.")
    @Nullable
    String task;

    @Option(names = "--problems", paramLabel = "N", defaultValue = "256", description = "How many (default: 256).")
    long problems;

    @Option(names = "--samples", paramLabel = "K", defaultValue = "1", description = "Of each problem (default: 1).")
    int samples;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "Divides the logits (default: 0, the likeliest token, with one sample; else 0.6).")
    @Nullable
    Double temperature;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Only the likeliest tokens whose probabilities sum to P (default: 0.95; 1 where a temperature"
                    + " is given).")
    @Nullable
    Double topP;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "1024",
            description = "Of an answer at most (default: 1024).")
    int maxTokens;

    @Option(
            names = "--prompt-form",
            paramLabel = "F",
            description = "How a question is put: plain, chat or r1_zero (default: chat where the model has a template,"
                    + " else plain).")
    @Nullable
    String promptForm;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Of generated problems and of the draws (default: 0).")
    long seed;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "Write each problem with what was answered and how that was judged, a JSON object a line.")
    @Nullable
    Path out;

    @Option(names = "--json", description = "Print one JSON object a model.")
    boolean json;

    @Mixin
    ComputeOptions compute = new ComputeOptions();

    private record Row(String model, Evaluation.Result result) {}

    EvalCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        Task asked = Tasks.of(Given.required(task), display);
        Evaluation.Options options = new Evaluation.Options(problems, samples, seed);
        Sampling sampling = sampling();
        if (samples > 1 && sampling.temperature() == 0) {
            throw new BadInput("at temperature 0 all %d samples are the same; give --temperature T, or --samples 1."
                    .formatted(samples));
        }
        List<Row> rows = new ArrayList<>();
        writing(lines -> {
            for (Path model : models) {
                Row row = new Row(model.toString(), evaluate(model, asked, options, sampling, lines));
                rows.add(row);
                if (json) {
                    console.out().println(Json.text(object(row, sampling)));
                }
            }
        });
        if (!json) {
            print(rows);
        }
        return 0;
    }

    /// The settings with which R1's answers were drawn for its evaluation, where none are given.
    private Sampling sampling() {
        double given = temperature != null ? temperature : samples == 1 ? 0 : TEMPERATURE;
        double share = topP != null ? topP : temperature == null ? TOP_P : 1;
        return Sampling.atTemperature(given).withTopP(share);
    }

    private Evaluation.Result evaluate(
            Path folder, Task asked, Evaluation.Options options, Sampling sampling, Consumer<Object> lines) {
        try (Model model = Model.load(folder, compute.options(display))) {
            Answerer answerer = answerer(folder, model, promptForm, maxTokens, sampling);
            return Evaluation.run(asked, answerer, options, display, item -> {
                SequencedMap<String, Object> line = new LinkedHashMap<>();
                line.put("model", folder.toString());
                line.putAll(item.figures());
                lines.accept(line);
            });
        }
    }

    /// @param form how it is asked, or null for as it is used to
    static Answerer answerer(Path folder, Model model, @Nullable String form, int maxTokens, Sampling sampling) {
        var tokenizer = model.tokenizer()
                .orElseThrow(() ->
                        new BadInput("%s has no tokenizer.json, which turns questions into tokens.".formatted(folder)));
        Prompts.Form usual = model.hasChatTemplate() ? Prompts.Form.CHAT : Prompts.Form.PLAIN;
        Answerer.Options options =
                new Answerer.Options(form == null ? usual : Prompts.Form.of(form), maxTokens, sampling);
        return new Answerer(model.engine(), model.config(), tokenizer, options, folder.toString());
    }

    /// Runs what writes lines of JSON; the file is there as a whole or not at all.
    private void writing(Consumer<Consumer<Object>> work) {
        if (out == null) {
            work.accept(_ -> {});
            return;
        }
        Given.requireFolderOf(out);
        Path part = out.resolveSibling(out.getFileName() + ".part");
        try {
            try (BufferedWriter writer = Files.newBufferedWriter(part)) {
                work.accept(line -> write(writer, line));
            } catch (RuntimeException | Error e) {
                Files.deleteIfExists(part);
                throw e;
            }
            Files.move(part, out, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (UncheckedIOException e) {
            throw BadInput.writing(out, Objects.requireNonNull(e.getCause()), part);
        } catch (IOException e) {
            throw BadInput.writing(out, e, part);
        }
    }

    private static void write(Writer writer, Object line) {
        try {
            writer.write(Json.text(line) + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private SequencedMap<String, Object> object(Row row, Sampling sampling) {
        SequencedMap<String, Object> object = new LinkedHashMap<>();
        object.put("model", row.model);
        object.putAll(row.result.figures());
        object.put("temperature", sampling.temperature());
        object.put("top_p", sampling.topP());
        object.put("max_tokens", maxTokens);
        object.put("seed", seed);
        return object;
    }

    private void print(List<Row> rows) {
        Evaluation.Result first = rows.getFirst().result;
        console.out()
                .println("%s: %,d problems, %s of each"
                        .formatted(first.task(), first.problems(), Amounts.of(samples, "samples")));
        int width = rows.stream().mapToInt(row -> row.model.length()).max().orElse(0);
        boolean several = samples > 1;
        String head = "%-" + width + "s  %7s  %16s%s  %7s  %7s  %11s";
        console.out()
                .println(head.formatted(
                        "",
                        "pass@1",
                        "95 %",
                        several ? "  %8s  %11s".formatted("pass@" + samples, "majority@" + samples) : "",
                        "tokens",
                        "cut off",
                        "with answer"));
        for (Row row : rows) {
            Evaluation.Result r = row.result;
            console.out()
                    .println(head.formatted(
                            row.model,
                            percent(r.passAt1().value()),
                            percent(r.passAt1().low()) + " - "
                                    + percent(r.passAt1().high()),
                            several
                                    ? "  %8s  %11s"
                                            .formatted(
                                                    percent(r.passAt().getOrDefault(samples, 0.0)),
                                                    percent(r.majority()))
                                    : "",
                            Amounts.number(Math.round(10 * r.meanTokens()) / 10.0),
                            percent(r.truncated()),
                            percent(r.wellFormed())));
        }
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }
}
