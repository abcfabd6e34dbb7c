package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
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
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/// Checkpoints in the types that released models have, with the blocks of DeepSeek-V3's E4M3 cut off at the edges: the
/// fixtures' matrices are no multiples of 48 by 80.
class StoredTest {
    private static final int ROWS = 48;
    private static final int COLUMNS = 80;
    /// Whole groups, but no whole rows.
    private static final int WHOLE_GROUPS = 96;

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    /// Writes a fixture's tensors in another type.
    ///
    /// @return what they are then, as float32
    private Map<String, Tensor> write(Fixture fixture, DType dtype) throws IOException {
        return write(fixture, dtype, COLUMNS);
    }

    /// @param columns of a block
    private Map<String, Tensor> write(Fixture fixture, DType dtype, int columns) throws IOException {
        SequencedMap<String, Tensor> stored = new LinkedHashMap<>();
        Map<String, Tensor> values = new LinkedHashMap<>();
        try (Safetensors file = fixture.open("model.safetensors")) {
            for (String name : file.names()) {
                Tensor tensor = Tensors.copy(file.tensor(name));
                boolean scaled = dtype == DType.F8_E4M3 && tensor.rank() == 2 && name.contains("_proj.");
                Tensor narrow = Tensors.zeros(scaled || dtype != DType.F8_E4M3 ? dtype : DType.BF16, tensor.shape());
                Tensor value = Tensors.zeros(DType.F32, tensor.shape());
                if (scaled) {
                    stored.put(name + "_scale_inv", scale(tensor, narrow, value, columns));
                } else {
                    narrow.copyFrom(tensor);
                    value.copyFrom(narrow);
                }
                stored.put(name, narrow);
                values.put(name, value);
            }
        }
        Safetensors.write(folder.resolve("model.safetensors"), stored, Map.of("format", "pt"));
        ObjectNode config =
                (ObjectNode) JSON.readTree(Files.readAllBytes(fixture.folder().resolve("config.json")));
        if (dtype == DType.F8_E4M3) {
            ObjectNode how = config.putObject("quantization_config");
            how.put("quant_method", "fp8").put("fmt", "e4m3").put("activation_scheme", "dynamic");
            how.putArray("weight_block_size").add(ROWS).add(columns);
        }
        Files.write(folder.resolve("config.json"), JSON.writeValueAsBytes(config));
        return values;
    }

