package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Documents that share a sequence are as if each were alone.
class PackingTest {
    /// In double the order of sums is all that differs.
    private static final double EXACT = 1e-12;

    /// Gradients are sums over a few dozen tokens in float32; they differ by some units in the last place of the
    /// largest.
    private static final double FLOAT32 = 1e-5;

    @Test
    void inDouble() {
        check(Backend.REFERENCE, DType.F64, 1, EXACT, 6);
    }

    @Test
    void onFastKernels() {
        Fixture.fastBackends().forEach(backend -> check(backend, DType.F32, 2, FLOAT32, 24));
    }

    private static void check(Backend backend, DType dtype, int threads, double error, int cases) {
        ModelConfig config = Models.config(6, Models.v3Moe(4, 2, 1), false, 2);
        try (Device device = Device.host(threads);
                Model model = Model.create(config, Kernels.on(device.stream(), backend), dtype, 3);
                Training packed = model.training(new Training.Settings(2, 40, 0.3, 0));
                Training alone = model.training(new Training.Settings(2, 40, 0.3, 0))) {
            Property.of("packing " + backend)
                    .size("first", 1, 20)
                    .size("second", 1, 20)
                    .size("third", 1, 20)
                    .size("fourth", 1, 20)
                    .cases(cases)
                    .check(c -> {
                        int[] sizes = {c.size("first"), c.size("second"), c.size("third"), c.size("fourth")};
                        List<int[]> documents = IntStream.range(0, sizes.length)
                                .mapToObj(d -> IntStream.range(0, sizes[d])
                                        .map(i -> c.rng("ids" + d).below(i, config.vocabSize()))
                                        .toArray())
                                .toList();
                        compare(model, packed, alone, documents, error);
                    });
        }
    }

    private static void compare(Model model, Training packed, Training alone, List<int[]> documents, double error) {
        Batch together = pack(documents);
        run(packed, List.of(together));
        run(alone, documents.stream().map(Batch::of).toList());
        Training.Result expected = alone.result();
        Training.Result actual = packed.result();
        assertEquals(expected.loss(), actual.loss(), error * expected.loss());
        assertEquals(expected.mtpLoss(), actual.mtpLoss(), error * expected.mtpLoss());
        assertArrayEquals(expected.load(), actual.load());
        for (String name : model.tensors().keySet()) {
            Tensor right = alone.gradient(name);
            Close.assertClose(name, right, packed.gradient(name), error * Math.max(1e-3, largest(right)));
        }
        double evaluated = documents.stream()
                .mapToDouble(ids -> alone.evaluate(Batch.of(ids)))
                .sum();
        assertEquals(evaluated, packed.evaluate(together), error * Math.max(1, evaluated));
    }

    private static void run(Training training, List<Batch> batches) {
        training.begin(batches.stream().mapToInt(Batch::targetCount).sum(), batches.size());
        batches.forEach(training::accumulate);
    }

    private static double largest(Tensor tensor) {
        return Arrays.stream(Tensors.values(tensor)).map(Math::abs).max().orElse(0);
    }

    private static Batch pack(List<int[]> documents) {
        int length = documents.stream().mapToInt(d -> d.length).sum();
        int[] targets = new int[length];
        int[] positions = new int[length];
        int[] keyStart = new int[length];
        List<Integer> tokens = new ArrayList<>();
        for (int[] document : documents) {
            int start = tokens.size();
            for (int i = 0; i < document.length; i++) {
                tokens.add(document[i]);
                targets[start + i] = i + 1 < document.length ? document[i + 1] : -1;
                positions[start + i] = i;
                keyStart[start + i] = start;
            }
        }
        return new Batch(1, length, tokens.stream().mapToInt(i -> i).toArray(), targets, positions, keyStart);
    }

    /// The statement above is about documents, not about tokens that cannot influence each other.
    @Test
    void withinADocumentTokensDoSeeEarlierOnes() {
        ModelConfig config = Models.config(0, Models.v2Moe(1, 1, 1), false, 0);
        try (Device device = Device.host(1);
                Model model = Model.create(config, Kernels.on(device.stream(), Backend.VECTOR), DType.F32, 3)) {
            ToIntFunction<int[]> last = ids -> Arrays.hashCode(
                    model.logits(ids).slice(0, ids.length - 1L, ids.length).toFloats());
            assertNotEquals(last.applyAsInt(new int[] {4, 2, 3}), last.applyAsInt(new int[] {5, 2, 3}));
        }
    }
}
