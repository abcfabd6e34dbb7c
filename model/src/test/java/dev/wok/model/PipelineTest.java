package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Shape;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.testkit.Thrown;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/// Layers that are dealt to ranks: what a rank has, what it refuses. That they train as on one rank, a
/// whole run shows in the room of training.
class PipelineTest {
    private static final Training.Settings SETTINGS = new Training.Settings(2, 8, 0.3, 0.01, false, false, 2);

    private static ModelConfig config(boolean tied) {
        ModelConfig small = Models.config(6, Models.v3Moe(4, 2, 1), tied, 1);
        return PipelinePlanTest.layers(small, 5);
    }

    private static <T> List<T> onTwo(Function<Fabric, T> work) {
        List<T> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            List<Future<T>> results = Fabric.threads(Shape.oneMachine(2)).stream()
                    .map(fabric -> threads.submit(() -> {
                        try (fabric) {
                            return work.apply(fabric);
                        }
                    }))
                    .toList();
            for (Future<T> result : results) {
                all.add(result.get());
            }
            return all;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static Kernels kernels(Device device) {
        return Kernels.on(device.stream(), Backend.VECTOR, Kernels.usual(device, Backend.VECTOR));
    }

    /// What each rank has is the whole model together, and takes no more than was counted.
    @Test
    void ranksHaveTheModelTogether() {
        for (boolean tied : new boolean[] {false, true}) {
            ModelConfig config = config(tied);
            List<List<String>> names = onTwo(fabric -> {
                try (Device device = Device.host(1);
                        Model model = Model.create(config, kernels(device), DType.F32, 5, Sharing.pipeline(fabric));
                        Training training = model.training(SETTINGS)) {
                    long counted = Training.pipelineBytes(config, SETTINGS, 2, fabric.rank());
                    assertTrue(training.bytes() <= counted, training.bytes() + " of " + counted);
                    assertTrue(training.bytes() > 0.8 * counted, training.bytes() + " of " + counted);
                    assertEquals(
                            model.parameters().stream().map(Parameter::name).toList(),
                            model.holdings().stream()
                                    .filter(holding -> holding.rank() == fabric.rank())
                                    .map(Model.Holding::name)
                                    .toList());
                    return model.parameters().stream().map(Parameter::name).toList();
                }
            });
            List<String> all = new ArrayList<>();
            names.forEach(all::addAll);
            try (Device device = Device.dry();
                    Model whole = Model.zeros(config, Kernels.on(device.stream()), DType.F32)) {
                List<String> expected = whole.parameters().stream()
                        .map(Parameter::name)
                        .sorted()
                        .toList();
                assertEquals(expected, all.stream().sorted().toList());
            }
        }
    }

    @Test
    void whatAPipelineCannotDoIsRefused() {
        List<String> refused = onTwo(fabric -> {
            try (Device device = Device.host(1);
                    Model model = Model.create(config(false), kernels(device), DType.F32, 5, Sharing.pipeline(fabric));
                    Training training = model.training(SETTINGS)) {
                Batch batch = Batch.of(1, 2, 3);
                String together = "a pipeline's ranks take the micro-batches of a step together";
                assertEquals(together, Thrown.message(IllegalStateException.class, () -> training.accumulate(batch)));
                assertEquals(
                        together,
                        Thrown.message(IllegalStateException.class, () -> training.accumulate(batch, (_, _) -> {})));
                assertEquals(
                        together,
                        Thrown.message(IllegalStateException.class, () -> training.score(batch, (_, _) -> {})));
                return Thrown.message(
                        BadInput.class,
                        () -> Model.create(config(false), kernels(device), DType.F64, 5, Sharing.pipeline(fabric)));
            }
        });
        assertEquals(
                "a pipeline's ranks compute in float32 on the processor, not in F64 on host processor, 1 thread.",
                refused.getLast());
    }

    @Test
    void rowsOfAnotherPassAreRefused() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment message = arena.allocate(StageLayout.HEADER, 64);
            new StageLayout(StageLayout.Kind.FORWARD, 2, 3, 8, 12).write(message);
            new StageLayout(StageLayout.Kind.FORWARD, 2, 3, 8, 12).require(message, 1);
            StageLayout expected = new StageLayout(StageLayout.Kind.BACKWARD, 2, 4, 8, 12);
            assertEquals(
                    "rank 1 sent hidden states (version 1) of micro-batch 3 for stage 2, 8 tokens of 12 where a gradient (version 1) of micro-batch 4 for stage 2, 8 tokens of 12 was expected.",
                    Thrown.message(Departed.class, () -> expected.require(message, 1)));
        }
    }

    /// Two sequences that have a page in common, and one that is in no table.
    @Test
    void aReadingNamesThePagesThatItUses() {
        int[] pages = {7, 9};
        Chunk one = new Chunk(pages, 60, new int[] {1, 2, 3, 4, 5}, 1);
        Chunk two = new Chunk(new int[] {7, 3}, 64, new int[] {6}, 0);
        StageReading sent = StageReading.of(Reading.of(List.of(one, two), new int[] {4}, true));
        assertArrayEquals(new int[] {7, 9, 3}, sent.pages());
        StageReading come = StageReading.of(sent.bytes(), 128);
        assertArrayEquals(new int[] {0, 1, 2}, come.pages());
        assertEquals(sent.reading().shape(), come.reading().shape());
        assertArrayEquals(sent.reading().values(), come.reading().values());
        int[] values = come.reading().values();
        assertArrayEquals(new int[] {0, 1, 0, 2}, Arrays.copyOfRange(values, values.length - 4, values.length));
        byte[] bytes = sent.bytes();
        for (int at = 0; at < bytes.length; at += Integer.BYTES) {
            byte[] broken = bytes.clone();
            broken[at] = -1;
            boolean id = at >= 5 * Integer.BYTES && at < 11 * Integer.BYTES;
            if (!id) {
                assertRefused(broken, 128);
            }
        }
        assertRefused(Arrays.copyOf(bytes, bytes.length - 4), 128);
        assertRefused(bytes, 64);
        assertRefused(new byte[0], 128);
    }

    private static void assertRefused(byte[] bytes, int positions) {
        assertEquals(
                "rank 0 sent %d bytes that are no text to read; start all ranks from the same Wok."
                        .formatted(bytes.length),
                Thrown.message(Departed.class, () -> StageReading.of(bytes, positions)));
    }
}
