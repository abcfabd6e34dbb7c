package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/// Folders that are mapped: they hold what opening their source would have made of it.
@ExtendWith(ProcessorRunsIt.class)
class ConvertedTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    static Stream<Arguments> everything() {
        return Fixture.all()
                .flatMap(fixture ->
                        Storage.byName().entrySet().stream().map(storage -> Arguments.of(fixture, storage.getKey())));
    }

    private static Storage storage(String name) {
        return Objects.requireNonNull(Storage.byName().get(name));
    }

    private Path convert(Path source, String target, String storage) {
        Model.convert(source, folder.resolve(target), storage(storage), _ -> {}, Progress.silent());
        return folder.resolve(target);
    }

    private static Kernels kernels(Device device) {
        return Kernels.on(device.stream(), Fixture.fastBackends().getLast());
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("everything")
    void answersAsItsSource(Fixture fixture, String name) {
        Path converted = convert(fixture.folder(), "converted", name);
        int[] ids = fixture.sequences().getFirst();
        try (Device device = Device.host(2);
                Model read = Model.open(fixture.folder(), kernels(device), storage(name), Progress.silent());
                Model mapped = Model.open(converted, kernels(device), Progress.silent())) {
            assertEquals(read.config(), mapped.config());
            Close.assertSame("logits", read.logits(ids), mapped.logits(ids));
        }
    }

    /// Rounding what was rounded changes nothing, whichever way it went.
    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("everything")
    void anotherRoundIsTheSameBytes(Fixture fixture, String name) throws IOException {
        Path once = convert(fixture.folder(), "once", name);
        Path twice = convert(once, "twice", name);
        assertSameFiles(once, twice);
        Path exported = folder.resolve("exported");
        try (Device device = Device.host(1);
                Model loaded = Model.load(once, kernels(device), DType.F32, Progress.silent())) {
            loaded.save(exported);
        }
        Path again = convert(exported, "again", name);
        assertSameFiles(once, again);
    }

    private static void assertSameFiles(Path expected, Path actual) throws IOException {
        for (String name : new String[] {"model.safetensors", "config.json", "generation_config.json"}) {
            assertEquals(-1, Files.mismatch(expected.resolve(name), actual.resolve(name)), name);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void whatIsReadFromItIsWhatWasKept(Fixture fixture) {
        Path converted = convert(fixture.folder(), "converted", "bf16");
        try (Device device = Device.host(1);
                Model source = Model.load(fixture.folder(), kernels(device), DType.F32, Progress.silent());
                Model loaded = Model.load(converted, kernels(device), DType.F32, Progress.silent())) {
            loaded.tensors().forEach((name, tensor) -> {
                Tensor expected =
                        Tensors.copy(Objects.requireNonNull(source.tensors().get(name)));
                boolean rounded = tensor.rank() == 2 && !name.endsWith(".mlp.gate.weight");
                if (rounded) {
                    Tensor narrow = Tensors.zeros(DType.BF16, expected.shape());
                    narrow.copyFrom(expected);
                    expected.copyFrom(narrow);
                }
                Close.assertSame(name, expected, tensor);
            });
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void partsAreCounted(Fixture fixture) {
        Inspection source = Inspection.of(fixture.folder(), Progress.silent());
        Inspection converted = Inspection.of(convert(fixture.folder(), "converted", "int4"), Progress.silent());
        long apart = source.parts()
                .getOrDefault(Inspection.Part.MULTI_TOKEN_PREDICTION, new Inspection.Size(0, 0))
                .parameters();
        assertEquals(source.total().parameters() - apart, converted.total().parameters());
        source.parts().forEach((part, size) -> {
            if (part != Inspection.Part.MULTI_TOKEN_PREDICTION) {
                assertEquals(
                        size.parameters(),
                        Objects.requireNonNull(converted.parts().get(part)).parameters(),
                        part.name());
            }
        });
        assertEquals(converted.bytes(Storage.int4()), converted.total().bytes());
    }

    @Test
    void anotherStorageIsMadeFromIt() {
        Fixture fixture = Fixture.all().findFirst().orElseThrow();
        Path exact = convert(fixture.folder(), "exact", "f32");
        int[] ids = fixture.sequences().getFirst();
        try (Device device = Device.host(1);
                Model direct = Model.open(fixture.folder(), kernels(device), Storage.int8(), Progress.silent());
                Model later = Model.open(exact, kernels(device), Storage.int8(), Progress.silent())) {
            Close.assertSame("logits", direct.logits(ids), later.logits(ids));
        }
    }

    @Test
    void weightsAreWholeLines() throws IOException {
        Path converted = convert(Fixture.all().findFirst().orElseThrow().folder(), "converted", "int4");
        try (Safetensors file = Safetensors.open(converted.resolve("model.safetensors"))) {
            for (String name : file.names()) {
                Tensor tensor = file.tensor(name);
                if (tensor.bytes() % 64 == 0) {
                    assertEquals(0, tensor.memory().address() % 64, name);
                }
            }
        }
    }

    @Test
    void brokenFoldersAreRefused() throws IOException {
        Path converted = convert(Fixture.all().findFirst().orElseThrow().folder(), "converted", "int4");
        ObjectNode config = (ObjectNode) JSON.readTree(Files.readAllBytes(converted.resolve("config.json")));
        ObjectNode how = (ObjectNode) config.get("quantization_config");
        assertRefused(converted, config, how.put("group_size", 32), "_scales is BF16");
        assertRefused(converted, config, how.put("group_size", 33), "expected a multiple of 32");
        assertRefused(converted, config, how.put("group_size", 64).put("element", "int8"), "by config.json");
        assertRefused(converted, config, how.put("element", "int3"), "element is \"int3\", supported are f32, bf16,");
        assertRefused(converted, config, how.put("element", "int4").put("activations", "int2"), "activations is");
        how.put("activations", "int8");
        assertRefused(
                converted, config, how.put("element", "fp8"), "to 8 bits are asked for beside FP8, expected whole");
        how.put("element", "int4");
        int layers = config.get("num_hidden_layers").asInt();
        assertRefused(converted, config.put("num_hidden_layers", layers - 1), how, "is not part of a");
        assertRefused(converted, config.put("num_hidden_layers", layers + 1), how, "holds no tensor");
        assertRefused(converted, config.put("num_hidden_layers", 4096), how, "tensors, a model with its");
        config.put("num_hidden_layers", layers);
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        try (Safetensors file = Safetensors.open(converted.resolve("model.safetensors"))) {
            file.names().forEach(name -> tensors.put(name, Tensors.copy(file.tensor(name))));
        }
        tensors.put("further", Tensors.zeros(DType.U8, 1));
        Safetensors.write(converted.resolve("model.safetensors"), tensors, Map.of());
        assertRefused(converted, config, how, "tensor further is not part of a");
    }

    private static void assertRefused(Path folder, ObjectNode config, ObjectNode how, String expected)
            throws IOException {
        Files.write(folder.resolve("config.json"), JSON.writeValueAsBytes(config.set("quantization_config", how)));
        try (Device device = Device.host(1)) {
            Kernels kernels = Kernels.on(device.stream(), Backend.REFERENCE);
            String message = Thrown.message(BadInput.class, () -> Model.open(folder, kernels, Progress.silent()));
            assertTrue(message.contains(expected), message);
        }
    }

    @Test
    void aFailedConversionLeavesNoFile() throws IOException {
        Path source = Fixture.all().findFirst().orElseThrow().folder();
        Path target = folder.resolve("target");
        Progress failing = new Progress() {
            @Override
            public void say(String line) {}

            @Override
            public Task start(String name, long total, String unit) {
                throw new IllegalStateException("stop here");
            }
        };
        assertEquals(
                "stop here",
                Thrown.message(
                        IllegalStateException.class,
                        () -> Model.convert(source, target, Storage.int4(), _ -> {}, failing)));
        try (Stream<Path> left = Files.list(folder)) {
            assertEquals(0, left.count());
        }
    }

    /// Asking for experts ahead changes when they are read, and nothing else.
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void expertsFromDiskAnswerAlike(Fixture fixture) {
        Path converted = convert(fixture.folder(), "converted", "int8");
        int[] ids = fixture.sequences().getFirst();
        try (Device device = Device.host(2);
                Model held = Model.open(converted, kernels(device), Progress.silent());
                Model read = Model.open(converted, kernels(device), Progress.silent())) {
            MoeConfig moe = held.config().moe();
            if (moe == null) {
                return;
            }
            read.readExperts();
            try (Cache expected = held.cache(ids.length);
                    Cache found = read.cache(ids.length)) {
                for (int id : ids) {
                    assertArrayEquals(held.extend(expected, id), read.extend(found, id));
                }
            }
            assertTrue(held.diskReads().isEmpty());
            Model.DiskReads reads = read.diskReads().orElseThrow();
            int layers = held.config().moeLayers().length;
            assertEquals(ids.length, reads.tokens());
            assertEquals((long) ids.length * layers * moe.numExpertsPerTok(), reads.chosen());
            // The file was written a moment ago, and lies in memory.
            assertEquals(reads.chosen(), reads.held());
            assertEquals(0, reads.bytes());
            assertTrue(reads.right() <= reads.guessed());
        }
    }
}
