package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/* What transformers and PyTorch compute in float32 from the same weights.
 *
 * Each fixture states how far two equally valid float32 computations of it lie apart (its noise). Ours is a third one,
 * so it may lie on the other side of either: a few times the noise. The factor 8 is that, with room for the longer sums
 * of the vector kernels; a wrong formula misses by thousands.
 */
class FixtureTest {
    private static final double TIMES_NOISE = 8;

    /// Gradients come from twice as many roundings as logits, and their noise is not in the fixtures: float32 sums over
    /// some hundreds of products are good to about 1e-5 of the tensor's norm.
    private static final double GRADIENT_ERROR = 2e-5;

    private static final ObjectMapper JSON = new ObjectMapper();

    static Stream<String> fixtures() {
        return Stream.of("deepseek_v3_tiny", "deepseek_v2_tiny", "deepseek_v2_grouped_tiny");
    }

    static Stream<Arguments> fixturesAndBackends() {
        return fixtures()
                .flatMap(f -> Stream.of(
                        Arguments.of(f, Backend.VECTOR, DType.F32), Arguments.of(f, Backend.REFERENCE, DType.F64)));
    }

    private static Path folder(String name) {
        URL url = Objects.requireNonNull(FixtureTest.class.getResource("/fixtures/" + name + "/config.json"));
        try {
            return Objects.requireNonNull(Path.of(url.toURI()).getParent());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static JsonNode expected(Path folder) {
        try {
            return JSON.readTree(Files.readAllBytes(folder.resolve("expected.json")));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
    }

    private static List<int[]> sequences(JsonNode expected) {
        List<int[]> sequences = new ArrayList<>();
        expected.required("seqs").forEach(s -> sequences.add(ints(s.required("ids"))));
        return sequences;
    }

    private record Loaded(Device device, Model model) implements AutoCloseable {
        static Loaded of(Path folder, Backend backend, DType dtype) {
            Device device = Device.host(backend == Backend.VECTOR ? 2 : 1);
            return new Loaded(
                    device, Model.load(folder, Kernels.on(device.stream(), backend), dtype, Progress.silent()));
        }

        @Override
        public void close() {
            model.close();
            device.close();
        }
    }

    @ParameterizedTest
    @MethodSource("fixturesAndBackends")
    void logitsAndLosses(String name, Backend backend, DType dtype) {
        Path folder = folder(name);
        JsonNode expected = expected(folder);
        double noise = expected.required("noise_logits_max_abs").asDouble();
        try (Loaded loaded = Loaded.of(folder, backend, dtype);
                Safetensors tensors = Safetensors.open(folder.resolve("expected.safetensors"))) {
            List<int[]> sequences = sequences(expected);
            for (int i = 0; i < sequences.size(); i++) {
                Tensor logits = loaded.model.logits(sequences.get(i));
                Close.assertClose(
                        "logits " + i, tensors.tensor("seq%d.logits".formatted(i)), logits, TIMES_NOISE * noise);
                Batch batch = Batch.of(sequences.get(i));
                try (Training training = loaded.model.training(new Training.Settings(1, batch.length(), 0, 0))) {
                    double loss = training.evaluate(batch) / batch.targetCount();
                    assertEquals(
                            expected.required("seqs").get(i).required("loss").asDouble(), loss, TIMES_NOISE * noise);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixturesAndBackends")
    void layersAndChosenExperts(String name, Backend backend, DType dtype) {
        Path folder = folder(name);
        JsonNode expected = expected(folder);
        try (Loaded loaded = Loaded.of(folder, backend, dtype);
                Safetensors tensors = Safetensors.open(folder.resolve("expected.safetensors"));
                Memory memory = loaded.device.memory()) {
            Network network = new Network(loaded.model.config(), loaded.model.kernels(), memory, dtype);
            network.weights
                    .named()
                    .forEach((key, tensor) -> tensor.copyFrom(
                            Objects.requireNonNull(loaded.model.tensors().get(key))));
            List<int[]> sequences = sequences(expected);
            for (int i = 0; i < sequences.size(); i++) {
                compareLayers(network, Workspace.of(memory, 64 << 20), sequences.get(i), i, tensors, expected);
            }
        }
    }

    private static void compareLayers(
            Network network, Workspace workspace, int[] ids, int sequence, Safetensors tensors, JsonNode expected) {
        Pass p = network.pass(workspace, Batch.of(ids).positions(), new int[ids.length]);
        RouterLayer.Balance balance = network.unwatched(workspace);
        Network.Saved saved = network.forward(
                p, network.ints(workspace, ids), Collections.nCopies(network.config.numHiddenLayers(), balance));
        List<Integer> moe = new ArrayList<>();
        for (int layer = 0; layer < saved.saved().size(); layer++) {
            String prefix = "seq%d.layer%d.".formatted(sequence, layer);
            Tensor out = layer + 1 < saved.saved().size()
                    ? saved.saved().get(layer + 1).x()
                    : saved.out();
            if (sequence == 0) {
                // A layer's output is of the size of its sums: float32 keeps about 1e-6 of the largest.
                Close.assertClose(prefix, tensors.tensor(prefix + "out"), out, 1e-5 * largest(out));
            }
            if (saved.saved().get(layer).feedForward() instanceof DecoderLayer.FeedForwardSaved.Moe(var experts)) {
                moe.add(layer);
                compareChoice(prefix, experts.router(), tensors);
            }
        }
        if (sequence == 0) {
            assertArrayEquals(
                    tensors.tensor("seq0.embed").toFloats(),
                    saved.saved().getFirst().x().toFloats());
        }
        assertArrayEquals(
                ints(expected.required("moe_layers")),
                moe.stream().mapToInt(i -> i).toArray());
    }

    /// The fixtures order a token's experts by weight, we by the score that chose them: compared by expert.
    private static void compareChoice(String prefix, RouterLayer.Saved router, Safetensors tensors) {
        int[] wanted = tensors.tensor(prefix + "experts").toInts();
        float[] wantedWeights = tensors.tensor(prefix + "weights").toFloats();
        int[] chosen = router.chosen().toInts();
        float[] weights = router.weights().toFloats();
        int topK = router.chosen().size(1);
        for (int t = 0; t < chosen.length; t += topK) {
            Map<Integer, Float> expected = new TreeMap<>();
            Map<Integer, Float> actual = new TreeMap<>();
            for (int k = t; k < t + topK; k++) {
                expected.put(wanted[k], wantedWeights[k]);
                actual.put(chosen[k], weights[k]);
            }
            assertEquals(expected.keySet(), actual.keySet(), prefix + "experts of token " + t / topK);
            expected.forEach((expert, weight) -> assertEquals(weight, actual.getOrDefault(expert, 0f), 1e-5f * weight));
        }
    }

    private static double largest(Tensor tensor) {
        double largest = 0;
        for (float value : tensor.toFloats()) {
            largest = Math.max(largest, Math.abs(value));
        }
        return largest;
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void greedyContinuations(String name) {
        Path folder = folder(name);
        JsonNode expected = expected(folder);
        try (Loaded loaded = Loaded.of(folder, Backend.VECTOR, DType.F32)) {
            List<int[]> sequences = sequences(expected);
            for (int i = 0; i < sequences.size(); i++) {
                int[] greedy = ints(expected.required("seqs").get(i).required("greedy"));
                int[] prompt = sequences.get(i);
                try (Cache cache = loaded.model.cache(prompt.length + greedy.length)) {
                    float[] logits = loaded.model.extend(cache, prompt);
                    for (int id : greedy) {
                        int best = 0;
                        for (int v = 1; v < logits.length; v++) {
                            best = logits[v] > logits[best] ? v : best;
                        }
                        assertEquals(id, best, "sequence %d after %d tokens".formatted(i, cache.length()));
                        logits = loaded.model.extend(cache, id);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fixturesAndBackends")
    void everyGradient(String name, Backend backend, DType dtype) {
        Path folder = folder(name);
        JsonNode expected = expected(folder);
        Batch batch = Batch.of(
                sequences(expected).get(expected.required("grads_of_seq").asInt()));
        try (Loaded loaded = Loaded.of(folder, backend, dtype);
                Training training = loaded.model.training(new Training.Settings(1, batch.length(), 0, 0));
                Safetensors firsts = Safetensors.open(folder.resolve("expected_grads.safetensors"))) {
            training.begin(batch.targetCount(), 1);
            training.accumulate(batch);
            JsonNode grads = expected.required("grads");
            int compared = 0;
            for (Map.Entry<String, JsonNode> entry : grads.properties()) {
                Tensor gradient = training.gradient(entry.getKey());
                double norm = entry.getValue().required("norm").asDouble();
                double squares = 0;
                double sum = 0;
                for (float value : gradient.toFloats()) {
                    squares += (double) value * value;
                    sum += value;
                }
                String what = name + " " + entry.getKey();
                assertEquals(norm, Math.sqrt(squares), GRADIENT_ERROR * norm, what + " norm");
                // The errors of n elements are of the size norm / sqrt(n) each, and add up to sqrt(n) of them.
                assertEquals(
                        entry.getValue().required("sum").asDouble(),
                        sum,
                        GRADIENT_ERROR * norm * Math.sqrt(gradient.elements()),
                        what + " sum");
                Close.assertClose(
                        what, firsts.tensor(entry.getKey()), samples(gradient.toFloats()), GRADIENT_ERROR * norm);
                compared++;
            }
            long parameters = loaded.model.tensors().keySet().stream()
                    .filter(key -> !key.endsWith("e_score_correction_bias"))
                    .count();
            assertEquals(parameters, compared);
        }
    }

    /// What the fixtures keep of a gradient: all of a short one, else the first 64 and 64 evenly spread.
    private static Tensor samples(float[] gradient) {
        if (gradient.length <= 128) {
            return Tensor.of(gradient);
        }
        float[] samples = Arrays.copyOf(gradient, 128);
        for (int i = 0; i < 64; i++) {
            samples[64 + i] = gradient[i * (gradient.length / 64)];
        }
        return Tensor.of(samples);
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void adamwTrajectory(String name) {
        Path folder = folder(name);
        JsonNode adamw = expected(folder).required("adamw");
        double noise = adamw.required("noise_losses_max_abs").asDouble();
        JsonNode losses = adamw.required("losses");
        Batch batch = join(adamw.required("batch"));
        try (Loaded loaded = Loaded.of(folder, Backend.VECTOR, DType.F32);
                Memory memory = loaded.device.memory();
                Training training =
                        loaded.model.training(new Training.Settings(batch.sequences(), batch.length(), 0, 0))) {
            List<Tensor> means = like(loaded.model, memory);
            List<Tensor> squares = like(loaded.model, memory);
            Tensor normAndClip = memory.tensor(DType.F32, 2);
            for (int step = 0; step < losses.size(); step++) {
                training.begin(batch.targetCount(), batch.sequences());
                training.accumulate(batch);
                // An error of one step is carried into the next: the bound grows by a noise each step.
                double loss = training.result().loss();
                assertEquals(losses.get(step).asDouble(), loss, (TIMES_NOISE + step) * noise * 2, "step " + step);
                if (step < adamw.required("grad_norms").size()) {
                    AdamW kernel = loaded.model.kernels().adamW();
                    kernel.clip(
                            training.gradients(),
                            adamw.required("clip_grad_norm").asDouble(),
                            normAndClip);
                    double norm = adamw.required("grad_norms").get(step).asDouble();
                    assertEquals(norm, normAndClip.get(0), 1e-4 * norm, "norm of step " + step);
                    update(kernel, loaded.model, training, adamw, step + 1, means, squares, normAndClip);
                }
            }
        }
    }

    private static void update(
            AdamW kernel,
            Model model,
            Training training,
            JsonNode adamw,
            int step,
            List<Tensor> means,
            List<Tensor> squares,
            Tensor normAndClip) {
        for (int i = 0; i < means.size(); i++) {
            Parameter parameter = model.parameters().get(i);
            AdamW.Step constants = new AdamW.Step(
                    adamw.required("lr").asDouble(),
                    adamw.required("betas").get(0).asDouble(),
                    adamw.required("betas").get(1).asDouble(),
                    adamw.required("eps").asDouble(),
                    parameter.decayed() ? adamw.required("weight_decay").asDouble() : 0,
                    step);
            kernel.update(
                    constants,
                    parameter.value(),
                    training.gradients().get(i),
                    means.get(i),
                    squares.get(i),
                    normAndClip);
        }
    }

    private static List<Tensor> like(Model model, Memory memory) {
        return model.parameters().stream()
                .map(p -> memory.tensor(DType.F32, p.value().shape()))
                .toList();
    }

    private static Batch join(JsonNode sequences) {
        int length = sequences.get(0).size();
        int count = sequences.size();
        int[] tokens = new int[count * length];
        int[] targets = new int[count * length];
        int[] positions = new int[count * length];
        int[] keyStart = new int[count * length];
        for (int i = 0; i < tokens.length; i++) {
            JsonNode sequence = sequences.get(i / length);
            positions[i] = i % length;
            keyStart[i] = i - positions[i];
            tokens[i] = sequence.get(positions[i]).asInt();
            targets[i] =
                    positions[i] + 1 < length ? sequence.get(positions[i] + 1).asInt() : -1;
        }
        return new Batch(count, length, tokens, targets, positions, keyStart);
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void bothSpellingsOfTheConfiguration(String name, @TempDir Path other) throws IOException {
        Path folder = folder(name);
        Files.copy(
                folder.resolve("config_transformers5.json"),
                other.resolve("config.json"),
                StandardCopyOption.REPLACE_EXISTING);
        ModelConfig config = ModelConfig.load(folder);
        assertEquals(config, ModelConfig.load(other));
        Files.write(other.resolve("config.json"), ConfigJson.write(config));
        assertEquals(config, ModelConfig.load(other));
        JsonNode rope = expected(folder).required("rope");
        float[] frequencies = config.rope().frequencies(config.mla().qkRopeHeadDim());
        for (int i = 0; i < frequencies.length; i++) {
            double wanted = rope.required("inv_freq").get(i).asDouble();
            assertEquals(wanted, frequencies[i], Math.ulp((float) wanted));
        }
        assertEquals(
                rope.required("attention_scaling").asDouble(), config.rope().attentionScaling(), 1e-12);
        assertEquals(
                rope.required("softmax_scale").asDouble(),
                config.rope().softmaxScale(config.mla().qkHeadDim()),
                1e-12);
        assertTrue(config.parameters() > 0);
    }
}
