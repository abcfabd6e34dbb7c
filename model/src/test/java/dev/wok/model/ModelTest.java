package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.notice.BadInput;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Reading texts in parts, and the same bits from the same seed.
class ModelTest {
    /// Of the logits' size, some units: the cached form multiplies in another order.
    private static final double LOGIT_ERROR = 2e-5;

    private final Device device = Device.host(2);
    private final Kernels kernels = Kernels.on(device.stream(), Kernels.fastest(device));

    @AfterEach
    void close() {
        device.close();
    }

    private static ModelConfig config() {
        return Models.longer(Models.config(6, Models.v3Moe(4, 2, 1), false, 1), 2048);
    }

    private static Tensor last(Tensor logits) {
        return logits.select(0, logits.dim(0) - 1);
    }

    private static void compare(String what, Tensor expected, float[] actual) {
        Close.assertClose(what, expected, Tensor.of(actual), LOGIT_ERROR);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 8, 20, 29})
    void everyChunkGivesTheSameLogits(int chunk) {
        int[] ids = Models.ids(29, 1);
        for (ModelConfig config : List.of(config(), Models.config(0, Models.v2Moe(1, 1, 0), true, 0))) {
            try (Model model = Model.create(config, kernels, DType.F32, 1);
                    Cache cache = model.cache(ids.length)) {
                Tensor expected = model.logits(ids);
                for (int from = 0; from < ids.length; from += chunk) {
                    int to = Math.min(ids.length, from + chunk);
                    float[] logits = model.extend(cache, Arrays.copyOfRange(ids, from, to));
                    assertEquals(to, cache.length());
                    compare("after " + to, expected.select(0, to - 1), logits);
                }
            }
        }
    }

    @Test
    void theCachedFormIsTheSameInDouble() {
        int[] ids = Models.ids(13, 2);
        try (Model model = Models.uneven(config(), Kernels.on(device.stream(), Backend.REFERENCE), DType.F64, 1);
                Cache cache = model.cache(ids.length)) {
            Tensor expected = model.logits(ids);
            for (int i = 0; i < ids.length; i++) {
                // The host's copy is float32; what comes before it is double.
                Tensor logits = Tensor.of(model.extend(cache, ids[i]));
                Close.assertClose("token " + i, expected.select(0, i), logits, 1e-6);
            }
        }
    }

    @Test
    void longTextsAreReadInParts() {
        int[] ids = Models.ids(1200, 3);
        try (Model model = Model.create(config(), kernels, DType.F32, 1);
                Cache cache = model.cache(1300)) {
            Tensor expected = model.logits(ids);
            compare("all at once", last(expected), model.extend(cache, ids));
            assertEquals(1200, cache.length());
            cache.truncate(0);
            model.extend(cache, Arrays.copyOf(ids, 100));
            compare("after 100", last(expected), model.extend(cache, Arrays.copyOfRange(ids, 100, 1200)));
        }
    }

    @Test
    void aTruncatedCacheGoesOnFromThere() {
        int[] ids = Models.ids(24, 4);
        try (Model model = Model.create(config(), kernels, DType.F32, 1);
                Cache cache = model.cache(24)) {
            float[] expected = model.extend(cache, ids);
            cache.truncate(9);
            model.extend(cache, Models.ids(15, 1));
            cache.truncate(9);
            assertEquals(9, cache.length());
            compare("again", Tensor.of(expected), model.extend(cache, Arrays.copyOfRange(ids, 9, 24)));
            assertEquals(
                    "a cache of 24 tokens cannot be cut to 25",
                    Thrown.message(IllegalArgumentException.class, () -> cache.truncate(25)));
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (Model model = Model.create(config(), kernels, DType.F32, 1);
                Cache cache = model.cache(4)) {
            float[] expected = model.extend(cache, 1, 2, 3);
            assertEquals(
                    "2 tokens do not fit after the 3 in a context of 4; ask for fewer tokens.",
                    Thrown.message(BadInput.class, () -> model.extend(cache, 4, 5)));
            assertEquals(
                    "token id 23 is not in the model's vocabulary of 23.",
                    Thrown.message(BadInput.class, () -> model.extend(cache, 23)));
            assertEquals(
                    "token id -1 is not in the model's vocabulary of 23.",
                    Thrown.message(BadInput.class, () -> model.logits(0, -1)));
            assertEquals(
                    "there are no tokens to read, expected one or more.",
                    Thrown.message(BadInput.class, () -> model.extend(cache)));
            assertEquals(3, cache.length());
            cache.truncate(0);
            assertArrayEquals(expected, model.extend(cache, 1, 2, 3));
        }
    }

    @Test
    void freshWeightsComeFromTheSeedAndTheName() {
        ModelConfig one = config();
        ModelConfig dense = Models.longer(Models.config(6, null, false, 0), 2048);
        try (Model a = Model.create(one, kernels, DType.F32, 7);
                Model b = Model.create(one, kernels, DType.F32, 7);
                Model c = Model.create(one, kernels, DType.F32, 8);
                Model d = Model.create(dense, kernels, DType.F32, 7)) {
            a.tensors().forEach((name, tensor) -> Close.assertSame(name, tensor, tensor(b, name)));
            for (Parameter parameter : a.parameters()) {
                double[] values = Tensors.values(parameter.value());
                if (parameter.decayed()) {
                    double deviation = Math.sqrt(
                            Arrays.stream(values).map(v -> v * v).average().orElseThrow());
                    assertEquals(0.3, deviation, 0.3 * 3 / Math.sqrt(2.0 * values.length), parameter.name());
                } else {
                    assertTrue(Arrays.stream(values).allMatch(v -> v == 1), parameter.name());
                }
            }
            String embedding = "model.embed_tokens.weight";
            Close.assertSame(embedding, tensor(a, embedding), tensor(d, embedding));
            assertTrue(
                    Math.abs(tensor(a, embedding).get(0) - tensor(c, embedding).get(0)) > 1e-6);
            assertEquals(
                    0,
                    tensor(a, "model.layers.1.mlp.gate.e_score_correction_bias").get(0));
        }
    }

    private static Tensor tensor(Model model, String name) {
        return Objects.requireNonNull(model.tensors().get(name), name);
    }

    /// Wide enough that work is split, with a tail that no block divides.
    @Test
    void theNumberOfThreadsChangesNoBit() {
        ModelConfig config = new ModelConfig(
                ModelConfig.Family.DEEPSEEK_V3,
                307,
                96,
                3,
                4,
                new MlaConfig(40, 24, 16, 8, 20),
                130,
                1,
                1,
                List.of(),
                new MoeConfig(16, 1, 3, 37, 4, 2, true, 2.5, Routing.Scoring.SIGMOID, true),
                new RopeConfig(10000, null),
                512,
                1e-6,
                0.05,
                false,
                1,
                0,
                List.of(1));
        Batch batch =
                Batch.of(IntStream.range(0, 203).map(i -> (i * i + 3 * i) % 307).toArray());
        List<float[]> one = results(config, batch, 1);
        for (int threads : new int[] {2, 3}) {
            List<float[]> more = results(config, batch, threads);
            for (int i = 0; i < one.size(); i++) {
                assertArrayEquals(one.get(i), more.get(i), "result %d on %d threads".formatted(i, threads));
            }
        }
    }

    private static List<float[]> results(ModelConfig config, Batch batch, int threads) {
        try (Device device = Device.host(threads);
                Model model = Model.create(config, Kernels.on(device.stream()), DType.F32, 3);
                Training training = model.training(new Training.Settings(1, batch.length(), 0.3, 1e-3));
                Cache cache = model.cache(batch.length())) {
            training.begin(batch.targetCount(), 1);
            training.accumulate(batch);
            Training.Result result = training.result();
            List<float[]> results = new ArrayList<>();
            results.add(new float[] {(float) result.loss(), (float) result.mtpLoss(), (float) result.balanceLoss()});
            training.gradients().forEach(g -> results.add(g.toFloats()));
            results.add(model.logits(batch.tokens()).toFloats());
            results.add(model.extend(cache, Arrays.copyOf(batch.tokens(), 150)));
            results.add(model.extend(cache, Arrays.copyOfRange(batch.tokens(), 150, 202)));
            results.add(model.extend(cache, batch.tokens()[202]));
            return results;
        }
    }
}
