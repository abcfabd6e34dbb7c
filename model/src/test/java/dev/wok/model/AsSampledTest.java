package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A loss that training does not know: what it is shown, and where its gradients go.
@ExtendWith(ProcessorRunsIt.class)
class AsSampledTest {
    private static final int[] LENGTHS = {150, 1, 64, 65, 30};

    /// Texts one after another, every token but the first of each a target.
    private static Batch batch(int... lengths) {
        Rng rng = new Rng(11);
        int total = Arrays.stream(lengths).sum();
        int[] ids = IntStream.range(0, total).map(i -> rng.below(i, 23)).toArray();
        int[] targets = new int[total];
        int[] positions = new int[total];
        int[] starts = new int[total];
        int start = 0;
        for (int length : lengths) {
            for (int t = 0; t < length; t++) {
                targets[start + t] = t + 1 < length ? ids[start + t + 1] : -1;
                positions[start + t] = t;
                starts[start + t] = start;
            }
            start += length;
        }
        return new Batch(1, total, ids, targets, positions, starts);
    }

    /// Token by token, as a sampler reads.
    static List<float[]> sampled(Model model, Batch batch) {
        List<float[]> logits = new ArrayList<>();
        for (Batch.Text text : batch.texts()) {
            try (Cache cache = model.cache(text.length())) {
                for (int i = 0; i < text.length(); i++) {
                    float[] after = model.extend(cache, batch.tokens()[text.row(i)]);
                    if (i >= text.shared() && batch.targets()[text.row(i)] >= 0) {
                        logits.add(after);
                    }
                }
            }
        }
        return logits;
    }

    private static float[] row(Tensor logits, int row) {
        Tensor one = logits.slice(0, row, row + 1L);
        float[] values = new float[one.size(1)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) one.get(i);
        }
        return values;
    }

    @ParameterizedTest
    @MethodSource("dev.wok.model.BatchBitsTest#everywhere")
    void logitsAreTheSamplersBitForBit(ModelConfig config, Backend backend, Precision precision) {
        int scale = backend == Backend.REFERENCE ? 10 : 1;
        Batch batch =
                batch(Arrays.stream(LENGTHS).map(n -> Math.ceilDiv(n, scale)).toArray());
        Training.Settings settings = new Training.Settings(1, batch.length() + 7, 0, 0, true, false);
        try (Device device = Device.host(2);
                Model model = Models.uneven(config, Kernels.on(device.stream(), backend, precision), DType.F32, 3);
                Training training = model.training(settings)) {
            List<float[]> expected = sampled(model, batch);
            List<float[]> scored = new ArrayList<>();
            List<Integer> rows = new ArrayList<>();
            training.score(batch, (some, logits) -> {
                for (int i = 0; i < some.length; i++) {
                    scored.add(row(logits, i));
                    rows.add(some[i]);
                }
            });
            assertArrayEquals(
                    batch.targetRows(),
                    rows.stream().mapToInt(Integer::intValue).toArray());
            assertSame(expected, scored);
            List<float[]> learnt = new ArrayList<>();
            training.begin(1, 1);
            training.accumulate(batch, (some, logits) -> {
                for (int i = 0; i < some.length; i++) {
                    learnt.add(row(logits, i));
                }
            });
            assertSame(expected, learnt);
        }
    }

    private static void assertSame(List<float[]> expected, List<float[]> given) {
        assertEquals(expected.size(), given.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), given.get(i), "row " + i);
        }
    }

    /// The mean cross-entropy, in plain words.
    private static void crossEntropy(Batch batch, int[] rows, Tensor logits) {
        int vocabulary = logits.size(1);
        for (int i = 0; i < rows.length; i++) {
            double sum = 0;
            for (int v = 0; v < vocabulary; v++) {
                sum += Math.exp(logits.get((long) i * vocabulary + v));
            }
            for (int v = 0; v < vocabulary; v++) {
                long at = (long) i * vocabulary + v;
                double one = v == batch.targets()[rows[i]] ? 1 : 0;
                logits.set(at, (Math.exp(logits.get(at)) / sum - one) / batch.targetCount());
            }
        }
    }

    /// In double precision the two ways differ by the order of their sums alone: some 1e3 roundings
    /// of 1e-16 each.
    @Test
    void gradientsOfAnEqualLossAreEqual() {
        for (boolean asSampled : new boolean[] {false, true}) {
            Batch batch = batch(20, 1, 9);
            Training.Settings settings = new Training.Settings(1, batch.length(), 0, 1e-3, asSampled, false);
            try (Device device = Device.host(2);
                    Model model = Models.uneven(
                            Models.config(6, Models.v3Moe(4, 2, 1), false, 0),
                            Kernels.on(device.stream(), Backend.REFERENCE),
                            DType.F64,
                            5);
                    Training own = model.training(settings);
                    Training given = model.training(settings)) {
                own.begin(batch.targetCount(), 1);
                own.accumulate(batch);
                given.begin(1, 1);
                given.accumulate(batch, (rows, logits) -> crossEntropy(batch, rows, logits));
                assertArrayEquals(own.result().load(), given.result().load());
                double largest = 0;
                for (int p = 0; p < model.parameters().size(); p++) {
                    Tensor expected = own.gradients().get(p);
                    Tensor found = given.gradients().get(p);
                    for (long i = 0; i < expected.elements(); i++) {
                        assertEquals(
                                expected.get(i),
                                found.get(i),
                                1e-12,
                                model.parameters().get(p).name());
                        largest = Math.max(largest, Math.abs(expected.get(i)));
                    }
                }
                assertTrue(largest > 1e-2, "the gradients are all small");
            }
        }
    }
}
