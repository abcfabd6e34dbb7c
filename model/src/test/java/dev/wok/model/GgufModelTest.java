package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.Gguf;
import dev.wok.tensor.GgufParts;
import dev.wok.tensor.GgufType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.GgufConverter;
import dev.wok.testkit.GgufWriter;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// The fixtures, converted to GGUF files.
class GgufModelTest {
    @TempDir
    private Path folder;

    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    /// Older files have in one tensor what expands latents.
    static Stream<Arguments> inFloat32() {
        return Fixture.all()
                .flatMap(fixture -> fixture.toString().startsWith("deepseek")
                        ? Stream.of(Arguments.of(fixture, true), Arguments.of(fixture, false))
                        : Stream.of(Arguments.of(fixture, true)));
    }

    static Stream<Arguments> rounded() {
        return Fixture.all()
                .flatMap(fixture -> Stream.of(GgufType.F16, GgufType.BF16, GgufType.Q8_0, GgufType.Q4_0)
                        .map(type -> Arguments.of(fixture, type)));
    }

    private static Fixture fixture(String name) {
        return Fixture.all().filter(f -> f.toString().equals(name)).findFirst().orElseThrow();
    }

    private Path file() {
        return folder.resolve("model.gguf");
    }

    private Map<String, Tensor> write(Fixture fixture, GgufType type, boolean apart) throws IOException {
        GgufConverter.Converted converted = GgufConverter.convert(fixture.folder(), type, apart);
        converted.writer().write(file());
        return converted.values();
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("inFloat32")
    void isTheModelThatWasConverted(Fixture fixture, boolean apart) throws IOException {
        write(fixture, GgufType.F32, apart);
        assertEquals(ModelConfig.load(fixture.folder()), Model.config(file(), Progress.silent()));
        try (Device device = Device.host(2);
                Safetensors weights = fixture.open("model.safetensors");
                Safetensors expected = fixture.open("expected.safetensors")) {
            Kernels kernels = Kernels.on(device.stream(), Fixture.fastBackends().getLast());
            try (Model model = Model.load(file(), kernels, DType.F32, Progress.silent());
                    Model packed = Model.open(file(), kernels, Progress.silent())) {
                model.tensors().forEach((name, tensor) -> Close.assertSame(name, weights.tensor(name), tensor));
                List<int[]> sequences = fixture.sequences();
                for (int i = 0; i < sequences.size(); i++) {
                    Tensor logits = expected.tensor("seq%d.logits".formatted(i));
                    double bound = Fixture.TIMES_NOISE * fixture.noiseOfLogits();
                    Close.assertClose("loaded", logits, model.logits(sequences.get(i)), bound);
                    Close.assertClose("opened", logits, packed.logits(sequences.get(i)), bound);
                }
            }
        }
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("rounded")
    void weightsAreWhatIsStored(Fixture fixture, GgufType type) throws IOException {
        Map<String, Tensor> values = write(fixture, type, true);
        int[] ids = fixture.sequences().getFirst();
        try (Device device = Device.host(2)) {
            Kernels kernels = Kernels.on(device.stream(), Fixture.fastBackends().getLast());
            try (Model plain = Model.load(fixture.folder(), kernels, DType.F32, Progress.silent());
                    Model model = Model.load(file(), kernels, DType.F32, Progress.silent());
                    Model packed = Model.open(file(), kernels, Storage.float32(), Progress.silent())) {
                model.tensors()
                        .forEach((name, tensor) ->
                                Close.assertSame(name, Objects.requireNonNull(values.get(name)), tensor));
                plain.tensors().forEach((name, tensor) -> tensor.copyFrom(Objects.requireNonNull(values.get(name))));
                plain.weightsChanged();
                double bound = Fixture.TIMES_NOISE * fixture.noiseOfLogits();
                Close.assertClose("logits", plain.logits(ids), packed.logits(ids), bound);
            }
        }
    }

    /// Whole numbers are kept as they are, beside scales in bfloat16.
    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0"})
    void wholeNumbersStay(GgufType type) throws IOException {
        Fixture fixture = fixture("deepseek_v2_grouped_tiny");
        write(fixture, type, true);
        try (Device device = Device.host(1);
                Gguf gguf = Gguf.open(file());
                Model model = Model.open(
                        file(),
                        Kernels.on(device.stream(), Fixture.fastBackends().getLast()),
                        Progress.silent())) {
            assertSameIntegers(gguf, "blk.0.attn_q_a.weight", 0, model, "model.layers.0.self_attn.q_a_proj.weight");
            assertSameIntegers(gguf, "blk.0.ffn_up.weight", 0, model, "model.layers.0.mlp.up_proj.weight");
            String expert = "model.layers.2.mlp.experts.%d.down_proj.weight";
            assertSameIntegers(gguf, "blk.2.ffn_down_exps.weight", 5 * 128, model, expert.formatted(5));
            assertSameIntegers(gguf, "output.weight", 0, model, "lm_head.weight");
        }
    }

    private static void assertSameIntegers(Gguf gguf, String tensor, int from, Model model, String name) {
        Place.Rows place = (Place.Rows) Objects.requireNonNull(model.places().get(name));
        Packed weight = place.weight();
        assertEquals(gguf.type(tensor) == GgufType.Q8_0 ? Element.INT8 : Element.INT4, weight.element());
        for (int row = 0; row < place.count(); row++) {
            GgufParts parts = gguf.type(tensor).parts(gguf.data(tensor), (long) (from + row) * weight.k(), weight.k());
            for (int p = 0; p < weight.k(); p++) {
                assertEquals(parts.integers()[p], weight.value(place.from() + row, p));
            }
            for (int g = 0; g < weight.groups(); g++) {
                assertEquals(Bf16.round(parts.scales()[g]), weight.scale(place.from() + row, g));
            }
        }
    }

    /// Rows that the converter reorders bring their whole numbers along.
    @Test
    void wholeNumbersOfLlamaStay() throws IOException {
        Map<String, Tensor> values = write(fixture("llama_tiny"), GgufType.Q4_0, true);
        try (Device device = Device.host(1);
                Model model = Model.open(file(), Kernels.on(device.stream(), Backend.REFERENCE), Progress.silent())) {
            String name = "model.layers.1.self_attn.k_proj.weight";
            Place.Rows place =
                    (Place.Rows) Objects.requireNonNull(model.places().get(name));
            Tensor value = Objects.requireNonNull(values.get(name));
            for (int row = 0; row < place.count(); row++) {
                for (int p = 0; p < value.size(1); p++) {
                    double found = place.weight().value(place.from() + row, p)
                            * place.weight().scale(place.from() + row, p / GgufRows.GROUP);
                    double expected = value.get(value.offset(row, p));
                    assertEquals(expected, found, Math.abs(expected) * 0x1p-8);
                }
            }
        }
    }

    @Test
    void convertsToAFolderThatIsMapped() throws IOException {
        Fixture fixture = fixture("deepseek_v3_tiny");
        write(fixture, GgufType.Q4_0, true);
        Path target = folder.resolve("converted");
        try (Source source = Source.open(file())) {
            Model.convert(file(), target, source.asStored(), _ -> {}, Progress.silent());
        }
        int[] ids = fixture.sequences().getFirst();
        try (Device device = Device.host(1)) {
            Kernels kernels = Kernels.on(device.stream(), Backend.REFERENCE);
            try (Model read = Model.open(file(), kernels, Progress.silent());
                    Model mapped = Model.open(target, kernels, Progress.silent())) {
                Close.assertSame("logits", read.logits(ids), mapped.logits(ids));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"Q4_K", "Q5_K", "Q6_K"})
    void otherTypesAreRead(GgufType type) throws IOException {
        Fixture fixture = fixture("llama_tiny");
        GgufWriter writer =
                GgufConverter.convert(fixture.folder(), GgufType.Q8_0, true).writer();
        String tensor = "blk.1.ffn_down.weight";
        byte[] blocks = blocks(type, 128);
        writer.tensor(tensor, type, blocks, 128, 256).write(file());
        try (Device device = Device.host(1);
                Gguf gguf = Gguf.open(file())) {
            Kernels kernels = Kernels.on(device.stream(), Backend.REFERENCE);
            try (Model model = Model.load(file(), kernels, DType.F32, Progress.silent());
                    Model packed = Model.open(file(), kernels, Progress.silent())) {
                float[] expected = new float[128 * 256];
                type.dequantize(gguf.data(tensor), 0, expected, expected.length);
                String name = "model.layers.1.mlp.down_proj.weight";
                Tensor found = Objects.requireNonNull(model.tensors().get(name));
                Close.assertSame(name, Tensors.of(i -> expected[(int) i], DType.F32, 128, 256), found);
                Place.Rows place =
                        (Place.Rows) Objects.requireNonNull(packed.places().get(name));
                assertEquals(Element.INT8, place.weight().element());
                double largest = 0;
                double furthest = 0;
                for (int i = 0; i < expected.length; i++) {
                    double value = place.weight().value(i / 256, i % 256)
                            * place.weight().scale(i / 256, i % 256 / GgufRows.GROUP);
                    largest = Math.max(largest, Math.abs(expected[i]));
                    furthest = Math.max(furthest, Math.abs(expected[i] - value));
                }
                assertTrue(furthest <= largest / 200, "off by %s of %s".formatted(furthest, largest));
            }
        }
    }

    /// Random integers under small scales.
    private static byte[] blocks(GgufType type, int count) {
        Rng rng = new Rng(5);
        ByteBuffer bytes = ByteBuffer.allocate(count * type.blockBytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < bytes.capacity(); i++) {
            bytes.put(i, (byte) (rng.uniform(i) * 256));
        }
        for (int block = 0; block < count; block++) {
            int at = block * type.blockBytes();
            short scale = Float.floatToFloat16(1e-3f);
            if (type == GgufType.Q6_K) {
                bytes.putShort(at + type.blockBytes() - 2, scale);
            } else {
                bytes.putShort(at, scale).putShort(at + 2, scale);
            }
        }
        return bytes.array();
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "Q8_0", "Q4_0"})
    void whatIsStoredIsKept(GgufType type) throws IOException {
        write(fixture("qwen2_tiny"), type, true);
        Element expected = switch (type) {
            case Q4_0 -> Element.INT4;
            case Q8_0 -> Element.INT8;
            case BF16 -> Element.BF16;
            default -> Element.F32;
        };
        try (Source source = Source.open(file())) {
            assertEquals(expected, source.asStored().matrices());
            assertTrue(!expected.isWhole() || source.asStored().group() == GgufRows.GROUP);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void partsAreTheWhole(Fixture fixture) throws IOException {
        write(fixture, GgufType.Q8_0, true);
        Inspection found = Inspection.of(file(), Progress.silent());
        Inspection original = Inspection.of(fixture.folder(), Progress.silent());
        assertEquals(original.config(), found.config());
        assertEquals(original.parts().keySet(), found.parts().keySet());
        found.parts()
                .forEach((part, size) -> assertEquals(
                        Objects.requireNonNull(original.parts().get(part)).parameters(),
                        size.parameters(),
                        part.name()));
        assertTrue(found.tensors().stream().anyMatch(entry -> entry.type().equals("Q8_0")));
    }

    @Test
    void aFolderMayHoldOne() throws IOException {
        Fixture fixture = fixture("qwen2_tiny");
        write(fixture, GgufType.F16, true);
        Files.writeString(folder.resolve("README.md"), "a model");
        assertEquals(ModelConfig.load(fixture.folder()), Model.config(folder, Progress.silent()));
        Files.copy(file(), folder.resolve("again.gguf"));
        String message = Thrown.message(BadInput.class, () -> Model.config(folder, Progress.silent()));
        assertTrue(message.contains("holds 2 models, again.gguf among them; give one of the files."), message);
        Files.move(file(), folder.resolve("nameless"));
        assertEquals(ModelConfig.load(fixture.folder()), Model.config(folder.resolve("nameless"), Progress.silent()));
    }

    @Test
    void multiTokenPredictionIsLeftOut() throws IOException {
        Fixture fixture = fixture("deepseek_v3_tiny");
        GgufWriter writer =
                GgufConverter.convert(fixture.folder(), GgufType.F32, true).writer();
        writer.whole("deepseek2.block_count", 5).whole("deepseek2.nextn_predict_layers", 1);
        writer.tensor("blk.4.nextn.enorm.weight", GgufType.F32, new byte[512], 128);
        writer.write(file());
        List<String> said = new ArrayList<>();
        Progress progress = new Progress() {
            @Override
            public Task start(String name, long total, String unit) {
                return Progress.silent().start(name, total, unit);
            }

            @Override
            public void say(String message) {
                said.add(message);
            }
        };
        assertEquals(ModelConfig.load(fixture.folder()), Model.config(file(), progress));
        assertEquals(1, said.size());
        assertTrue(said.getFirst().contains("multi-token prediction"), said.getFirst());
    }

    /// Files from before llama.cpp knew of groups do not say how the released models have them.
    @Test
    void groupsOfReleasedModels() throws IOException {
        GgufWriter writer = GgufConverter.convert(fixture("deepseek_v3_tiny").folder(), GgufType.F32, false)
                .writer();
        writer.without("deepseek2.expert_group_count").without("deepseek2.expert_group_used_count");
        writer.write(file());
        MoeConfig moe =
                Objects.requireNonNull(Model.config(file(), Progress.silent()).moe());
        assertEquals(1, moe.nGroup());
        writer.whole("deepseek2.expert_count", 256).write(file());
        try (Gguf gguf = Gguf.open(file())) {
            MoeConfig released =
                    Objects.requireNonNull(GgufConfig.of(file(), gguf).moe());
            assertEquals(8, released.nGroup());
            assertEquals(4, released.topkGroup());
        }
    }

    @Test
    void metadataIsDistrusted() throws IOException {
        refused(
                "qwen2_tiny",
                w -> w.without("qwen2.block_count"),
                "qwen2.block_count is missing, expected a whole number.");
        refused(
                "qwen2_tiny",
                w -> w.text("general.architecture", "gemma"),
                "general.architecture is \"gemma\", supported are deepseek2, qwen2, llama, qwen3moe.");
        refused("qwen2_tiny", w -> w.without("general.architecture"), "general.architecture is missing, supported are");
        refused(
                "qwen2_tiny",
                w -> w.wholes("qwen2.attention.head_count_kv", List.of(2, 2, 2)),
                "qwen2.attention.head_count_kv is \"a list of 3\", expected a whole number.");
        refused(
                "qwen2_tiny",
                w -> w.text("qwen2.rope.scaling.type", "longrope"),
                "qwen2.rope.scaling.type is \"longrope\", supported are none, linear and yarn.");
        refused(
                "qwen2_tiny",
                w -> w.without("qwen2.vocab_size"),
                "qwen2.vocab_size is missing, expected a whole number.");
        refused("qwen2_tiny", w -> w.whole("qwen2.vocab_size", 511), "token_embd.weight is [512, 128], expected");
        refused("qwen2_tiny", w -> w.whole("qwen2.block_count", 4000), "tensors, too few for 4000 layers.");
        refused("qwen2_tiny", w -> w.whole("qwen2.block_count", 4), "tensor blk.3.attn_norm.weight is missing.");
        refused("qwen2_tiny", w -> w.whole("qwen2.expert_count", 8), "qwen2.expert_count is 8, supported is 0.");
        refused(
                "qwen2_tiny",
                w -> w.whole("qwen2.rope.dimension_count", 16),
                "qwen2.rope.dimension_count is 16, supported is a head's length (32).");
        refused(
                "deepseek_v3_tiny",
                w -> w.whole("deepseek2.expert_gating_func", 3),
                "deepseek2.expert_gating_func is 3, supported is 1 (softmax) or 2 (sigmoid).");
        refused(
                "deepseek_v3_tiny",
                w -> w.whole("deepseek2.expert_count", 32),
                "tensor blk.1.ffn_down_exps.weight is F32[16, 128, 24], expected 32 matrices, one for each expert.");
        refused(
                "deepseek_v3_tiny",
                w -> w.whole("deepseek2.attention.key_length_mla", 20),
                "blk.0.attn_q_b.weight is [96, 48], expected [80, 48] by the metadata.");
        refused(
                "llama_tiny",
                w -> w.text("llama.rope.scaling.type", "yarn").number("llama.rope.scaling.factor", 2),
                "llama.rope.scaling.type is \"yarn\", supported is none beside rope_freqs.weight.");
    }

    @Test
    void tensorsAreDistrusted() throws IOException {
        refused("qwen2_tiny", w -> w.without("blk.1.ffn_up.weight"), "tensor blk.1.ffn_up.weight is missing.");
        refused(
                "qwen2_tiny",
                w -> w.tensor("blk.1.ffn_up.weight", GgufType.F32, new byte[512], 1, 128),
                "blk.1.ffn_up.weight is [1, 128], expected [256, 128] by the metadata.");
        refused(
                "qwen2_tiny",
                w -> w.tensor("blk.1.attn_q_norm.weight", GgufType.F32, new byte[128], 32),
                "tensor blk.1.attn_q_norm.weight is not part of a qwen2 model with this metadata.");
        refused(
                "deepseek_v3_tiny",
                w -> w.tensor("blk.1.attn_k_b.weight", GgufType.F32, new byte[4 * 16 * 32 * 4], 4, 16, 32),
                "blk.1.attn_k_b.weight and blk.1.attn_v_b.weight is F32[4, 16, 32], expected [4, 32, 16] by the metadata.");
        refused(
                "deepseek_v3_tiny",
                w -> w.without("blk.2.attn_v_b.weight"),
                "tensor blk.2.attn_v_b.weight is missing.");
        refused(
                "llama_tiny",
                w -> w.tensor("rope_freqs.weight", GgufType.F32, new byte[16], 4),
                "tensor rope_freqs.weight is F32[4], expected F32[8], a factor for each pair of a head.");
        refused(
                "llama_tiny",
                w -> w.tensor("rope_freqs.weight", GgufType.F32, new byte[32], 8),
                "tensor rope_freqs.weight divides frequency 0 by 0.0, expected 1.0, as Llama 3 does.");
    }

    private void refused(String fixture, Consumer<GgufWriter> change, String expected) throws IOException {
        GgufWriter writer = GgufConverter.convert(fixture(fixture).folder(), GgufType.F32, true)
                .writer();
        change.accept(writer);
        writer.write(file());
        String message = Thrown.message(BadInput.class, () -> Model.config(file(), Progress.silent()));
        assertTrue(message.startsWith(file().toString()), message);
        assertTrue(message.contains(expected), message);
        assertEquals(1, message.lines().count());
    }
}
