package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What the training loss is made of: against [Plain], across documents, sequences and micro-batches.
class TrainingTest {
    private static final double ALPHA = 0.03;

    private final Device device = Device.host(1);
    private final Kernels reference = Kernels.on(device.stream(), Backend.REFERENCE);

    @AfterEach
    void close() {
        device.close();
    }

    static Stream<ModelConfig> configs() {
        return Stream.of(
                Models.config(6, Models.v3Moe(4, 2, 1), false, 2),
                Models.config(0, Models.v3Moe(1, 1, 0), true, 1),
                Models.config(6, Models.v2Moe(4, 2, 2), false, 1),
                Models.config(0, Models.v2Moe(1, 1, 1), false, 0));
    }

    @ParameterizedTest
    @MethodSource("configs")
    void lossIsAsThePapersWriteIt(ModelConfig config) {
        int[] ids = Models.ids(11, 4);
        Batch batch = Batch.of(ids);
        try (Model model = Models.uneven(config, reference, DType.F64, 5);
                Training training = model.training(new Training.Settings(1, ids.length, 0.3, ALPHA))) {
            training.begin(batch.targetCount(), 1);
            training.accumulate(batch);
            Training.Result result = training.result();
            Plain.Losses expected = new Plain(model).losses(ids);
            assertEquals(expected.main() / (ids.length - 1), result.loss(), 1e-12);
            double further = Arrays.stream(expected.further()).average().orElse(0);
            assertEquals(further / (ids.length - 1), result.mtpLoss(), 1e-12);
            assertEquals(ALPHA * expected.balance(), result.balanceLoss(), 1e-13);
        }
    }

    @Test
    void furtherPredictionWithoutWeightLeavesTheMainModelAlone() {
        ModelConfig config = Models.config(6, Models.v3Moe(1, 1, 1), false, 2);
        List<Batch> batches = List.of(Models.packed(0));
        try (Model model = Models.uneven(config, reference, DType.F64, 5);
                Model main = Model.create(config.withoutMtp(), reference, DType.F64, 1)) {
            main.tensors()
                    .forEach((name, tensor) -> tensor.copyFrom(
                            Objects.requireNonNull(model.tensors().get(name))));
            main.weightsChanged();
            try (Training training = model.training(new Training.Settings(2, 8, 0, 0));
                    Training alone = main.training(new Training.Settings(2, 8, 0, 0))) {
                assertEquals(run(alone, batches).loss(), run(training, batches).loss());
                assertTrue(training.result().mtpLoss() > 0);
                for (String name : model.tensors().keySet()) {
                    Tensor gradient = training.gradient(name);
                    Tensor expected = main.tensors().containsKey(name)
                            ? alone.gradient(name)
                            : Tensors.zeros(DType.F64, gradient.shape());
                    Close.assertClose(name, expected, gradient, 0);
                }
            }
        }
    }

    @Test
    void everyTargetOfEveryDepthCountsOnce() {
        ModelConfig config = Models.config(0, Models.v3Moe(1, 1, 1), false, 2);
        Batch batch = Models.packed(0);
        try (Model model = Models.uneven(config, reference, DType.F64, 5);
                Training training = model.training(new Training.Settings(2, 8, 0.3, 0))) {
            Tensor head = Objects.requireNonNull(model.tensors().get("lm_head.weight"));
            head.copyFrom(Tensors.zeros(DType.F64, head.shape()));
            model.weightsChanged();
            Training.Result result = run(training, List.of(batch));
            double nats = Math.log(config.vocabSize());
            assertEquals(nats, result.loss(), 1e-13);
            // Documents of 3, 5, 1, 4 and 3 tokens; after the second comes a token that the batch does not hold.
            assertEquals(11 + 1, batch.targetCount());
            int next = 1 + 3 + 1 + 0 + 2 + 1;
            int afterThat = 0 + 2 + 1 + 0 + 1 + 0;
            assertEquals(nats * (next + afterThat) / 12 / 2, result.mtpLoss(), 1e-13);
        }
    }

