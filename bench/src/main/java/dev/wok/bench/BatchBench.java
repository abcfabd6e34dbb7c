package dev.wok.bench;

import dev.wok.generate.Decoding;
import dev.wok.generate.Engine;
import dev.wok.generate.Generation;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.model.Model;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Many texts at once: their tokens per second against those of one alone, the first token after a beginning that is
/// known, and what a long prompt does to texts that go on.
final class BatchBench {
    private static final int PROMPT = 32;
    private static final int NEW = 96;
    private static final int[] TOGETHER = {4, 8, 16};
    private static final int PREFIX = 2000;
    private static final int OWN = 5;
    private static final int LONG_PROMPT = 4000;
    private static final int RUNNING = 4;
    private static final int TOKENS_BEFORE = 30;
    private static final int REPEATS = 3;

    private final Model model;
    private final Engine engine;
    private long drawn;

    private BatchBench(Model model, Engine engine) {
        this.model = model;
        this.engine = engine;
    }

    static List<Row> measure(ModelUnderTest test, Progress progress) {
        try (Engine engine = new Engine(test.model(), Engine.Settings.defaults())) {
            return new BatchBench(test.model(), engine).rows(test.setup(), progress);
        }
    }

    private List<Row> rows(Setup setup, Progress progress) {
        double[] alone = new double[REPEATS];
        double[][] together = new double[TOGETHER.length][REPEATS];
        double[] first = new double[REPEATS];
        double[] known = new double[REPEATS];
        double[] middle = new double[REPEATS];
        double[] long99 = new double[REPEATS];
        double[] usual = new double[REPEATS];
        try (Progress.Task task = progress.start("generating", REPEATS + 1L, "times")) {
            for (long begin = System.nanoTime(); System.nanoTime() - begin < ModelUnderTest.WARM_UP_NANOS; ) {
                tokensPerSecond(1);
                tokensPerSecond(TOGETHER[TOGETHER.length - 1]);
            }
            task.advance(1);
            for (int at = 0; at < REPEATS; at++) {
                alone[at] = tokensPerSecond(1);
                for (int i = 0; i < TOGETHER.length; i++) {
                    together[i][at] = tokensPerSecond(TOGETHER[i]);
                }
                int[] prefix = draw(PREFIX + OWN);
                first[at] = firstTokenMillis(prefix);
                System.arraycopy(draw(OWN), 0, prefix, PREFIX, OWN);
                known[at] = firstTokenMillis(prefix);
                double[] gaps = gaps();
                middle[at] = gaps[0];
                long99[at] = gaps[1];
                usual[at] = gaps[2];
                task.advance(1);
            }
        }
        List<Row> rows = new ArrayList<>();
        double one = Repeats.median(alone, REPEATS);
        for (int i = 0; i < TOGETHER.length; i++) {
            rows.add(Row.of(
                    "batch_%d".formatted(TOGETHER[i]),
                    Repeats.median(together[i], REPEATS),
                    "tokens/s",
                    "one request alone",
                    one,
                    setup));
        }
        rows.add(Row.of(
                "first_token_known_%d".formatted(PREFIX),
                Repeats.median(known, REPEATS),
                "ms",
                "the first request with this beginning",
                Repeats.median(first, REPEATS),
                setup));
        String without = "the median between tokens without that prompt";
        double median = Repeats.median(usual, REPEATS);
        rows.add(Row.of(
                "gap_beside_%d".formatted(LONG_PROMPT), Repeats.median(middle, REPEATS), "ms", without, median, setup));
        rows.add(Row.of(
                "gap_beside_%d.p99".formatted(LONG_PROMPT),
                Repeats.median(long99, REPEATS),
                "ms",
                without,
                median,
                setup));
        return rows;
    }

    private int[] draw(int tokens) {
        Rng rng = new Rng(1);
        return IntStream.range(0, tokens)
                .map(_ -> rng.below(drawn++, model.config().vocabSize()))
                .toArray();
    }

    private Request request(int[] prompt, int tokens) {
        return Request.of(prompt).withMaxTokens(tokens).withSampling(Sampling.greedy());
    }

    /// All are begun at once, so that their prompts are read in one step.
    private double tokensPerSecond(int texts) {
        List<Decoding> begun = new ArrayList<>();
        engine.between(() -> {
            for (int i = 0; i < texts; i++) {
                begun.add(engine.submit(request(draw(PROMPT), NEW)));
            }
        });
        double tokens = 0;
        double seconds = 0;
        for (Decoding decoding : begun) {
            Generation generation = decoding.await();
            tokens += generation.ids().length - 1;
            seconds = Math.max(seconds, generation.decodeSeconds());
        }
        return tokens / seconds;
    }

    private double firstTokenMillis(int[] prompt) {
        long begin = System.nanoTime();
        engine.submit(request(prompt, 1)).await();
        return (System.nanoTime() - begin) * 1e-6;
    }

    /// @return between tokens of texts that go on while a long prompt is read, the median time and what 99 of
    ///     100 stay under, and the median before, in milliseconds
    private double[] gaps() {
        int room = model.config().maxPositionEmbeddings() - PROMPT;
        List<Decoding> running = IntStream.range(0, RUNNING)
                .mapToObj(_ -> engine.submit(request(draw(PROMPT), room)))
                .toList();
        List<Double> before = new ArrayList<>();
        List<Double> beside = new ArrayList<>();
        Decoding watched = running.getFirst();
        watched.next();
        for (int i = 0; i < TOKENS_BEFORE; i++) {
            before.add(gap(watched));
        }
        int most = Math.min(LONG_PROMPT, model.config().maxPositionEmbeddings() - 1);
        Decoding prompt = engine.submit(request(draw(most), 1));
        while (!prompt.hasEnded() && !watched.hasEnded()) {
            beside.add(gap(watched));
        }
        running.forEach(Decoding::cancel);
        return new double[] {quantile(beside, 0.5), quantile(beside, 0.99), quantile(before, 0.5)};
    }

    private static double quantile(List<Double> values, double share) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return sorted[(int) (share * (sorted.length - 1))];
    }

    private static double gap(Decoding watched) {
        long begin = System.nanoTime();
        watched.next();
        return (System.nanoTime() - begin) * 1e-6;
    }
}
