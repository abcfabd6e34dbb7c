package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(ProcessorRunsIt.class)
class EmbedTest {
    private static ModelConfig config() {
        return Models.longer(Models.config(6, Models.v3Moe(4, 2, 1), false, 1), 700);
    }

    /// Weights and sums are double, the result is float32.
    @Test
    void statesArePooled() {
        int[] ids = Models.ids(13, 2);
        try (Device device = Device.host(1);
                Model model = Models.uneven(config(), Kernels.on(device.stream(), Backend.REFERENCE), DType.F64, 1)) {
            double[][] states = new Plain(model).hidden(ids);
            double[] mean = IntStream.range(0, model.config().hiddenSize())
                    .mapToDouble(i ->
                            Arrays.stream(states).mapToDouble(row -> row[i]).sum() / ids.length)
                    .toArray();
            Map<Pooling, double[]> expected =
                    Map.of(Pooling.MEAN, mean, Pooling.LAST, states[12], Pooling.FIRST, states[0]);
            expected.forEach((pooling, state) -> {
                double length = Math.sqrt(Arrays.stream(state).map(v -> v * v).sum());
                float[] found = model.embed(List.of(ids), pooling).getFirst();
                assertEquals(state.length, found.length);
                for (int i = 0; i < found.length; i++) {
                    assertEquals(state[i] / length, found[i], 1e-7, pooling + " " + i);
                }
            });
        }
    }

    /// Texts that fill a chunk, pass it, or begin in the middle of one, on packed weights.
    @Test
    void manyAtOnceAreAsEachAlone(@TempDir Path temporary) {
        List<int[]> texts = IntStream.of(1, 64, 65, 400, 700, 513, 2, 30, 512)
                .mapToObj(length -> Models.ids(length, length % 5))
                .toList();
        try (Device device = Device.host(2)) {
            Kernels kernels = Kernels.on(device.stream(), Kernels.fastest(device));
            Path folder = temporary.resolve("model");
            try (Model plain = Models.uneven(config(), kernels, DType.F32, 3)) {
                plain.save(folder);
            }
            try (Model model = Model.open(folder, kernels, Storage.int8(), Progress.silent())) {
                for (Pooling pooling : Pooling.values()) {
                    List<float[]> together = model.embed(texts, pooling);
                    for (int i = 0; i < texts.size(); i++) {
                        float[] alone =
                                model.embed(List.of(texts.get(i)), pooling).getFirst();
                        assertArrayEquals(alone, together.get(i), pooling + " of text " + i);
                    }
                }
                assertEquals(List.of(), model.embed(List.of(), Pooling.MEAN));
            }
        }
    }

    @Test
    void whatHasNoVectorIsRefused() {
        try (Device device = Device.host(1);
                Model model = Model.create(config(), Kernels.on(device.stream()), DType.F32, 1)) {
            assertEquals(
                    "there are no tokens to read, expected one or more.",
                    Thrown.message(
                            BadInput.class, () -> model.embed(List.of(new int[] {1}, new int[0]), Pooling.MEAN)));
            assertEquals(
                    "token id 23 is not in the model's vocabulary of 23.",
                    Thrown.message(BadInput.class, () -> model.embed(List.of(new int[] {23}), Pooling.MEAN)));
            assertEquals(
                    "a text of 701 tokens is longer than max_position_embeddings (700).",
                    Thrown.message(BadInput.class, () -> model.embed(List.of(new int[701]), Pooling.MEAN)));
            model.parameters().stream()
                    .filter(parameter -> parameter.name().equals("model.norm.weight"))
                    .forEach(parameter -> parameter.value().set(2, Double.NaN));
            model.weightsChanged();
            assertEquals(
                    "the model gave no numbers: a text's state is NaN long. Its weights are damaged, or overflow in this"
                            + " precision; try float32.",
                    Thrown.message(BadInput.class, () -> model.embed(List.of(new int[] {1}), Pooling.MEAN)));
        }
    }

    @Test
    void sentenceTransformersSaysHowToPool(@TempDir Path folder) throws IOException {
        assertEquals(Pooling.MEAN, Pooling.of(folder));
        Path file = folder.resolve("1_Pooling").resolve("config.json");
        Files.createDirectory(folder.resolve("1_Pooling"));
        String all = "{\"word_embedding_dimension\": 12, \"include_prompt\": true, \"pooling_mode_mean_tokens\": %s,"
                + " \"pooling_mode_lasttoken\": %s, \"pooling_mode_cls_token\": %s, \"pooling_mode_max_tokens\": %s}";
        Files.writeString(file, all.formatted(true, false, false, false));
        assertEquals(Pooling.MEAN, Pooling.of(folder));
        Files.writeString(file, all.formatted(false, true, false, false));
        assertEquals(Pooling.LAST, Pooling.of(folder));
        Files.writeString(file, all.formatted(false, false, true, false));
        assertEquals(Pooling.FIRST, Pooling.of(folder));
        String supported =
                ", supported is one of pooling_mode_cls_token, pooling_mode_lasttoken, pooling_mode_mean_tokens.";
        Files.writeString(file, all.formatted(false, false, false, true));
        assertEquals(file + " asks for pooling_mode_max_tokens" + supported, refusal(folder));
        Files.writeString(file, all.formatted(true, true, false, false));
        assertEquals(
                file + " asks for pooling_mode_mean_tokens and pooling_mode_lasttoken" + supported, refusal(folder));
        Files.writeString(file, "[]");
        assertEquals(file + " asks for no pooling" + supported, refusal(folder));
        Files.writeString(file, all.formatted(1, false, false, false));
        assertEquals("pooling_mode_mean_tokens is 1, expected true or false.", refusal(folder));
    }

    private static String refusal(Path folder) {
        return Thrown.message(BadInput.class, () -> Pooling.of(folder));
    }
}
