package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Documents that begin alike, and have that beginning once.
@ExtendWith(ProcessorRunsIt.class)
class AlikeTest {
    /// @param like the document that has the beginning, or itself
    /// @param shared how many tokens that is
    /// @param own how many follow, 1 or more
    private record Text(int like, int shared, int own) {}

    private static final List<Text> TEXTS = List.of(
            new Text(0, 0, 150),
            new Text(0, 70, 40),
            new Text(0, 64, 1),
            new Text(3, 0, 30),
            new Text(3, 1, 65),
            new Text(3, 30, 7),
            new Text(0, 150, 3));

    private static List<Text> texts(int scale) {
        return TEXTS.stream()
                .map(t -> new Text(t.like, Math.ceilDiv(t.shared, scale), Math.ceilDiv(t.own, scale)))
                .toList();
    }

    private static Batch batch(List<Text> texts) {
        int rows = texts.stream().mapToInt(Text::own).sum();
        Rng rng = new Rng(4);
        int[] ids = IntStream.range(0, rows).map(i -> rng.below(i, 23)).toArray();
        int[] targets = new int[rows];
        int[] positions = new int[rows];
        int[] starts = new int[rows];
        int[] begins = new int[rows];
        int[] firsts = new int[texts.size()];
        int row = 0;
        for (int n = 0; n < texts.size(); n++) {
            Text text = texts.get(n);
            firsts[n] = row;
            for (int i = 0; i < text.own; i++, row++) {
                targets[row] = i + 1 < text.own ? ids[row + 1] : -1;
                positions[row] = text.shared + i;
                starts[row] = firsts[n];
                begins[row] = firsts[text.like];
            }
        }
        return new Batch(1, rows, ids, targets, positions, starts, begins);
    }

    /// The same documents, each with all of its tokens, and the same targets.
    private static Batch apart(Batch batch) {
        List<int[]> columns = new ArrayList<>();
        for (Batch.Text text : batch.texts()) {
            int start = columns.size();
            for (int i = 0; i < text.length(); i++) {
                int row = text.row(i);
                columns.add(new int[] {
                    batch.tokens()[row], i < text.shared() ? -1 : batch.targets()[row], i, start,
                });
            }
        }
        int[][] rows = IntStream.range(0, 4)
                .mapToObj(field -> columns.stream().mapToInt(c -> c[field]).toArray())
                .toArray(int[][]::new);
        return new Batch(1, columns.size(), rows[0], rows[1], rows[2], rows[3]);
    }

    private static List<float[]> shown(Tensor logits) {
        return IntStream.range(0, logits.size(0))
                .mapToObj(row -> logits.slice(0, row, row + 1L).toFloats())
                .toList();
    }

    @ParameterizedTest
    @MethodSource("dev.wok.model.BatchBitsTest#everywhere")
    void logitsAreTheSamplersBitForBit(ModelConfig config, Backend backend, Precision precision) {
        Batch batch = batch(texts(backend == Backend.REFERENCE ? 10 : 1));
        Training.Settings settings = new Training.Settings(1, apart(batch).length(), 0, 0, true, true);
        try (Device device = Device.host(2);
                Model model = Models.uneven(config, Kernels.on(device.stream(), backend, precision), DType.F32, 3);
                Training training = model.training(settings)) {
            List<float[]> expected = AsSampledTest.sampled(model, batch);
            List<float[]> scored = new ArrayList<>();
            training.score(batch, (_, logits) -> scored.addAll(shown(logits)));
            List<float[]> learnt = new ArrayList<>();
            training.begin(1, 1);
            training.accumulate(batch, (_, logits) -> learnt.addAll(shown(logits)));
            assertEquals(expected.size(), scored.size());
            for (int i = 0; i < expected.size(); i++) {
                assertArrayEquals(expected.get(i), scored.get(i), "row " + i);
                assertArrayEquals(expected.get(i), learnt.get(i), "row " + i);
            }
        }
    }

    /// In double precision the two ways differ by the order of their sums alone: some 1e3 roundings
    /// of 1e-16 each, of terms of the size of the largest gradient.
    @Test
    void gradientsAreThoseOfDocumentsApart() {
        for (ModelConfig config : configs()) {
            for (boolean asSampled : new boolean[] {false, true}) {
                compare(config, Backend.REFERENCE, DType.F64, asSampled, 1e-13);
            }
        }
    }

    /// The same in float32: roundings of 6e-8.
    @ParameterizedTest
    @MethodSource("dev.wok.model.Fixture#fastBackends")
    void gradientsAreThoseOfDocumentsApart(Backend backend) {
        configs().forEach(config -> compare(config, backend, DType.F32, true, 6e-5));
    }

    private static List<ModelConfig> configs() {
        return List.of(
                Models.config(6, Models.v3Moe(4, 2, 1), false, 0),
                Models.config(0, Models.v2Moe(1, 1, 0), true, 0),
                Models.qwen2(true),
                Models.qwen3Moe(true));
    }

