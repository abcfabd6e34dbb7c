package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/// What a loaded model computes, against transformers: see [Fixture].
@ExtendWith(ProcessorRunsIt.class)
class FixtureTest {
    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    static Stream<Arguments> onFastAndDouble() {
        return Stream.concat(Fixture.onFast(), Fixture.onReference(DType.F64));
    }

    static Stream<Arguments> onReferenceInFloat32() {
        return Fixture.onReference(DType.F32);
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onFastAndDouble")
    void logitsAndLosses(Fixture fixture, Fixture.On on) {
        double bound = Fixture.TIMES_NOISE * fixture.noiseOfLogits();
        try (Fixture.Loaded loaded = fixture.load(on);
                Safetensors tensors = fixture.open("expected.safetensors")) {
            List<int[]> sequences = fixture.sequences();
            for (int i = 0; i < sequences.size(); i++) {
                Tensor logits = loaded.model().logits(sequences.get(i));
                Close.assertClose("logits " + i, tensors.tensor("seq%d.logits".formatted(i)), logits, bound);
                Batch batch = Batch.of(sequences.get(i));
                try (Training training = loaded.model().training(new Training.Settings(1, batch.length(), 0, 0))) {
                    double loss = training.evaluate(batch) / batch.targetCount();
                    assertEquals(fixture.sequence(i).required("loss").asDouble(), loss, bound);
                }
            }
        }
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onFastAndDouble")
    void layersAndChosenExperts(Fixture fixture, Fixture.On on) {
        try (Fixture.Loaded loaded = fixture.load(on);
                Safetensors tensors = fixture.open("expected.safetensors");
                Memory memory = loaded.memory()) {
            Network network = Ties.network(loaded.model(), memory);
            List<int[]> sequences = fixture.sequences();
            for (int i = 0; i < sequences.size(); i++) {
                compareLayers(network, Workspace.of(memory, 64 << 20), sequences.get(i), i, tensors, fixture);
            }
        }
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onReferenceInFloat32")
    void theSameOnReferenceInFloat32(Fixture fixture, Fixture.On on) {
        logitsAndLosses(fixture, on);
        layersAndChosenExperts(fixture, on);
    }

    private static void compareLayers(
            Network network, Workspace workspace, int[] ids, int sequence, Safetensors tensors, Fixture fixture) {
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
                Fixture.ints(fixture.expected().required("moe_layers")),
                moe.stream().mapToInt(i -> i).toArray());
    }

    /// The fixtures order a token's experts by weight, we by the score that chose them: compared by expert.
    private static void compareChoice(String prefix, RouterLayer.Saved router, Safetensors tensors) {
        int[] wanted = tensors.tensor(prefix + "experts").toInts();
        float[] wantedWeights = tensors.tensor(prefix + "weights").toFloats();
        int[] chosen = router.chosen().toInts();
        float[] weights = router.weights().toFloats();
        int topK = router.chosen().size(1);
        assertEquals(wanted.length, chosen.length);
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

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void greedyContinuations(Fixture fixture) {
        greedyContinuations(fixture, new Fixture.On(Fixture.fastBackends().getLast(), DType.F32, 2));
    }

    static void greedyContinuations(Fixture fixture, Fixture.On on) {
        try (Fixture.Loaded loaded = fixture.load(on)) {
            List<int[]> sequences = fixture.sequences();
            for (int i = 0; i < sequences.size(); i++) {
                int[] greedy = Fixture.ints(fixture.sequence(i).required("greedy"));
                int[] prompt = sequences.get(i);
                for (int firstPart : new int[] {prompt.length, prompt.length / 2, 1}) {
                    continueGreedily(loaded.model(), prompt, firstPart, greedy);
                }
            }
        }
    }

    /// @param firstPart how much of the prompt is read at once; the rest follows at once, or one by one after 1
    private static void continueGreedily(Model model, int[] prompt, int firstPart, int[] greedy) {
        try (Cache cache = model.cache(prompt.length + greedy.length)) {
            float[] logits = model.extend(cache, Arrays.copyOf(prompt, firstPart));
            for (int at = firstPart; at < prompt.length; ) {
                int to = firstPart == 1 ? at + 1 : prompt.length;
                logits = model.extend(cache, Arrays.copyOfRange(prompt, at, to));
                at = to;
            }
            for (int id : greedy) {
                assertEquals(id, largestIndex(logits), "after %d tokens".formatted(cache.length()));
                logits = model.extend(cache, id);
            }
        }
    }

    private static int largestIndex(float[] values) {
        int best = 0;
        for (int v = 1; v < values.length; v++) {
            best = values[v] > values[best] ? v : best;
        }
        return best;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void bothSpellingsOfTheConfiguration(Fixture fixture, @TempDir Path other) throws IOException {
        Files.copy(fixture.folder().resolve("config_transformers5.json"), other.resolve("config.json"));
        ModelConfig config = ModelConfig.load(fixture.folder());
        assertEquals(config, ModelConfig.load(other));
        Files.write(other.resolve("config.json"), ConfigJson.write(config));
        assertEquals(config, ModelConfig.load(other));
        JsonNode rope = fixture.expected().required("rope");
        float[] frequencies = config.rope().frequencies(config.attention().rotaryDim());
        assertEquals(rope.required("inv_freq").size(), frequencies.length);
        for (int i = 0; i < frequencies.length; i++) {
            double wanted = rope.required("inv_freq").get(i).asDouble();
            assertEquals(wanted, frequencies[i], Math.ulp((float) wanted));
        }
        assertEquals(
                rope.required("attention_scaling").asDouble(), config.rope().attentionScaling(), 1e-12);
        assertEquals(
                rope.required("softmax_scale").asDouble(),
                config.rope().softmaxScale(config.attention().qkHeadDim()),
                1e-12);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void parametersAreCounted(Fixture fixture) {
        try (Safetensors tensors = fixture.open("model.safetensors")) {
            long stored = tensors.names().stream()
                    .filter(name -> !name.endsWith("e_score_correction_bias"))
                    .mapToLong(name -> tensors.tensor(name).elements())
                    .sum();
            assertEquals(stored, ModelConfig.load(fixture.folder()).parameters());
        }
    }
}
