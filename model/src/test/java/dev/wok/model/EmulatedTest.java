package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.device.Memory;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// A model on a GPU that runs PTX with every check on, or with `-Dwok.require=ptx` on a real one: it
/// learns and generates what the reference does.
class EmulatedTest {
    /// Of weights with which no two experts come close enough for roundings to swap them.
    private static final int SEED = 7;

    private static final int STEPS = 3;
    private static final int TOKENS = 10;

    /// Products that a token passes in two layers: queries, latents, keys, scores, values, output,
    /// gate and up, down; and the head.
    private static final int PRODUCTS = 2 * 9 + 1;

    private static final AdamW.Step ADAM_W = new AdamW.Step(1e-2, 0.9, 0.95, 1e-8, 0.1, 1);

    /* In float32 the parts of a result that came from some hundred sums are off by 1e-5 of its norm. Where operands are
     * rounded to bfloat16, two ways of summing round some of them to neighbours 2^-8 apart, in each product that a number
     * passes, forward and backward; and a router that sees two experts nearly alike may choose another one, so that of
     * tensors, or of tokens, the median is looked at. Each step of the optimizer adds errors of its kind.
     */
    private static double bound(Precision precision) {
        return switch (precision) {
            case F32 -> 2e-5;
            case BF16 -> Math.sqrt(2.0 * 2 * PRODUCTS) * 0x1p-8;
        };
    }

    /// @return what must be within the bound: the largest distance, or the median where operands are rounded
    private static double typical(Precision precision, double... distances) {
        double[] sorted = distances.clone();
        Arrays.sort(sorted);
        return sorted[precision == Precision.F32 ? sorted.length - 1 : sorted.length / 2];
    }

    static Stream<Arguments> models() {
        return Stream.of(
                        Models.config(6, Models.v3Moe(4, 2, 1), false, 1),
                        Models.config(0, Models.v2Moe(1, 1, 1), true, 0),
                        Models.llama(2, true),
                        Models.qwen3Moe(true))
                .flatMap(config -> Arrays.stream(Precision.values()).map(precision -> Arguments.of(config, precision)));
    }

    /// A model in training.
    private static final class Trained implements AutoCloseable {
        final Device device;
        final Model model;
        final Memory memory;
        final Training training;
        final List<Tensor> means;
        final List<Tensor> squares;
        final Tensor normAndClip;

        Trained(Device device, Kernels kernels, DType dtype, Model weights) {
            this.device = device;
            model = Model.create(weights.config(), kernels, dtype, 3);
            weights.tensors().forEach((name, from) -> {
                Tensor to = Objects.requireNonNull(model.tensors().get(name), name);
                device.upload(from, to);
            });
            model.weightsChanged();
            memory = device.memory();
            training = model.training(new Training.Settings(2, 8, 0.3, 1e-3));
            means = like(dtype);
            squares = like(dtype);
            normAndClip = memory.tensor(dtype, 2);
        }

        private List<Tensor> like(DType dtype) {
            return model.parameters().stream()
                    .map(p -> memory.tensor(dtype, p.value().shape()))
                    .toList();
        }

        double[] values(Tensor here) {
            Tensor host = Tensors.zeros(here.dtype(), here.shape());
            device.download(here, host);
            return Tensors.values(host);
        }

        Training.Result step(Batch batch) {
            training.begin(batch.targetCount(), batch.sequences());
            training.accumulate(batch);
            return training.result();
        }

        void learn() {
            AdamW adamW = model.kernels().adamW();
            adamW.clip(training.gradients(), 1, normAndClip);
            for (int i = 0; i < means.size(); i++) {
                Parameter p = model.parameters().get(i);
                Tensor gradient = training.gradients().get(i);
                adamW.update(ADAM_W, p.value(), gradient, means.get(i), squares.get(i), normAndClip);
            }
            model.weightsChanged();
            training.moveBiases(1e-3);
        }

        @Override
        public void close() {
            training.close();
            memory.close();
            model.close();
            device.close();
        }
    }

    private static Trained reference(Precision precision, Model weights) {
        Device device = Device.host(1);
        return new Trained(device, Kernels.on(device.stream(), Backend.REFERENCE, precision), DType.F64, weights);
    }

    private static Trained emulated(Precision precision, Model weights) {
        String name = "ptx".equals(System.getProperty("wok.require")) ? "cuda" : "emulated";
        Device device = DeviceName.parse("a test", name).open(1);
        return new Trained(device, Kernels.on(device.stream(), Backend.PTX, precision), DType.F32, weights);
    }

    private static void withBoth(ModelConfig config, Precision precision, Both body) {
        Device host = Device.host(1);
        Kernels plain = Kernels.on(host.stream(), Backend.REFERENCE, Precision.F32);
        try (host;
                Model weights = Models.uneven(config, plain, DType.F32, SEED);
                Trained expected = reference(precision, weights);
                Trained found = emulated(precision, weights)) {
            body.accept(expected, found);
        }
    }

    private interface Both {
        void accept(Trained expected, Trained found);
    }