    private static Tensor scale(Tensor tensor, Tensor narrow, Tensor value, int columns) {
        int across = Math.ceilDiv(tensor.size(1), columns);
        Tensor scales = Tensors.zeros(DType.F32, Math.ceilDiv(tensor.size(0), ROWS), across);
        for (int block = 0; block < scales.elements(); block++) {
            int top = block / across * ROWS;
            int left = block % across * columns;
            int bottom = Math.min(tensor.size(0), top + ROWS);
            int right = Math.min(tensor.size(1), left + columns);
            float largest = 0;
            for (int i = top; i < bottom; i++) {
                for (int j = left; j < right; j++) {
                    largest = Math.max(largest, Math.abs((float) tensor.get(tensor.offset(i, j))));
                }
            }
            float factor = largest / E4m3.MAX;
            scales.set(block, factor);
            for (int i = top; i < bottom; i++) {
                for (int j = left; j < right; j++) {
                    narrow.set(narrow.offset(i, j), (float) tensor.get(tensor.offset(i, j)) / factor);
                    value.set(value.offset(i, j), (float) narrow.get(narrow.offset(i, j)) * factor);
                }
            }
        }
        return scales;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void weightsAreWhatIsStored(Fixture fixture) throws IOException {
        for (DType dtype : new DType[] {DType.F16, DType.BF16, DType.F8_E4M3}) {
            Map<String, Tensor> values = write(fixture, dtype);
            try (Device device = Device.host(1);
                    Model model = Model.load(
                            folder, Kernels.on(device.stream(), Backend.VECTOR), DType.F32, Progress.silent())) {
                model.tensors()
                        .forEach((name, tensor) ->
                                Close.assertSame(dtype + " " + name, Objects.requireNonNull(values.get(name)), tensor));
            }
        }
    }

    /// Rounding to E4M3 leaves 4 bits: a few per cent of each of a layer's products, which is far from nothing and far
    /// from noise.
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void modelsAnswerAlikeFromAnyType(Fixture fixture) throws IOException {
        int[] ids = fixture.sequences().getFirst();
        for (DType dtype : new DType[] {DType.F16, DType.BF16, DType.F8_E4M3}) {
            write(fixture, dtype);
            try (Device device = Device.host(2)) {
                Kernels kernels =
                        Kernels.on(device.stream(), Fixture.fastBackends().getLast());
                try (Model plain = Model.load(folder, kernels, DType.F32, Progress.silent());
                        Model packed = Model.open(folder, kernels, Storage.float32(), Progress.silent())) {
                    Close.assertClose(
                            dtype.toString(),
                            plain.logits(ids),
                            packed.logits(ids),
                            Fixture.TIMES_NOISE * fixture.noiseOfLogits());
                }
            }
        }
    }

    /// Where groups lie within blocks, numbers stay under their blocks' scales, which become bfloat16; converted
    /// again they stay too, though a block's largest lies in other rows.
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void e4m3StaysWhatItIs(Fixture fixture) throws IOException {
        write(fixture, DType.F8_E4M3, WHOLE_GROUPS);
        Storage storage = new Storage(Packed.Element.FP8, 32, Activations.FLOAT);
        int kept = 0;
        try (Device device = Device.host(1);
                Model packed =
                        Model.open(folder, Kernels.on(device.stream(), Backend.REFERENCE), storage, Progress.silent());
                Safetensors file = Safetensors.open(folder.resolve("model.safetensors"))) {
            for (Map.Entry<String, Place> entry : packed.places().entrySet()) {
                Tensor stored = file.tensor(entry.getKey());
                if (stored.dtype() != DType.F8_E4M3 || !(entry.getValue() instanceof Place.Rows rows)) {
                    continue;
                }
                Tensor scales = file.tensor(entry.getKey() + "_scale_inv");
                for (int row = 0; row < rows.count(); row++) {
                    for (int p = 0; p < rows.weight().k(); p++) {
                        double scale = scales.get(scales.offset(row / ROWS, p / WHOLE_GROUPS));
                        long at = rows.from() + row;
                        assertEquals(
                                stored.get(stored.offset(row, p)), rows.weight().value(at, p));
                        assertEquals(Bf16.round(scale), rows.weight().scale(at, p / 32));
                    }
                }
                kept++;
            }
        }
        assertTrue(kept > 0, "nothing is E4M3");
        Path once = folder.resolve("once");
        Path twice = folder.resolve("twice");
        Model.convert(folder, once, storage, _ -> {}, Progress.silent());
        Model.convert(once, twice, storage, _ -> {}, Progress.silent());
        assertEquals(-1, Files.mismatch(once.resolve("model.safetensors"), twice.resolve("model.safetensors")));
    }

    /// The third group of 32 lies in two blocks of 80 columns: all is rounded anew.
    @Test
    void groupsAcrossBlocksAreRounded() {
        Tensor codes = Tensors.of(i -> E4m3.value((byte) (i % 127)), DType.F8_E4M3, 3, 100);
        Tensor scales = Tensors.of(i -> 1 + i, DType.F32, 2, 2);
        Floats stored = new Floats(codes, scales, 2, 80);
        try (Device device = Device.host(1)) {
            Packed to = Packed.allocate(Packed.Element.FP8, 0, 3, 100, 32, Activations.FLOAT, device.memory());
            Packed expected = Packed.allocate(Packed.Element.FP8, 0, 3, 100, 32, Activations.FLOAT, device.memory());
            float[] row = new float[100];
            for (int i = 0; i < 3; i++) {
                stored.put(i, to, i);
                stored.row(i, row);
                expected.put(i, row);
            }
            Close.assertSame("values", expected.values(), to.values());
            Close.assertSame("scales", expected.scales(), to.scales());
        }
    }

    /// A NaN spoils its group of its row and nothing else.
    @Test
    void codesOfNanSpoilTheirGroup() {
        Tensor codes = Tensors.of(i -> i == 170 ? Double.NaN : i % 7, DType.F8_E4M3, 3, 100);
        Floats stored = new Floats(codes, Tensors.of(i -> 1 + i, DType.F32, 2, 2), 2, 64);
        try (Device device = Device.host(1)) {
            Packed to = Packed.allocate(Packed.Element.FP8, 0, 3, 100, 32, Activations.FLOAT, device.memory());
            for (int row = 0; row < 3; row++) {
                stored.put(row, to, row);
                for (int g = 0; g < 4; g++) {
                    double expected = 1 + row / 2 * 2 + g / 2;
                    assertEquals(row == 1 && g == 2 ? Double.NaN : expected, to.scale(row, g));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F8_E4M3", "F32"})
    void whatIsStoredIsKept(DType dtype) throws IOException {
        write(Fixture.all().findFirst().orElseThrow(), dtype);
        Storage expected = dtype == DType.F16 || dtype == DType.F32 ? Storage.float32() : Storage.bfloat16();
        try (Source source = Source.open(folder)) {
            assertEquals(expected, source.asStored());
        }
    }

    @Test
    void scalesAreDistrusted() throws IOException {
        Fixture fixture = Fixture.all().findFirst().orElseThrow();
        write(fixture, DType.F8_E4M3);
        Path config = folder.resolve("config.json");
        ObjectNode root = (ObjectNode) JSON.readTree(Files.readAllBytes(config));
        ObjectNode how = (ObjectNode) root.get("quantization_config");
        how.putArray("weight_block_size").add(ROWS).add(2 * COLUMNS);
        assertRefused(root, "by weight_block_size");
        how.putArray("weight_block_size").add(ROWS);
        assertRefused(root, "weight_block_size is [48], expected two sizes, as in [128, 128].");
        how.putArray("weight_block_size").add(0).add(1);
        assertRefused(root, "weight_block_size is [0,1], expected two sizes");
        how.put("fmt", "e5m2");
        assertRefused(root, "fmt is \"e5m2\", supported is e4m3.");
        how.put("quant_method", "gptq");
        assertRefused(root, "quant_method is \"gptq\", supported is fp8.");
        root.remove("quantization_config");
        assertRefused(root, "holds F8_E4M3, expected a matrix with");
    }

    private void assertRefused(ObjectNode config, String expected) throws IOException {
        Files.write(folder.resolve("config.json"), JSON.writeValueAsBytes(config));
        try (Device device = Device.host(1)) {
            Kernels kernels = Kernels.on(device.stream(), Backend.REFERENCE);
            String message =
                    Thrown.message(BadInput.class, () -> Model.load(folder, kernels, DType.F32, Progress.silent()));
            assertTrue(message.contains(expected), message);
        }
    }
}
