package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A text read in parts, from what the earlier parts left in the cache, is as one that is read at once.
class CacheTest {
    /// Of logits of a few units. The absorbed form multiplies in another order, and float32 keeps 1e-7 of each product.
    private static final double FLOAT32 = 5e-5;

    private final Device device = Device.host(2);
    private final Kernels kernels = Kernels.on(device.stream(), Backend.VECTOR);

    @AfterEach
    void close() {
        device.close();
    }

    private Model model() {
        return Model.create(Models.config(6, Models.v3Moe(1, 1, 1), false, 1), kernels, DType.F32, 3);
    }

    static Stream<ModelConfig> configs() {
        return Stream.of(
                Models.config(6, Models.v3Moe(4, 2, 1), false, 0),
                Models.config(0, Models.v2Moe(1, 1, 0), true, 0),
                Models.config(0, null, false, 0),
                Models.qwen2(true),
                Models.llama(2, true),
                Models.qwen3Moe(true));
    }

    private static int[] ids(Rng rng, int count) {
        return IntStream.range(0, count).map(i -> rng.below(i, 23)).toArray();
    }

    @ParameterizedTest
    @MethodSource("configs")
    void partsOfAnySizeGiveTheSameLogits(ModelConfig config) {
        try (Model model = Models.uneven(config, kernels, DType.F32, 3);
                Cache cache = model.cache(64)) {
            Property.of("extend " + config.attention() + config.moe())
                    .size("tokens", 1, 64)
                    .size("largest part", 1, 64)
                    .cases(12)
                    .check(c -> {
                        int[] ids = ids(c.rng("ids"), c.size("tokens"));
                        Tensor all = model.logits(ids);
                        cache.truncate(0);
                        for (int at = 0; at < ids.length; ) {
                            int part = 1 + c.rng("parts").below(at, c.size("largest part"));
                            int to = Math.min(ids.length, at + part);
                            float[] logits = model.extend(cache, Arrays.copyOfRange(ids, at, to));
                            compare(all, to - 1, logits);
                            at = to;
                            assertEquals(at, cache.length());
                        }
                    });
        }
    }

    private static void compare(Tensor all, int position, float[] logits) {
        Tensor expected = all.select(0, position);
        Close.assertClose("logits of position " + position, expected, Tensor.of(logits), FLOAT32);
    }

    @Test
    void inDoublePartsAreExact() {
        ModelConfig config = Models.config(6, Models.v3Moe(1, 1, 1), false, 0);
        int[] ids = ids(new Rng(5), 20);
        try (Model model = Model.create(config, Kernels.on(device.stream(), Backend.REFERENCE), DType.F64, 3);
                Cache cache = model.cache(20)) {
            float[] expected = model.logits(ids).select(0, 19).toFloats();
            model.extend(cache, Arrays.copyOf(ids, 7));
            model.extend(cache, Arrays.copyOfRange(ids, 7, 19));
            float[] logits = model.extend(cache, ids[19]);
            Close.assertRelative("logits", Tensor.of(expected), Tensor.of(logits), 2.5e-7);
        }
    }

    /* Both sides round what enters each of the 9 products of a layer: PrecisionTest says how far that moves a whole model,
     * and here two such models are apart.
     */
    @Test
    void inBfloat16TheCacheIsToo() {
        int[] ids = ids(new Rng(6), 40);
        ModelConfig config = Models.config(6, null, false, 0);
        for (Backend backend : Fixture.fastBackends()) {
            try (Device two = Device.host(2);
                    Model model =
                            Model.create(config, Kernels.on(two.stream(), backend, Precision.BF16), DType.F32, 3);
                    Cache cache = model.cache(40)) {
                assertEquals(DType.BF16, cache.pages().layer(0).dtype());
                Tensor all = model.logits(ids);
                double square = 0;
                double difference = 0;
                for (int t = 0; t < ids.length; t++) {
                    float[] logits = model.extend(cache, ids[t]);
                    for (int i = 0; i < logits.length; i++) {
                        double expected = all.get(all.offset(t, i));
                        square += expected * expected;
                        difference += (logits[i] - expected) * (logits[i] - expected);
                    }
                }
                double bound = Math.sqrt(2.0 * (9 * config.numHiddenLayers() + 1)) * 0x1p-8;
                double distance = Math.sqrt(difference / square);
                assertTrue(distance < Math.sqrt(2) * bound, backend + ": off by " + distance);
                assertTrue(distance > 0x1p-20, backend + ": nothing is rounded");
            }
        }
    }

    @Test
    void whatIsCutOffIsForgotten() {
        try (Model model = model();
                Cache cache = model.cache(64);
                Cache other = model.cache(64)) {
            int[] ids = ids(new Rng(1), 30);
            model.extend(cache, ids);
            model.extend(cache, ids(new Rng(2), 30));
            cache.truncate(11);
            assertEquals(11, cache.length());
            model.extend(other, Arrays.copyOf(ids, 30));
            other.truncate(11);
            assertArrayEquals(model.extend(other, 4, 7, 9), model.extend(cache, 4, 7, 9));
            String message = Thrown.message(IllegalArgumentException.class, () -> cache.truncate(15));
            assertEquals("a cache of 14 tokens cannot be cut to 15", message);
            Thrown.message(IllegalArgumentException.class, () -> cache.truncate(-1));
        }
    }

    @Test
    void promptsLongerThanAChunk() {
        int tokens = 1100;
        int[] ids = ids(new Rng(4), tokens);
        Fixture fixture = Fixture.all().findFirst().orElseThrow();
        try (Fixture.Loaded loaded = fixture.load(new Fixture.On(Backend.VECTOR, DType.F32, 2));
                Cache once = loaded.model().cache(tokens);
                Cache parts = loaded.model().cache(tokens)) {
            Model model = loaded.model();
            Tensor all = model.logits(ids);
            compare(all, tokens - 1, model.extend(once, ids));
            compare(all, 2, model.extend(parts, Arrays.copyOf(ids, 3)));
            compare(all, tokens - 2, model.extend(parts, Arrays.copyOfRange(ids, 3, tokens - 1)));
            compare(all, tokens - 1, model.extend(parts, ids[tokens - 1]));
        }
    }

    @Test
    void whatDoesNotFitIsRefusedAndLeavesTheCacheAlone() {
        try (Model model = model();
                Cache cache = model.cache(8)) {
            model.extend(cache, 1, 2, 3, 4, 5);
            String message = Thrown.message(BadInput.class, () -> model.extend(cache, 1, 2, 3, 4));
            assertTrue(message.contains("4 tokens do not fit after the 5 in a context of 8"), message);
            assertTrue(Thrown.message(BadInput.class, () -> model.extend(cache, 1, 23))
                    .contains("token id 23"));
            assertTrue(Thrown.message(BadInput.class, () -> model.extend(cache, -1))
                    .contains("token id -1"));
            Thrown.message(BadInput.class, () -> model.extend(cache));
            Thrown.message(BadInput.class, model::logits);
            assertEquals(5, cache.length());
            compare(model.logits(1, 2, 3, 4, 5, 6, 7, 8), 7, model.extend(cache, 6, 7, 8));
        }
    }

    @Test
    void capacityIsAtMostTheLongestText() {
        try (Model model = model()) {
            int longest = model.config().maxPositionEmbeddings();
            model.cache(longest).close();
            String message = Thrown.message(BadInput.class, () -> model.cache(longest + 1));
            assertTrue(message.contains("max_position_embeddings"), message);
            Thrown.message(BadInput.class, () -> model.cache(0));
        }
    }
}