    /// @param bound of a difference, relative to the largest gradient of all
    private static void compare(ModelConfig config, Backend backend, DType dtype, boolean asSampled, double bound) {
        Batch batch = batch(texts(8));
        Batch apart = apart(batch);
        Training.Settings settings = new Training.Settings(1, apart.length(), 0, 0, asSampled, true);
        try (Device device = Device.host(2);
                Model model = Models.uneven(config, Kernels.on(device.stream(), backend, Precision.F32), dtype, 5);
                Training whole = model.training(settings);
                Training once = model.training(settings)) {
            learn(whole, apart);
            learn(once, batch);
            double largest = whole.gradients().stream()
                    .flatMapToDouble(g -> LongStream.range(0, g.elements()).mapToDouble(g::get))
                    .map(Math::abs)
                    .max()
                    .orElse(0);
            assertTrue(largest > 1, "the gradients are all small");
            for (int p = 0; p < model.parameters().size(); p++) {
                Tensor expected = whole.gradients().get(p);
                Tensor found = once.gradients().get(p);
                String name = model.parameters().get(p).name();
                for (long i = 0; i < expected.elements(); i++) {
                    assertEquals(expected.get(i), found.get(i), bound * largest, name);
                }
            }
        }
    }

    /// A gradient that differs from logit to logit.
    private static void learn(Training training, Batch batch) {
        int[] shown = new int[1];
        training.begin(1, 1);
        training.accumulate(batch, (_, logits) -> {
            for (long i = 0; i < logits.elements(); i++) {
                logits.set(i, Math.sin(logits.get(i) + shown[0]++));
            }
        });
    }

    /// What was measured before is enough for any batch whose documents have so many tokens in all.
    @Test
    void aMicroBatchFitsIntoWhatWasMeasured() {
        Property.of("AlikeTest.fits")
                .size("texts", 1, 9)
                .size("own", 1, 40)
                .flag("asSampled")
                .flag("grouped")
                .cases(60)
                .check(c -> {
                    Rng rng = c.rng("texts");
                    List<Text> texts = new ArrayList<>();
                    for (int n = 0; n < c.size("texts"); n++) {
                        int like = rng.below(3L * n, n + 1);
                        boolean shares = like < n && texts.get(like).shared == 0;
                        int shared = shares ? 1 + rng.below(3L * n + 1, texts.get(like).own) : 0;
                        texts.add(new Text(shares ? like : n, shared, 1 + rng.below(3L * n + 2, c.size("own"))));
                    }
                    Batch batch = batch(texts);
                    int tokens = apart(batch).length();
                    ModelConfig config = Models.longer(
                            c.flag("grouped")
                                    ? Models.qwen3Moe(true)
                                    : Models.config(6, Models.v3Moe(4, 2, 1), false, 0),
                            400);
                    try (Device device = Device.host(2);
                            Model model = Models.uneven(config, Kernels.on(device.stream()), DType.F32, 3);
                            Training training =
                                    model.training(new Training.Settings(1, tokens, 0, 0, c.flag("asSampled"), true))) {
                        training.begin(1, 1);
                        training.accumulate(batch, (_, _) -> {});
                        training.score(batch, (_, _) -> {});
                    }
                });
    }

    @Test
    void whatCannotBeIsRefused() {
        int[] ids = {1, 2, 3, 4, 5};
        int[] starts = {0, 0, 0, 3, 3};
        int[] positions = {0, 1, 2, 2, 3};
        Batch batch = new Batch(1, 5, ids, ids, positions, starts, new int[] {0, 0, 0, 0, 0});
        assertEquals(List.of(new Batch.Text(0, 0, 0, 3), new Batch.Text(0, 2, 3, 5)), batch.texts());
        for (int begin : new int[] {-1, 1, 4}) {
            Batch wrong = new Batch(1, 5, ids, ids, positions, starts, new int[] {0, 0, 0, begin, begin});
            assertEquals(
                    "Batch: the document at 3 begins with 2 tokens from %d on, which are no other's beginning"
                            .formatted(begin),
                    Thrown.message(IllegalArgumentException.class, wrong::texts));
        }
        int[] far = {0, 1, 2, 4, 5};
        Batch longer = new Batch(1, 5, ids, ids, far, starts, batch.begins());
        assertEquals(
                "Batch: the document at 3 begins with 4 tokens from 0 on, which are no other's beginning",
                Thrown.message(IllegalArgumentException.class, longer::texts));
        try (Device device = Device.host(1);
                Model model = Models.uneven(Models.qwen2(false), Kernels.on(device.stream()), DType.F32, 3);
                Training apart = model.training(new Training.Settings(1, 9, 0, 0));
                Training six = model.training(new Training.Settings(1, 6, 0, 0, false, true))) {
            String apartOnly = "Training: documents begin alike, expected some with nothing in common";
            assertEquals(
                    apartOnly,
                    Thrown.message(IllegalArgumentException.class, () -> apart.accumulate(batch, (_, _) -> {})));
            assertEquals(apartOnly, Thrown.message(IllegalArgumentException.class, () -> apart.evaluate(batch)));
            assertEquals(
                    "Training: a batch of 7 tokens, the settings say at most 6",
                    Thrown.message(IllegalArgumentException.class, () -> six.accumulate(batch, (_, _) -> {})));
        }
    }
}
