package dev.wok.cli;

import dev.wok.api.Comparison;
import dev.wok.api.Conversion;
import dev.wok.model.Inspection;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok convert`: writes a model as a folder that is mapped.
@Command(
        name = "convert",
        description = "Writes a model, rounded as asked, as a folder that opens without being read: it is mapped.",
        sortOptions = false,
        footer = {"", "Example:", "  wok convert runs/nano/model nano-int4 --quantize int4 --eval notes.txt"})
final class ConvertCommand implements Callable<Integer> {
    private final Console console;
    private final Progress progress;

    @Parameters(index = "0", paramLabel = "SRC", description = "A model folder or a GGUF file.")
    @Nullable
    Path source;

    @Parameters(index = "1", paramLabel = "DST", description = "The folder to write, which does not exist yet.")
    @Nullable
    Path target;

    @Option(
            names = "--quantize",
            required = true,
            paramLabel = "W",
            description =
                    "int8, fp8, int4, bf16 or f32: what the matrices are held as. The embedding's rows stay bfloat16,"
                            + " the router and norms float32.")
    @Nullable
    String weights;

    @Option(
            names = "--group",
            paramLabel = "N",
            description =
                    "Neighbours that share a scale: a multiple of 32 (default: 64 with int8 and int4, 128 with fp8).")
    @Nullable
    Integer group;

    @Option(
            names = "--eval",
            paramLabel = "FILE",
            description = "Compare with the source on this text: loss, divergence, agreement. The source must fit into"
                    + " memory.")
    @Nullable
    Path eval;

    @Option(
            names = "--eval-tokens",
            paramLabel = "N",
            defaultValue = "1024",
            description = "Tokens of the text to compare on, at most (default: 1024).")
    int tokens;

    @Option(names = "--json", description = "Print one JSON object.")
    boolean json;

    @Mixin
    ComputeOptions.Where where = new ComputeOptions.Where();

    ConvertCommand(Console console, Progress progress) {
        this.console = console;
        this.progress = progress;
    }

    @Override
    public Integer call() {
        Path from = Given.required(source);
        Path to = Given.required(target);
        if (tokens < 2) {
            throw new BadInput("--eval-tokens %d: expected 2 or more.".formatted(tokens));
        }
        Storage named = ComputeOptions.storage("--quantize", Given.required(weights));
        Storage storage = group == null ? named : new Storage(named.matrices(), group, named.activations());
        String text = eval == null ? null : text(eval);
        Inspection before = Inspection.of(from, Progress.silent());
        Conversion.run(from, to, storage, progress);
        Inspection after = Inspection.of(to, Progress.silent());
        Comparison found = text == null ? null : Comparison.of(from, to, text, tokens, where.options(progress));
        if (json) {
            console.out().println(Json.text(facts(before, after, found)));
        } else {
            print(before, after, found);
        }
        return 0;
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static double bits(Inspection model) {
        return 8.0 * model.total().bytes() / model.total().parameters();
    }

    private static SequencedMap<String, Object> facts(Inspection before, Inspection after, @Nullable Comparison found) {
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("source_bytes", before.total().bytes());
        facts.put("bytes", after.total().bytes());
        facts.put("bits_per_weight", bits(after));
        if (found != null) {
            facts.put("eval_tokens", found.tokens());
            facts.put("source_loss", found.sourceLoss());
            facts.put("loss", found.loss());
            facts.put("kl_divergence", found.divergence());
            facts.put("top1_agreement", found.agreement());
        }
        return facts;
    }

    private void print(Inspection before, Inspection after, @Nullable Comparison found) {
        console.out()
                .printf(
                        Locale.ROOT,
                        "%s: %s, %.2f bits a weight (%s: %s, %.2f)%n",
                        target,
                        Amounts.of(after.total().bytes(), "bytes"),
                        bits(after),
                        source,
                        Amounts.of(before.total().bytes(), "bytes"),
                        bits(before));
        if (found != null) {
            console.out()
                    .printf(
                            Locale.ROOT,
                            "on %s of %s: loss %.4f (before %.4f, %+.4f), KL divergence %.5f nats,"
                                    + " the same likeliest token %.1f %%%n",
                            Amounts.of(found.tokens(), "tokens"),
                            eval,
                            found.loss(),
                            found.sourceLoss(),
                            found.loss() - found.sourceLoss(),
                            found.divergence(),
                            100 * found.agreement());
        }
    }
}