    @Test
    void documentsDoNotSeeEachOther() {
        ModelConfig config = Models.config(6, Models.v3Moe(4, 2, 1), false, 2);
        Batch batch = Models.packed(0);
        int[] onlySecond = batch.targets().clone();
        int[] othersChanged = batch.tokens().clone();
        for (int i = 0; i < onlySecond.length; i++) {
            if (batch.keyStart()[i] != 3) {
                onlySecond[i] = -1;
                othersChanged[i] = (othersChanged[i] + 5) % config.vocabSize();
            }
        }
        Batch before = new Batch(2, 8, batch.tokens(), onlySecond, batch.positions(), batch.keyStart());
        Batch after = new Batch(2, 8, othersChanged, onlySecond, batch.positions(), batch.keyStart());
        try (Model model = Models.uneven(config, reference, DType.F64, 5);
                Training training = model.training(new Training.Settings(2, 8, 0.3, 0));
                Training other = model.training(new Training.Settings(2, 8, 0.3, 0))) {
            Training.Result expected = run(training, List.of(before));
            Training.Result result = run(other, List.of(after));
            assertEquals(expected.loss(), result.loss());
            assertEquals(expected.mtpLoss(), result.mtpLoss());
            assertTrue(result.mtpLoss() > 0);
            compareGradients(model, training, other, 1e-14);
            assertNotEquals(Arrays.deepToString(expected.load()), Arrays.deepToString(result.load()));
        }
    }

    @Test
    void packedDocumentsAddUpToTheDocumentsAlone() {
        int[][] documents = {Models.ids(5, 1), Models.ids(9, 2), Models.ids(2, 3)};
        Batch packed = pack(documents);
        List<Batch> alone = Arrays.stream(documents).map(Batch::of).toList();
        for (On on : List.of(
                new On(Backend.REFERENCE, DType.F64, 1e-13),
                new On(Fixture.fastBackends().getLast(), DType.F32, 3e-6))) {
            Kernels kernels = Kernels.on(device.stream(), on.backend);
            ModelConfig config = Models.config(6, Models.v3Moe(4, 2, 1), false, 1);
            try (Model model = Models.uneven(config, kernels, on.dtype, 5);
                    Training training = model.training(new Training.Settings(1, packed.length(), 0.3, 0));
                    Training other = model.training(new Training.Settings(1, packed.length(), 0.3, 0))) {
                Training.Result result = run(training, List.of(packed));
                Training.Result expected = run(other, alone);
                assertEquals(expected.loss(), result.loss(), on.error * expected.loss());
                assertEquals(expected.mtpLoss(), result.mtpLoss(), on.error * expected.mtpLoss());
                assertArrayEquals(expected.load(), result.load());
                compareGradients(model, other, training, on.error);
                double evaluated = alone.stream().mapToDouble(other::evaluate).sum();
                assertEquals(evaluated, training.evaluate(packed), on.error * evaluated);
                assertEquals(evaluated / packed.targetCount(), result.loss(), on.error * result.loss());
                compareGradients(model, other, training, on.error);
            }
        }
    }

    private record On(Backend backend, DType dtype, double error) {}

    private static Batch pack(int[][] documents) {
        List<Integer> keyStart = new ArrayList<>();
        for (int[] document : documents) {
            int start = keyStart.size();
            Arrays.stream(document).forEach(_ -> keyStart.add(start));
        }
        Batch[] parts = Arrays.stream(documents).map(Batch::of).toArray(Batch[]::new);
        return new Batch(
                1,
                keyStart.size(),
                Arrays.stream(parts)
                        .flatMapToInt(b -> Arrays.stream(b.tokens()))
                        .toArray(),
                Arrays.stream(parts)
                        .flatMapToInt(b -> Arrays.stream(b.targets()))
                        .toArray(),
                Arrays.stream(parts)
                        .flatMapToInt(b -> Arrays.stream(b.positions()))
                        .toArray(),
                keyStart.stream().mapToInt(i -> i).toArray());
    }

