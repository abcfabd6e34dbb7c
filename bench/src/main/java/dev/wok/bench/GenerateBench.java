package dev.wok.bench;

import dev.wok.bench.Loops.Kind;
import dev.wok.model.Cache;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.util.List;
import java.util.stream.IntStream;

/// One text: a prompt is read, and tokens are computed one after the other, each the likeliest.
final class GenerateBench {
    private static final int PROMPT = 512;
    private static final int NEW = 128;
    private static final int WARM_UP = 2;
    private static final int REPEATS = 5;

    private GenerateBench() {}

    static List<Row> measure(ModelUnderTest test, Progress progress) {
        Limits limits = Limits.of(test.device(), test.processor(), Sizes.FULL.memoryBytes());
        return measure(test.model(), limits, test.setup(), progress);
    }

    private static List<Row> measure(Model model, Limits limits, Setup setup, Progress progress) {
        Limit read = limits.memory(Mix.READ);
        Limit products = limits.products(kind(model, limits));
        double[] prefill = new double[REPEATS];
        double[] decode = new double[REPEATS];
        double[] reads = new double[REPEATS];
        double[] peaks = new double[REPEATS];
        int[] prompt = prompt(model.config());
        try (Progress.Task task = progress.start("generating", WARM_UP + REPEATS, "times")) {
            long begin = System.nanoTime();
            for (int i = 0; i < WARM_UP || System.nanoTime() - begin < ModelUnderTest.WARM_UP_NANOS; i++) {
                prefillSeconds(model, prompt);
                decodeSeconds(model, prompt[0]);
                task.advance(i < WARM_UP ? 1 : 0);
            }
            for (int at = 0; at < REPEATS; at++) {
                peaks[at] = products.measure();
                prefill[at] = prefillSeconds(model, prompt);
                reads[at] = read.measure();
                decode[at] = decodeSeconds(model, prompt[0]);
                task.advance(1);
            }
        }
        double operations = 2.0 * (model.config().activeMatmulParameters() - head(model.config()));
        double peak = Repeats.median(peaks, REPEATS) * 1e9 / operations;
        double bytes = model.bytesPerToken();
        double bandwidth = Repeats.median(reads, REPEATS) * 1e9 / bytes;
        return List.of(
                Row.of(
                        "prefill_%d".formatted(PROMPT),
                        PROMPT / Repeats.median(prefill, REPEATS),
                        "tokens/s",
                        "its products at " + products.text(),
                        peak,
                        setup),
                Row.of(
                        "decode_%d".formatted(NEW),
                        NEW / Repeats.median(decode, REPEATS),
                        "tokens/s",
                        "its weights at " + read.text(),
                        bandwidth,
                        setup),
                Row.of(
                        "decode_%d.bandwidth".formatted(NEW),
                        bytes * NEW / Repeats.median(decode, REPEATS) * 1e-9,
                        "GB/s",
                        read.text(),
                        Repeats.median(reads, REPEATS),
                        setup),
                Row.of("bytes_per_token", bytes * 1e-9, "GB", "all packed weights", model.packedBytes() * 1e-9, setup));
    }

    private static Kind kind(Model model, Limits limits) {
        return model.storage().matrices().isWhole() && limits.has(Kind.BYTES)
                ? Kind.BYTES
                : Kind.of(model.kernels().precision());
    }

    private static long head(ModelConfig config) {
        return (long) config.vocabSize() * config.hiddenSize();
    }

    private static int[] prompt(ModelConfig config) {
        Rng rng = new Rng(1);
        return IntStream.range(0, PROMPT)
                .map(i -> rng.below(i, config.vocabSize()))
                .toArray();
    }

    private static double prefillSeconds(Model model, int[] prompt) {
        try (Cache cache = model.cache(PROMPT)) {
            long begin = System.nanoTime();
            model.extend(cache, prompt);
            return (System.nanoTime() - begin) * 1e-9;
        }
    }

    private static double decodeSeconds(Model model, int first) {
        try (Cache cache = model.cache(NEW + 1)) {
            int next = likeliest(model.extend(cache, first));
            long begin = System.nanoTime();
            for (int i = 0; i < NEW; i++) {
                next = likeliest(model.extend(cache, next));
            }
            return (System.nanoTime() - begin) * 1e-9;
        }
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }
}
