package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Workspace;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.testkit.Property;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Sizes that are known before a run starts.
class DryTest {
    private static ModelConfig config(Property.Case c) {
        int groups = 1 << c.size("groups");
        MoeConfig moe = new MoeConfig(
                8,
                c.size("shared"),
                c.size("topK"),
                c.size("inner"),
                groups,
                Math.max(1, groups - 1),
                true,
                2,
                Routing.Scoring.SIGMOID,
                true);
        return new ModelConfig(
                ModelConfig.Family.DEEPSEEK_V3,
                c.size("vocabulary"),
                12 * c.size("heads"),
                c.size("layers"),
                c.size("heads"),
                new MlaConfig(c.size("qLora"), c.size("kvLora"), c.size("nope"), 4, c.size("value")),
                c.size("inner") + 3,
                c.size("dense"),
                1,
                List.of(),
                moe,
                new RopeConfig(10000, null),
                4096,
                1e-6,
                0.1,
                c.flag("tied"),
                c.size("mtp"),
                -1,
                List.of());
    }

    /* The workspace of a training throws where more is taken than was measured. A step with every size at its limit,
     * one smaller batch, and an evaluation; on the kernels that need scratch memory of their own.
     */
    @Test
    void aStepFitsIntoWhatWasMeasured() {
        Property.of("DryTest.aStepFitsIntoWhatWasMeasured")
                .size("vocabulary", 2, 300)
                .size("layers", 1, 3)
                .size("heads", 1, 3)
                .size("qLora", 0, 17)
                .size("kvLora", 1, 33)
                .size("nope", 1, 9)
                .size("value", 1, 9)
                .size("inner", 1, 33)
                .size("dense", 0, 2)
                .size("shared", 0, 2)
                .size("topK", 1, 4)
                .size("groups", 0, 2)
                .size("mtp", 0, 2)
                .flag("tied")
                .size("sequences", 1, 3)
                .size("length", 1, 70)
                .cases(25)
                .check(DryTest::step);
    }

    private static void step(Property.Case c) {
        ModelConfig config = config(c);
        Training.Settings settings = new Training.Settings(c.size("sequences"), c.size("length"), 0.3, 1e-3);
        try (Device device = Device.host(2);
                Model model = Model.create(config, Kernels.on(device.stream()), DType.F32, 1);
                Training training = model.training(settings)) {
            Batch batch = batch(config, settings.sequences(), settings.length());
            Batch smaller = batch(config, 1, Math.max(1, settings.length() / 2));
            training.begin(batch.targetCount(), settings.sequences() + 1);
            training.accumulate(batch);
            training.accumulate(smaller);
            assertTrue(training.evaluate(batch) >= 0);
            double loss = training.result().loss();
            assertTrue(loss >= 0 && loss < 20, () -> "loss " + loss);
            assertEquals(Training.bytes(config, DType.F32, settings), training.bytes());
        }
    }

    private static Batch batch(ModelConfig config, int sequences, int length) {
        int[] tokens = IntStream.range(0, sequences * length)
                .map(i -> (i * i + 5 * i) % config.vocabSize())
                .toArray();
        int[] targets = IntStream.range(0, tokens.length)
                .map(i -> i % length + 1 < length ? tokens[i + 1] : -1)
                .toArray();
        int[] positions = IntStream.range(0, tokens.length).map(i -> i % length).toArray();
        int[] keyStart =
                IntStream.range(0, tokens.length).map(i -> i / length * length).toArray();
        return new Batch(sequences, length, tokens, targets, positions, keyStart);
    }

    /* A dry device's tensors have no memory: a host that read a value back, or a kernel that computed one, would touch
     * a null segment and throw.
     */
    @Test
    void aStepOnTheDryDeviceReadsNothingBack() {
        ModelConfig config = Models.config(6, Models.v3Moe(4, 2, 1), false, 2);
        try (DryDevice device = Device.dry()) {
            Network network = new Network(config, Kernels.on(device.stream()), device.memory(), DType.F32);
            assertThrows(IndexOutOfBoundsException.class, () -> network.weights.norm.get(0));
            Training.Settings settings = new Training.Settings(2, 8, 0.3, 1e-3);
            Training training = new Training(network, settings);
            training.begin(14, 2);
            training.accumulate(Models.packed(0));
            training.moveBiases(0.001);
            Workspace measuring = Workspace.measuring(device);
            Pass p = network.pass(measuring, new int[8], new int[8]);
            network.infer(p, network.ints(measuring, new int[8]), null);
            assertTrue(measuring.peakBytes() > 0);
        }
    }

    @Test
    void moreTokensTakeMore() {
        ModelConfig config = Models.config(6, Models.v3Moe(1, 1, 1), false, 1);
        long one = Training.bytes(config, DType.F32, new Training.Settings(1, 64, 0.3, 0));
        long two = Training.bytes(config, DType.F32, new Training.Settings(2, 64, 0.3, 0));
        long four = Training.bytes(config, DType.F32, new Training.Settings(4, 64, 0.3, 0));
        assertEquals(2.0, (double) (four - two) / (two - one), 0.1);
        assertTrue(Training.bytes(config, DType.F64, new Training.Settings(4, 64, 0.3, 0)) > 1.9 * four - one);
    }
}
