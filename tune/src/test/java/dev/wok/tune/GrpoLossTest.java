package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Thrown;
import dev.wok.tune.GrpoLoss.Aggregation;
import dev.wok.tune.GrpoLoss.Answer;
import dev.wok.tune.GrpoLoss.Estimator;
import dev.wok.tune.GrpoLoss.Options;
import dev.wok.tune.GrpoLoss.Ratio;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class GrpoLossTest {
    /* Two groups of four: lengths of 1 among them, and one that is as long as may be, so cut off. The second group's
     * rewards are equal.
     */
    private static final int LONGEST = 6;
    private static final int[][] TEXTS = {{2, 1}, {2, 6}, {2, 3}, {2, 1}, {1, 4}, {1, 1}, {1, 6}, {1, 2}};
    private static final int TOKENS = 24;
    private static final List<double[]> REWARDS =
            List.of(new double[] {1, 0, 0.5, -0.25}, new double[] {0.1, 0.1, 0.1, 0.1});

    private final Shown shown = Shown.random(11, 9, 1.5, TEXTS);

    private static Options options(Ratio ratio, Estimator estimator, Aggregation aggregation) {
        return new Options(0.2, 0.28, ratio, 0.3, estimator, false, aggregation, LONGEST, OptionalDouble.empty(), 1);
    }

    private static final Options PLAIN = options(Ratio.TOKEN, Estimator.K3, Aggregation.SEQ_MEAN_TOKEN_MEAN);

    private static Options at(double temperature, OptionalDouble truncation) {
        return new Options(
                0.2,
                0.28,
                Ratio.TOKEN,
                0.3,
                Estimator.K3,
                false,
                Aggregation.SEQ_MEAN_TOKEN_MEAN,
                LONGEST,
                truncation,
                temperature);
    }

    private static Options cut(Estimator estimator) {
        return new Options(
                0.2,
                0.28,
                Ratio.TOKEN,
                0.3,
                estimator,
                true,
                Aggregation.TOKEN_MEAN,
                LONGEST,
                OptionalDouble.empty(),
                1);
    }

    /// Answers whose old, reference's and sampler's log-probabilities lie about the present ones, some
    /// far away.
    private List<Answer> answers(double temperature) {
        List<Answer> answers = new ArrayList<>();
        List<double[]> advantages = Advantages.of(REWARDS, Advantages.Scale.GROUP, Advantages.EPSILON)
                .groups();
        int row = 0;
        for (int i = 0; i < TEXTS.length; i++) {
            int from = row;
            row += TEXTS[i][1];
            answers.add(new Answer(
                    advantages.get(i / 4)[i % 4],
                    near("sampled", 0.1, from, row, 1),
                    logprobs("old", 0.6, from, row, temperature),
                    logprobs("present", 0, from, row, temperature),
                    logprobs("reference", 0.7, from, row, temperature)));
        }
        return answers;
    }

    private Logprobs logprobs(String who, double distance, int from, int to, double temperature) {
        return new Logprobs(near(who, distance, from, to, 1), near(who, distance, from, to, temperature));
    }

    private double[] near(String who, double distance, int from, int to, double temperature) {
        Rng rng = new Rng(6).split(who);
        double[] near = new double[to - from];
        for (int i = from; i < to; i++) {
            near[i - from] = shown.logprob(i, temperature) + distance * rng.normal(i);
        }
        return near;
    }

    private static GrpoLoss loss(Options options) {
        return new GrpoLoss(options, TEXTS.length, TOKENS);
    }

    /// The whole loss of the step, written out.
    private double written(Options options, List<Answer> answers) {
        double total = 0;
        int row = 0;
        for (Answer answer : answers) {
            int n = answer.sampled().length;
            double product = 1;
            for (int t = 0; t < n; t++) {
                product *= ratio(options, answer, row, t);
            }
            for (int t = 0; t < n; t++, row++) {
                int first = row - t;
                double r = switch (options.ratio()) {
                    case TOKEN -> ratio(options, answer, first, t);
                    case SEQUENCE -> product;
                    case SEQUENCE_MEAN -> Math.pow(product, 1.0 / n);
                };
                double a = answer.advantage();
                double clip = Math.max(1 - options.clipLow(), Math.min(1 + options.clipHigh(), r));
                double c = 1;
                if (options.truncation().isPresent()) {
                    c = Math.exp(there(answer.old()).raw()[t]) / Math.exp(answer.sampled()[t]);
                    c = Math.min(c, options.truncation().getAsDouble());
                }
                double objective = c * Math.min(r * a, clip * a);
                objective -= options.beta() * estimate(options, answer, row, t);
                total -= objective
                        / switch (options.aggregation()) {
                            case SEQ_MEAN_TOKEN_MEAN -> answers.size() * n;
                            case TOKEN_MEAN -> TOKENS;
                            case SEQ_MEAN_TOKEN_SUM -> answers.size();
                            case SEQ_MEAN_TOKEN_SUM_NORM -> answers.size() * LONGEST;
                        };
            }
        }
        return total;
    }

    private double ratio(Options options, Answer answer, int first, int t) {
        double present = shown.probabilities(first + t, options.temperature())[shown.target(first + t)];
        return present / Math.exp(there(answer.old()).tempered()[t]);
    }

    private static Logprobs there(@Nullable Logprobs given) {
        return Objects.requireNonNull(given);
    }

    private double estimate(Options options, Answer answer, int row, int t) {
        double present = shown.probabilities(row, options.temperature())[shown.target(row)];
        double x = Math.exp(there(answer.reference()).tempered()[t]) / present;
        return switch (options.estimator()) {
            case K1 -> Math.log(1 / x);
            case K2 -> 0.5 * Math.log(x) * Math.log(x);
            case K3, K3_PLUS -> x - Math.log(x) - 1;
        };
    }

    @Test
    void agreesWithTheLossWrittenOut() {
        for (Ratio ratio : Ratio.values()) {
            for (Estimator estimator : List.of(Estimator.K1, Estimator.K2, Estimator.K3)) {
                for (Aggregation aggregation : Aggregation.values()) {
                    agrees(options(ratio, estimator, aggregation));
                }
            }
        }
        agrees(at(0.7, OptionalDouble.empty()));
        agrees(at(1.3, OptionalDouble.of(1.05)));
    }

    private void agrees(Options options) {
        List<Answer> answers = answers(options.temperature());
        GrpoLoss loss = loss(options);
        Tensor gradient = shown.gradient(loss.on(shown.batch(), answers), DType.F64);
        // 24 tokens of some ten roundings each, of numbers about 1.
        assertEquals(written(options, answers), loss.metrics().loss(), 1e-13);
        GradCheck.check(options.toString(), shown.logits(), gradient, () -> written(options, answers), 16, 3);
    }

    /* What TRL 1.13's GRPOTrainer._compute_loss gives for these numbers in float64, with its logits' source replaced by
     * these, epsilon 0.2 and 0.28, beta 0.04: the loss, the gradient's norm, and the mean KL and entropy.
     */
    @Test
    void agreesWithTrl() {
        double kl = 1.9844207329601151;
        double entropy = 1.3926671208448183;
        OptionalDouble none = OptionalDouble.empty();
        trl(Ratio.TOKEN, Aggregation.SEQ_MEAN_TOKEN_MEAN, none, 1)
                .gives(0.13041506815559833, 0.20646270739481035, kl, entropy, 2.0 / 9);
        trl(Ratio.TOKEN, Aggregation.TOKEN_MEAN, none, 1)
                .gives(0.25807041752058546, 0.21444538816572126, kl, entropy, 2.0 / 9);
        trl(Ratio.TOKEN, Aggregation.SEQ_MEAN_TOKEN_SUM_NORM, none, 1)
                .gives(0.19355281314043907, 0.16083404112429092, kl, entropy, 2.0 / 9);
        trl(Ratio.TOKEN, Aggregation.SEQ_MEAN_TOKEN_SUM, none, 1)
                .gives(0.5806584394213172, 0.48250212337287274, kl, entropy, 2.0 / 9);
        // TRL counts a sequence's ratio once, this its tokens: 1 of 4 sequences, 2 of 9 tokens.
        trl(Ratio.SEQUENCE_MEAN, Aggregation.SEQ_MEAN_TOKEN_MEAN, none, 1)
                .gives(0.1284101923190011, 0.1966733663179425, kl, entropy, 2.0 / 9);
        trl(Ratio.TOKEN, Aggregation.SEQ_MEAN_TOKEN_MEAN, OptionalDouble.of(1.1), 1)
                .gives(0.11721553639213991, 0.1963564208246374, kl, entropy, 2.0 / 9);
        trl(Ratio.TOKEN, Aggregation.SEQ_MEAN_TOKEN_MEAN, none, 0.75)
                .gives(0.32229830564522677, 0.5680494226387917, 8.864609771023776, 1.3307294605853863, 3.0 / 9);
    }

    private record Trl(GrpoLoss.Metrics metrics, double norm) {
        void gives(double loss, double expectedNorm, double kl, double entropy, double low) {
            // Some hundred roundings, of numbers up to 10 with their exponentials.
            assertEquals(loss, metrics.loss(), 1e-12);
            assertEquals(expectedNorm, norm, 1e-12);
            assertEquals(kl, metrics.kl().getAsDouble(), 1e-12);
            assertEquals(entropy, metrics.entropy(), 1e-12);
            assertEquals(low, metrics.clippedLow());
        }
    }

    private static Trl trl(Ratio ratio, Aggregation aggregation, OptionalDouble truncation, double temperature) {
        int[][] texts = {{1, 1}, {1, 3}, {1, 2}, {1, 3}};
        Shown given = Shown.of(5, i -> (3 * i + 1) % 5, i -> (37 * i % 19 - 9) / 4.0, texts);
        List<double[]> advantages = Advantages.of(
                        List.of(new double[] {1, 0}, new double[] {0.25, 1}),
                        Advantages.Scale.GROUP,
                        Advantages.EPSILON)
                .groups();
        Scoring scoring = new Scoring(given.batch(), temperature);
        given.gradient(scoring, DType.F64);
        List<Answer> answers = new ArrayList<>();
        int row = 0;
        for (int i = 0; i < texts.length; i++) {
            int from = row;
            row += texts[i][1];
            double[] old = IntStream.range(from, row)
                    .mapToDouble(r -> -1 - 7 * r % 5 / 4.0)
                    .toArray();
            double[] reference = IntStream.range(from, row)
                    .mapToDouble(r -> -1.25 - 3 * r % 7 / 8.0)
                    .toArray();
            answers.add(new Answer(
                    advantages.get(i / 2)[i % 2],
                    IntStream.range(from, row)
                            .mapToDouble(r -> -1 - 5 * r % 6 / 5.0)
                            .toArray(),
                    new Logprobs(old, old),
                    scoring.texts().get(i),
                    new Logprobs(reference, reference)));
        }
        Options options =
                new Options(0.2, 0.28, ratio, 0.04, Estimator.K3, false, aggregation, 3, truncation, temperature);
        GrpoLoss loss = new GrpoLoss(options, 4, 9);
        Tensor gradient = given.gradient(loss.on(given.batch(), answers), DType.F64);
        return new Trl(loss.metrics(), Shown.norm(gradient));
    }

    @Test
    void theThirdEstimateMayHaveTheSecondsGradient() {
        Options plus = options(Ratio.TOKEN, Estimator.K3_PLUS, Aggregation.TOKEN_MEAN);
        Options second = options(Ratio.TOKEN, Estimator.K2, Aggregation.TOKEN_MEAN);
        Options third = options(Ratio.TOKEN, Estimator.K3, Aggregation.TOKEN_MEAN);
        GrpoLoss loss = loss(plus);
        Tensor gradient = shown.gradient(loss.on(shown.batch(), answers(1)), DType.F64);
        Tensor expected = shown.gradient(loss(second).on(shown.batch(), answers(1)), DType.F64);
        assertArrayEquals(Shown.bits(expected), Shown.bits(gradient));
        assertEquals(written(third, answers(1)), loss.metrics().loss(), 1e-13);
    }

    @Test
    void countsWhatItSees() {
        GrpoLoss loss = loss(PLAIN);
        List<Answer> answers = answers(1);
        shown.gradient(loss.on(shown.batch(), answers), DType.F64);
        double kl = 0;
        double entropy = 0;
        double ratios = 0;
        double difference = 0;
        double largest = 0;
        int low = 0;
        int high = 0;
        int row = 0;
        for (Answer answer : answers) {
            for (int t = 0; t < answer.sampled().length; t++, row++) {
                double r = ratio(PLAIN, answer, row - t, t);
                kl += estimate(PLAIN, answer, row, t);
                entropy -= Arrays.stream(shown.probabilities(row, 1))
                        .map(p -> p * Math.log(p))
                        .sum();
                ratios += r;
                low += r < 0.8 && answer.advantage() < 0 ? 1 : 0;
                high += r > 1.28 && answer.advantage() > 0 ? 1 : 0;
                double off = Math.abs(shown.logprob(row, 1) - answer.sampled()[t]);
                difference += off;
                largest = Math.max(largest, off);
            }
        }
        GrpoLoss.Metrics metrics = loss.metrics();
        assertTrue(low * high > 0);
        assertEquals(TOKENS, metrics.tokens());
        assertEquals(kl / TOKENS, metrics.kl().getAsDouble(), 1e-13);
        assertEquals(entropy / TOKENS, metrics.entropy(), 1e-13);
        assertEquals(ratios / TOKENS, metrics.ratio(), 1e-13);
        assertEquals((double) low / TOKENS, metrics.clippedLow());
        assertEquals((double) high / TOKENS, metrics.clippedHigh());
        assertEquals(difference / TOKENS, metrics.meanDifference(), 1e-13);
        assertEquals(largest, metrics.largestDifference(), 1e-13);
    }

    @Test
    void isTheSameBitsInParts_onAnyNumberOfThreads_andRoundedOnceInFloats() {
        GrpoLoss whole = loss(PLAIN);
        Tensor expected = shown.gradient(whole.on(shown.batch(), answers(1)), DType.F64);
        GrpoLoss parts = loss(PLAIN);
        assertArrayEquals(
                Shown.bits(expected), Shown.bits(shown.gradient(parts.on(shown.batch(), answers(1)), DType.F64, 5)));
        assertEquals(whole.metrics(), parts.metrics());
        try (ForkJoinPool one = new ForkJoinPool(1);
                ForkJoinPool three = new ForkJoinPool(3)) {
            for (ForkJoinPool pool : List.of(one, three)) {
                GrpoLoss loss = loss(PLAIN);
                Tensor gradient = pool.submit(() -> shown.gradient(loss.on(shown.batch(), answers(1)), DType.F64))
                        .join();
                assertArrayEquals(Shown.bits(expected), Shown.bits(gradient));
                assertEquals(whole.metrics(), loss.metrics());
            }
        }
        GrpoLoss floats = loss(PLAIN);
        float[] rounded =
                shown.gradient(floats.on(shown.batch(), answers(1)), DType.F32).toFloats();
        assertArrayEquals(expected.toFloats(), rounded);
        assertEquals(whole.metrics(), floats.metrics());
    }

    @Test
    void equalRewardsTeachNothing() {
        Options free = new Options(
                0.2,
                0.2,
                Ratio.TOKEN,
                0,
                Estimator.K3,
                false,
                Aggregation.SEQ_MEAN_TOKEN_MEAN,
                LONGEST,
                OptionalDouble.empty(),
                1);
        List<Answer> fresh = answers(1).stream()
                .map(answer -> new Answer(answer.advantage(), answer.sampled(), null, null, answer.reference()))
                .toList();
        Tensor gradient = shown.gradient(loss(free).on(shown.batch(), fresh), DType.F64);
        // The first group's answers have 11 tokens.
        for (int row = 0; row < TOKENS; row++) {
            assertEquals(row >= 11, Shown.isZero(gradient.select(0, row)), "row " + row);
        }
    }

    @Test
    void withoutAnOldPolicyThePresentOneIsOld() {
        List<Answer> fresh = new ArrayList<>();
        List<Answer> same = new ArrayList<>();
        Scoring scoring = new Scoring(shown.batch(), 1);
        shown.gradient(scoring, DType.F64);
        for (int i = 0; i < TEXTS.length; i++) {
            Answer answer = answers(1).get(i);
            Logprobs now = scoring.texts().get(i);
            fresh.add(new Answer(answer.advantage(), answer.sampled(), null, null, null));
            same.add(new Answer(answer.advantage(), answer.sampled(), now, now, null));
        }
        for (Ratio ratio : Ratio.values()) {
            Options options = options(ratio, Estimator.K3, Aggregation.SEQ_MEAN_TOKEN_MEAN);
            GrpoLoss one = loss(options);
            GrpoLoss other = loss(options);
            Tensor expected = shown.gradient(other.on(shown.batch(), same), DType.F64);
            assertArrayEquals(
                    Shown.bits(expected), Shown.bits(shown.gradient(one.on(shown.batch(), fresh), DType.F64)));
            assertEquals(other.metrics(), one.metrics());
            assertEquals(1, one.metrics().ratio());
            assertTrue(one.metrics().kl().isEmpty());
        }
    }

    @Test
    void extremesStayFinite() {
        Shown far = Shown.random(2, 5, 80, new int[] {1, 1}, new int[] {1, 3});
        double[] never = {Double.NEGATIVE_INFINITY, -1e9, -300};
        Logprobs impossible = new Logprobs(never, never);
        Logprobs first = new Logprobs(new double[] {Double.NEGATIVE_INFINITY}, new double[] {-1e9});
        for (double advantage : new double[] {-2, 0, 2}) {
            for (Ratio ratio : Ratio.values()) {
                Options options = new Options(
                        0.2,
                        10,
                        ratio,
                        0.1,
                        Estimator.K3,
                        true,
                        Aggregation.TOKEN_MEAN,
                        LONGEST,
                        OptionalDouble.empty(),
                        1);
                GrpoLoss loss = new GrpoLoss(options, 2, 4);
                List<Answer> answers = List.of(
                        new Answer(advantage, new double[] {-1}, first, first, first),
                        new Answer(
                                advantage,
                                new double[] {-1, -1, -1},
                                impossible,
                                new Logprobs(new double[3], new double[3]),
                                impossible));
                if (ratio != Ratio.TOKEN) {
                    answers = List.of(new Answer(advantage, new double[] {-1}, null, null, first), answers.getLast());
                }
                for (float one :
                        far.gradient(loss.on(far.batch(), answers), DType.F32).toFloats()) {
                    assertTrue(Float.isFinite(one), options + " gives " + one);
                }
                assertTrue(Double.isFinite(loss.metrics().loss()));
            }
        }
    }

    @Test
    void whatIsCutHasNoSlope() {
        Shown one = Shown.random(3, 4, 1, new int[] {1, 1});
        double now = one.logprob(0, 1);
        for (Estimator estimator : Estimator.values()) {
            GrpoLoss loss = new GrpoLoss(cut(estimator), 1, 1);
            double[] reference = {now + 25};
            Answer answer = new Answer(0, new double[] {now}, null, null, new Logprobs(reference, reference));
            assertTrue(Shown.isZero(one.gradient(loss.on(one.batch(), List.of(answer)), DType.F64)));
            double expected = switch (estimator) {
                case K1 -> -20;
                case K2 -> 200;
                case K3, K3_PLUS -> 10;
            };
            assertEquals(expected, loss.metrics().kl().getAsDouble());
        }
    }

    @Test
    void logitsWithoutNumbersAreNotHidden() {
        shown.logits().set(3, Double.NaN);
        GrpoLoss loss = loss(PLAIN);
        Tensor gradient = shown.gradient(loss.on(shown.batch(), answers(1)), DType.F32);
        assertTrue(Double.isNaN(gradient.get(0)));
        assertTrue(Double.isNaN(loss.metrics().loss()));
    }

    @Test
    void refusesWhatDoesNotFit() {
        GrpoLoss loss = loss(options(Ratio.SEQUENCE, Estimator.K3, Aggregation.TOKEN_MEAN));
        List<Answer> answers = answers(1);
        refuses("7 answers for 8 texts", () -> loss.on(shown.batch(), answers.subList(0, 7)));
        refuses("an answer of 2 tokens for 1 targets", () -> loss.on(shown.batch(), answers.reversed()));
        Logprobs two = new Logprobs(new double[2], new double[2]);
        refuses("2 log-probabilities for an answer of 3 tokens", () -> new Answer(1, new double[3], two, null, null));
        List<Answer> blind = new ArrayList<>(answers);
        blind.set(7, new Answer(1, new double[2], two, null, null));
        refuses(
                "a sequence's ratio needs the present log-probabilities of all of it",
                () -> loss.on(shown.batch(), blind));
        refuses(
                "truncated importance weights are of tokens, the ratio is SEQUENCE",
                () -> new Options(
                        0.2,
                        0.2,
                        Ratio.SEQUENCE,
                        0,
                        Estimator.K3,
                        false,
                        Aggregation.TOKEN_MEAN,
                        LONGEST,
                        OptionalDouble.of(2),
                        1));
    }

    private static void refuses(String message, Thrown.Code code) {
        assertEquals(message, Thrown.message(IllegalArgumentException.class, code));
    }
}