    @Test
    void microBatchesAddUpToOneBatch() {
        ModelConfig config = Models.config(0, Models.v3Moe(4, 2, 1), true, 1);
        Batch a = Models.packed(0);
        Batch b = Models.packed(3);
        int[] keyStart = IntStream.range(0, 32)
                .map(i -> i < 16 ? a.keyStart()[i] : 16 + b.keyStart()[i - 16])
                .toArray();
        Batch both = new Batch(
                4,
                8,
                join(a.tokens(), b.tokens()),
                join(a.targets(), b.targets()),
                join(a.positions(), b.positions()),
                keyStart);
        try (Model model = Models.uneven(config, reference, DType.F64, 5);
                Training parts = model.training(new Training.Settings(2, 8, 0.3, ALPHA));
                Training whole = model.training(new Training.Settings(4, 8, 0.3, ALPHA))) {
            Training.Result expected = run(whole, List.of(both));
            Training.Result result = run(parts, List.of(a, b));
            assertEquals(expected.loss(), result.loss(), 1e-13);
            assertEquals(expected.mtpLoss(), result.mtpLoss(), 1e-13);
            assertEquals(expected.balanceLoss(), result.balanceLoss(), 1e-14);
            assertArrayEquals(expected.load(), result.load());
            compareGradients(model, whole, parts, 1e-13);
        }
    }

    private static int[] join(int[] a, int[] b) {
        return IntStream.concat(Arrays.stream(a), Arrays.stream(b)).toArray();
    }

    @Test
    void biasesMoveAgainstTheLoad() {
        ModelConfig config = Models.config(6, Models.v3Moe(1, 1, 1), false, 1);
        try (Model model = Model.create(config, reference, DType.F64, 5);
                Training training = model.training(new Training.Settings(2, 8, 0.3, 0))) {
            int[][] load = run(training, List.of(Models.packed(0))).load();
            training.moveBiases(0.25);
            List<Tensor> biases = model.tensors().entrySet().stream()
                    .filter(e -> e.getKey().endsWith("e_score_correction_bias"))
                    .map(e -> e.getValue())
                    .toList();
            assertEquals(2, biases.size());
            assertEquals(biases.size(), load.length);
            for (int layer = 0; layer < load.length; layer++) {
                assertEquals(16 * 2, Arrays.stream(load[layer]).sum());
                for (int e = 0; e < 8; e++) {
                    assertEquals(
                            0.25 * Integer.signum(4 - load[layer][e]),
                            biases.get(layer).get(e));
                }
            }
        }
    }

    @Test
    void tooLargeABatchIsRefused() {
        ModelConfig config = Models.config(6, null, false, 0);
        try (Model model = Model.create(config, reference, DType.F64, 5);
                Training training = model.training(new Training.Settings(1, 8, 0, 0))) {
            assertEquals(
                    "Training: a batch of 16 tokens, the settings say at most 8",
                    Thrown.message(IllegalArgumentException.class, () -> training.accumulate(Models.packed(0))));
        }
    }

    private static Training.Result run(Training training, List<Batch> batches) {
        training.begin(
                batches.stream().mapToLong(Batch::targetCount).sum(),
                batches.stream().mapToInt(Batch::sequences).sum());
        batches.forEach(training::accumulate);
        return training.result();
    }

    /// @param error relative to the largest element
    private static void compareGradients(Model model, Training expected, Training actual, double error) {
        for (int i = 0; i < model.parameters().size(); i++) {
            Tensor wanted = expected.gradients().get(i);
            double largest =
                    Arrays.stream(Tensors.values(wanted)).map(Math::abs).max().orElseThrow();
            assertTrue(largest > 0);
            Close.assertClose(
                    model.parameters().get(i).name(), wanted, actual.gradients().get(i), error * largest);
        }
    }
}
