package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Batch;
import dev.wok.model.Cache;
import dev.wok.model.Model;
import dev.wok.tensor.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ScorerTest {
    private static final int[] LENGTHS = {2, 200, 1, 65, 250, 64, 3, 256};

    /// Also one without anything to learn, and some that learn parts.
    private static List<Example> texts() {
        List<Example> texts = new ArrayList<>();
        Rng rng = new Rng(5);
        for (int i = 0; i < LENGTHS.length; i++) {
            Rng own = rng.split(i);
            int[] ids = IntStream.range(0, LENGTHS[i])
                    .map(t -> own.below(t, ByteModel.TOKENS))
                    .toArray();
            boolean[] learn = new boolean[ids.length];
            for (int t = 1; t < ids.length; t++) {
                learn[t] = i != 6 && (i % 2 == 0 ? t > ids.length / 2 : own.uniform(1000 + t) < 0.3 || i == 3);
            }
            texts.add(new Example(ids, learn));
        }
        return texts;
    }

    /// Answers to questions of some lengths; one answer begins as the question of the next goes on.
    private static List<Example> answers() {
        List<Example> texts = new ArrayList<>();
        Rng rng = new Rng(6);
        for (int question : new int[] {130, 130, 64, 65, 129, 130}) {
            int[] ids = IntStream.range(0, question + 10 + texts.size())
                    .map(t -> rng.split(t < question ? 0 : texts.size()).below(t, ByteModel.TOKENS))
                    .toArray();
            boolean[] learn = new boolean[ids.length];
            Arrays.fill(learn, question, ids.length, true);
            texts.add(new Example(ids, learn));
        }
        return texts;
    }

    @Test
    void logitsAreThoseOfEachTextAlone() {
        try (HostDevice device = Device.host(2);
                Model model = ByteModel.create(Kernels.on(device.stream()), ByteModel.TOKENS, 16, 0.3, 3);
                Scorer cut = new Scorer(model, 100);
                Scorer scorer = new Scorer(model, ByteModel.TOKENS + 2)) {
            List<Example> texts = texts();
            for (Packed packed : List.of(
                    Packed.of(texts, 2000).getFirst(),
                    Packed.of(answers(), 2000).getFirst(),
                    Packed.of(texts.subList(3, 6), 2000).getFirst())) {
                int[] targets = packed.batch().targets();
                int[] rows = IntStream.range(0, targets.length)
                        .filter(row -> targets[row] >= 0)
                        .toArray();
                Scorer.Reading reading = scorer.read(packed.batch());
                Scorer.Reading shorter = cut.read(packed.batch());
                for (int from = 0; from < rows.length; from += 37) {
                    int[] some = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + 37));
                    reading.advance(some);
                    shorter.advance(some);
                    for (int row : some) {
                        float[] expected = alone(model, packed, row);
                        float[] found = reading.logits(row);
                        assertArrayEquals(expected, Arrays.copyOf(found, ByteModel.TOKENS), "row " + row);
                        float least = least(expected);
                        assertEquals(least, found[ByteModel.TOKENS]);
                        assertEquals(least, found[ByteModel.TOKENS + 1]);
                        assertArrayEquals(Arrays.copyOf(expected, 100), shorter.logits(row));
                    }
                }
                assertThrows(IllegalStateException.class, () -> reading.logits(rows[0]));
            }
        }
    }

    private static float[] alone(Model model, Packed packed, int row) {
        Batch batch = packed.batch();
        Batch.Text text = batch.texts().stream()
                .filter(one -> one.from() <= row && row < one.to())
                .findFirst()
                .orElseThrow();
        int[] ids = IntStream.range(0, text.length())
                .filter(i -> text.row(i) <= row)
                .map(i -> batch.tokens()[text.row(i)])
                .toArray();
        try (Cache cache = model.cache(ids.length)) {
            return model.extend(cache, ids);
        }
    }

    private static float least(float[] values) {
        float least = Float.POSITIVE_INFINITY;
        for (float value : values) {
            least = Math.min(least, value);
        }
        return least;
    }
}