    @ParameterizedTest
    @MethodSource("models")
    void learnsInThreeSteps(ModelConfig config, Precision precision) {
        double bound = bound(precision);
        withBoth(config, precision, (expected, found) -> {
            for (int step = 0; step < STEPS; step++) {
                Batch batch = Models.packed(step);
                Training.Result right = expected.step(batch);
                Training.Result result = found.step(batch);
                double allowed = bound * (step + 1);
                assertEquals(right.loss(), result.loss(), allowed * right.loss(), "loss of step " + step);
                assertEquals(right.mtpLoss(), result.mtpLoss(), allowed * right.mtpLoss());
                assertEquals(right.balanceLoss(), result.balanceLoss(), allowed * right.balanceLoss());
                if (step == 0) {
                    requireNear(
                            precision,
                            expected,
                            found,
                            expected.training.gradients(),
                            found.training.gradients(),
                            bound);
                }
                expected.learn();
                found.learn();
            }
            double distance = distance(all(expected), all(found));
            assertTrue(distance < bound * STEPS, "weights are off by " + distance);
        });
    }

    /// @return all weights in one row: AdamW moves those whose gradient is nothing but noise as far as others
    private static double[] all(Trained trained) {
        return trained.model.parameters().stream()
                .flatMapToDouble(p -> Arrays.stream(trained.values(p.value())))
                .toArray();
    }

    private static void requireNear(
            Precision precision, Trained expected, Trained found, List<Tensor> right, List<Tensor> here, double bound) {
        double[] distances = new double[right.size()];
        Arrays.setAll(distances, i -> distance(expected.values(right.get(i)), found.values(here.get(i))));
        double distance = typical(precision, distances);
        assertTrue(distance < bound, "off by %s of the norm, expected less than %s".formatted(distance, bound));
    }

    @ParameterizedTest
    @MethodSource("models")
    void generatesTenTokens(ModelConfig config, Precision precision) {
        withBoth(config, precision, (expected, found) -> {
            int[] ids = Models.ids(7, 1);
            try (Cache right = expected.model.cache(64);
                    Cache here = found.model.cache(64)) {
                double[] distances = new double[TOKENS];
                for (int i = 0; i < TOKENS; i++) {
                    float[] a = expected.model.extend(right, ids);
                    float[] b = found.model.extend(here, ids);
                    distances[i] = distance(doubles(a), doubles(b));
                    int best = highest(a);
                    if (precision == Precision.F32) {
                        assertEquals(best, highest(b), "token " + i);
                    }
                    ids = new int[] {best};
                }
                double distance = typical(precision, distances);
                assertTrue(distance < bound(precision), "off by " + distance);
            }
        });
    }

    /// A replayed step counts what its tokens chose, as one that is launched.
    private static void requireTwice(List<long[]> once, List<long[]> twice, ModelConfig config) {
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            long[] all = once.get(layer);
            assertEquals(
                    config.moe() == null || !config.isMoe(layer)
                            ? 0
                            : TOKENS * config.moe().numExpertsPerTok(),
                    Arrays.stream(all).sum());
            assertArrayEquals(Arrays.stream(all).map(n -> 2 * n).toArray(), twice.get(layer));
        }
    }

    private static double[] doubles(float... values) {
        double[] wide = new double[values.length];
        Arrays.setAll(wide, i -> values[i]);
        return wide;
    }

    private static double distance(double[] expected, double... found) {
        double squares = 0;
        double errors = 0;
        for (int i = 0; i < expected.length; i++) {
            squares += expected[i] * expected[i];
            errors += (expected[i] - found[i]) * (expected[i] - found[i]);
        }
        return errors == 0 ? 0 : Math.sqrt(errors / squares);
    }

    private static int highest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    /// Steps that come again are replayed: texts have the same bits alone and among others, and as often as they are
    /// read.
    @ParameterizedTest
    @MethodSource("models")
    void replayedStepsGiveTheSameBits(ModelConfig config, Precision precision) {
        withBoth(config, precision, (_, found) -> {
            List<List<float[]>> runs = new ArrayList<>();
            try (CachePages pages = found.model.cachePages(4)) {
                Supplier<List<float[]>> together = () -> {
                    List<float[]> all = new ArrayList<>();
                    for (int i = 0; i < 5; i++) {
                        int id = 3 * i % 23;
                        all.addAll(found.model.extend(
                                pages,
                                List.of(
                                        new Chunk(new int[] {2}, i, new int[] {id}, 1),
                                        new Chunk(new int[] {0}, i, new int[] {(id + 5) % 23}, 1))));
                    }
                    return all;
                };
                runs.add(together.get());
                List<long[]> use = found.model.expertUse();
                runs.add(together.get());
                requireTwice(use, found.model.expertUse(), config);
                List<float[]> alone = new ArrayList<>();
                for (int i = 0; i < 5; i++) {
                    alone.addAll(found.model.extend(
                            pages, List.of(new Chunk(new int[] {1}, i, new int[] {3 * i % 23}, 1))));
                }
                for (int i = 0; i < 5; i++) {
                    assertArrayEquals(runs.get(0).get(2 * i), alone.get(i), "token " + i);
                    assertArrayEquals(runs.get(0).get(2 * i), runs.get(1).get(2 * i), "token " + i);
                    assertArrayEquals(runs.get(0).get(2 * i + 1), runs.get(1).get(2 * i + 1), "token " + i);
                }
            }
        });
    }
}
