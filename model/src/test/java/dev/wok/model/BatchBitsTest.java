package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed.Element;
import dev.wok.kernel.Precision;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Thrown;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What a text's logits are does not depend, bit for bit, on what is read beside it, nor on how it is cut, nor on which
/// pages it has.
@ExtendWith(ProcessorRunsIt.class)
class BatchBitsTest {
    private static final int TEXTS = 9;
    private static final int PAGES = 60;

    @TempDir
    private Path temporary;

    static Stream<Arguments> everywhere() {
        return Stream.of(
                        Models.config(6, Models.v3Moe(4, 2, 1), false, 0),
                        Models.config(0, Models.v2Moe(1, 1, 0), true, 0),
                        Models.qwen2(true),
                        Models.qwen3Moe(true))
                .map(config -> Models.longer(config, 400))
                .flatMap(config -> Stream.concat(Stream.of(Backend.REFERENCE), Fixture.fastBackends().stream())
                        .flatMap(backend -> Arrays.stream(Precision.values())
                                .map(precision -> Arguments.of(config, backend, precision))));
    }

    /// A text that is read in pieces.
    private static final class Text {
        final int[] ids;
        final int[] pages;
        int read;
        float[] logits = new float[0];

        Text(int[] ids, int... pages) {
            this.ids = ids;
            this.pages = pages;
        }

        Chunk next(int tokens) {
            int to = Math.min(ids.length, read + tokens);
            Chunk chunk = new Chunk(pages, read, Arrays.copyOfRange(ids, read, to), to == ids.length ? 1 : 0);
            read = to;
            return chunk;
        }

        boolean left() {
            return read < ids.length;
        }
    }

    private static List<Text> texts(Rng rng, int most) {
        List<Integer> order = new ArrayList<>(IntStream.range(0, PAGES).boxed().toList());
        Collections.shuffle(order, new Random(rng.bits(0)));
        List<Text> texts = new ArrayList<>();
        int next = 0;
        for (int i = 0; i < TEXTS; i++) {
            int length = 1 + rng.below(1 + i, most);
            Rng ids = rng.split(i);
            int needed = CachePages.pages(length);
            int[] pages = order.subList(next, next + needed).stream()
                    .mapToInt(Integer::intValue)
                    .toArray();
            next += needed;
            texts.add(new Text(
                    IntStream.range(0, length).map(j -> ids.below(j, 23)).toArray(), pages));
        }
        return texts;
    }

    @ParameterizedTest
    @MethodSource("everywhere")
    void together(ModelConfig config, Backend backend, Precision precision) {
        try (Device device = Device.host(2);
                Model model = Models.uneven(config, Kernels.on(device.stream(), backend, precision), DType.F32, 3)) {
            check(model, backend == Backend.REFERENCE ? 20 : 300);
        }
    }

    @ParameterizedTest
    @MethodSource("everywhere")
    void togetherPacked(ModelConfig config, Backend backend, Precision precision) {
        Path folder = temporary.resolve("model");
        try (Device device = Device.host(2)) {
            Kernels kernels = Kernels.on(device.stream(), backend, precision);
            try (Model plain = Models.uneven(config, kernels, DType.F32, 3)) {
                plain.save(folder);
            }
            for (Element element : Element.values()) {
                if (element.isScaled() && config.tieWordEmbeddings()) {
                    continue;
                }
                Activations activations = element.isWhole() ? Activations.INT8 : Activations.FLOAT;
                Storage storage = new Storage(element, 32, activations);
                try (Model model = Model.open(folder, kernels, storage, Progress.silent())) {
                    check(model, backend == Backend.REFERENCE ? 12 : 200);
                }
            }
        }
    }

    private static void check(Model model, int most) {
        Rng rng = Seeds.rng("together");
        List<Text> texts = texts(rng, most);
        try (CachePages cache = model.cachePages(PAGES)) {
            for (int step = 0; texts.stream().anyMatch(Text::left); step++) {
                List<Text> reading = new ArrayList<>();
                List<Chunk> chunks = new ArrayList<>();
                for (int i = 0; i < TEXTS; i++) {
                    Text text = texts.get(i);
                    int tokens = 1 + rng.below(1000L + 10L * step + i, step % 3 == 0 ? 2 : 40);
                    if (text.left() && rng.below(9000L + 10L * step + i, 4) > 0) {
                        chunks.add(text.next(tokens));
                        reading.add(text);
                    }
                }
                if (!chunks.isEmpty()) {
                    List<float[]> logits = new ArrayList<>(model.extend(cache, chunks));
                    reading.stream().filter(text -> !text.left()).forEach(text -> text.logits = logits.removeFirst());
                    assertEquals(0, logits.size());
                }
            }
        }
        for (Text text : texts) {
            try (Cache alone = model.cache(text.ids.length)) {
                assertArrayEquals(model.extend(alone, text.ids), text.logits, "a text of " + text.ids.length);
            }
        }
    }

    /// A page that two texts share is read by both, and a copied one goes on in its own way.
    @Test
    void sharedAndCopiedPages() {
        ModelConfig config = Models.longer(Models.config(6, Models.v3Moe(4, 2, 1), false, 0), 400);
        int[] ids = IntStream.range(0, 150).map(i -> i * 7 % 23).toArray();
        try (Device device = Device.host(2);
                Model model = Models.uneven(config, Kernels.on(device.stream(), Backend.VECTOR), DType.F32, 3);
                CachePages cache = model.cachePages(8);
                Cache alone = model.cache(151)) {
            float[] expected = model.extend(alone, ids);
            model.extend(cache, List.of(new Chunk(new int[] {5, 1, 6}, 0, Arrays.copyOf(ids, 140), 0)));
            cache.copy(6, 2, 9);
            List<Chunk> both = List.of(
                    new Chunk(new int[] {5, 1, 2}, 137, Arrays.copyOfRange(ids, 137, 150), 1),
                    new Chunk(new int[] {5, 1, 6}, 140, new int[] {3, 4}, 2));
            List<float[]> logits = model.extend(cache, both);
            assertEquals(3, logits.size());
            assertArrayEquals(expected, logits.getFirst());
            alone.truncate(140);
            assertArrayEquals(model.extend(alone, 3), logits.get(1));
            assertArrayEquals(model.extend(alone, 4), logits.get(2));
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertEquals(
                "a chunk of 3 tokens from 126 on in 2 pages",
                Thrown.message(
                        IllegalArgumentException.class, () -> new Chunk(new int[2], 126, new int[] {1, 2, 3}, 1)));
        assertEquals(
                "a chunk of 1 tokens from 0 on with logits of 2",
                Thrown.message(IllegalArgumentException.class, () -> new Chunk(new int[1], 0, new int[] {1}, 2)));
        try (Device device = Device.host(1);
                Model model =
                        Models.uneven(Models.qwen2(true), Kernels.on(device.stream(), Backend.VECTOR), DType.F32, 3);
                CachePages cache = model.cachePages(2)) {
            assertEquals(
                    "a text of 65 tokens is longer than max_position_embeddings (64).",
                    Thrown.message(
                            BadInput.class,
                            () -> model.extend(cache, List.of(new Chunk(new int[2], 64, new int[] {1}, 1)))));
            assertEquals(
                    "0 tokens are read at once, expected 1 to 512",
                    Thrown.message(IllegalArgumentException.class, () -> model.extend(cache, List.of())));
        }
    }
}
