package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.model.Batch;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PackedTest {
    /// Answers to a question: `question` tokens of the question's own numbers, then `answer` of the
    /// answer's.
    private static Example answer(long question, int questionTokens, long answer, int answerTokens) {
        int[] ids = IntStream.range(0, questionTokens + answerTokens)
                .map(i -> i < questionTokens
                        ? new Rng(question).below(i, 200)
                        : new Rng(1000 + question).split(answer).below(i, 200))
                .toArray();
        boolean[] learn = new boolean[ids.length];
        Arrays.fill(learn, Math.max(1, questionTokens), ids.length, true);
        return new Example(ids, learn);
    }

    @Test
    void aBeginningIsThereOnce() {
        List<Example> group =
                IntStream.range(0, 8).mapToObj(i -> answer(1, 64, i, 64)).toList();
        Packed packed = Packed.of(group, 1024).getFirst();
        assertEquals(63 + 8 * 64, packed.batch().tokens().length);
        assertEquals(8 * 64, packed.batch().targetCount());
        assertEquals(2, Packed.of(group, 8 * 127 - 1).size(), "each text counts as a whole");
    }

    /// Questions that begin alike, as under one system prompt, are there once each too.
    @Test
    void eachQuestionIsThereOnce() {
        for (int system : new int[] {0, 7, 8, 20}) {
            List<Example> groups = new ArrayList<>();
            for (int question = 0; question < 4; question++) {
                for (int i = 0; i < 8; i++) {
                    groups.add(under(system, answer(question, 100, i, 50)));
                }
            }
            int rows = Packed.of(groups, 10_000).getFirst().batch().tokens().length;
            assertEquals(4 * (system + 99 + 8 * 50), rows, "system prompt of " + system);
        }
        List<Example> pairs = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            pairs.add(under(500, answer(i / 2, 20, i, 50)));
        }
        int rows = Packed.of(pairs, 20_000).getFirst().batch().tokens().length;
        assertEquals(500 + 7 * 2 * 69 + 19 + 2 * 50, rows, "a long one costs more than short questions twice");
    }

    private static Example under(int system, Example example) {
        int[] ids = new int[system + example.ids().length];
        boolean[] learn = new boolean[ids.length];
        for (int i = 0; i < system; i++) {
            ids[i] = 201 + i % 50;
        }
        System.arraycopy(example.ids(), 0, ids, system, example.ids().length);
        System.arraycopy(example.learn(), 0, learn, system, example.learn().length);
        return new Example(ids, learn);
    }

    /// What is packed is what was given, but for tokens behind the last target.
    @Test
    void textsAreWhatTheyWere() {
        Property.of("PackedTest.texts")
                .size("texts", 1, 12)
                .size("question", 1, 30)
                .size("answer", 1, 20)
                .size("system", 0, 12)
                .size("capacity", 60, 200)
                .cases(200)
                .check(c -> {
                    Rng rng = c.rng("texts");
                    List<Example> examples = new ArrayList<>();
                    for (int i = 0; i < c.size("texts"); i++) {
                        int question = rng.below(4L * i, 3);
                        int tokens = rng.below(4L * i + 1, 4) == 0
                                ? 1 + rng.below(4L * i + 2, c.size("question"))
                                : c.size("question");
                        Example answer = answer(question, tokens, i, rng.below(4L * i + 3, c.size("answer") + 1));
                        examples.add(under(c.size("system"), answer));
                    }
                    int seen = 0;
                    for (Packed packed : Packed.of(examples, c.size("capacity"))) {
                        Batch batch = packed.batch();
                        List<Batch.Text> texts = batch.texts();
                        assertEquals(texts.size(), packed.examples().size());
                        assertTrue(texts.stream().mapToInt(Batch.Text::length).sum() <= c.size("capacity"));
                        for (int i = 0; i < texts.size(); i++) {
                            assertEquals(seen++, packed.examples().get(i));
                            check(
                                    batch,
                                    texts.get(i),
                                    examples.get(packed.examples().get(i)));
                        }
                    }
                    assertEquals(examples.size(), seen);
                });
    }

    private static void check(Batch batch, Batch.Text text, Example example) {
        int length = text.length();
        int[] rows = IntStream.range(0, length).map(text::row).toArray();
        int[] ids = Arrays.stream(rows).map(row -> batch.tokens()[row]).toArray();
        assertArrayEquals(Arrays.copyOf(example.ids(), length), ids);
        for (int i = 0; i < length; i++) {
            boolean learns = i + 1 < example.ids().length && example.learn()[i + 1];
            assertEquals(learns ? example.ids()[i + 1] : -1, batch.targets()[rows[i]]);
            assertEquals(i, batch.positions()[rows[i]]);
        }
        for (int i = length; i + 1 < example.ids().length; i++) {
            assertTrue(!example.learn()[i + 1]);
        }
    }

    @Test
    void aTextThatIsTooLongIsRefused() {
        assertEquals(
                "a text has 9 tokens, a micro-batch holds 8; raise micro_batch_tokens.",
                Thrown.message(BadInput.class, () -> Packed.of(List.of(answer(1, 4, 0, 5)), 8)));
    }
}
