package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.generate.Engine;
import dev.wok.generate.Sampling;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class EvaluationTest {
    /// Says what a script says, by the length of the word and by a count of how often it was asked.
    private static Teacher scripted(Map<Integer, List<Completion>> script) {
        Map<Integer, Integer> asked = new java.util.HashMap<>();
        return new Teacher() {
            @Override
            public String name() {
                return "script";
            }

            @Override
            public int atOnce() {
                return 4;
            }

            @Override
            public synchronized Completion answer(String question, long seed) {
                int word = question.length() - question.lastIndexOf(' ') - 2;
                int time = asked.merge(word, 1, Integer::sum) - 1;
                return Objects.requireNonNull(script.get(word)).get(time);
            }
        };
    }

    private static Completion said(String answer, int tokens) {
        return new Completion("hm <answer> %s </answer>".formatted(answer), tokens, false);
    }

    @Test
    void figuresOfKnownAnswers() {
        Teacher teacher = scripted(Map.of(
                1, List.of(said("1", 3), said("1", 3), said("7", 3)),
                2, List.of(said("9", 5), new Completion("never ends", 8, true), new Completion("2", 2, false))));
        List<Evaluation.Item> items = new ArrayList<>();
        Evaluation.Result result = Evaluation.run(
                new Letters(2), teacher, new Evaluation.Options(100, 3, 5), Progress.silent(), items::add);
        assertEquals(2, result.problems());
        assertEquals(1 / 3.0, result.passAt1().value(), 1e-15);
        assertEquals(Map.of(1, 1 / 3.0, 2, 0.5, 3, 0.5), rounded(result.passAt()));
        assertEquals(0.5, result.majority());
        assertEquals(4, result.meanTokens());
        assertEquals(1 / 6.0, result.truncated());
        assertEquals(4 / 6.0, result.wellFormed());
        assertEquals(List.of(0L, 1L), items.stream().map(Evaluation.Item::index).toList());
        assertEquals("HELD_OUT 5: how long is a?", items.getFirst().problem().question());
        assertTrue(items.get(1).figures().toString().contains("text=never ends, tokens=8, truncated=true, score=0.0"));
        assertEquals(
                "[task, problems, samples, pass_at_1, pass_at_1_low, pass_at_1_high, pass_at, majority, mean_tokens,"
                        + " truncated, well_formed]",
                result.figures().keySet().toString());
    }

    private static Map<Integer, Double> rounded(Map<Integer, Double> all) {
        Map<Integer, Double> rounded = new java.util.HashMap<>();
        all.forEach((k, value) -> rounded.put(k, Math.rint(value * 3e6) / 3e6));
        return rounded;
    }

    @Test
    void sameFiguresHoweverManyTextsAtOnce() {
        try (HostDevice device = Device.host(2);
                Model model = ByteModel.create(Kernels.on(device.stream()), ByteModel.TOKENS, 16, 0.3, 3)) {
            List<List<Evaluation.Item>> all = new ArrayList<>();
            for (int sequences : new int[] {1, 3, 64}) {
                all.add(items(model, sequences, 8));
            }
            assertEquals(5, all.getFirst().size());
            assertEquals(all.getFirst(), all.get(1));
            assertEquals(all.getFirst(), all.get(2));
            assertNotEquals(all.getFirst(), items(model, 3, 9), "another seed draws others");
            List<Completion> first = all.getFirst().getFirst().completions();
            assertNotEquals(first.get(0), first.get(1), "samples of a problem have draws of their own");
        }
    }

    private static List<Evaluation.Item> items(Model model, int sequences, long seed) {
        Tokenizer tokenizer = ByteModel.tokenizer();
        List<Evaluation.Item> items = new ArrayList<>();
        try (Engine engine = new Engine(
                model, Engine.Settings.defaults().withCacheBytes(1 << 24).withSequences(sequences))) {
            Answerer answerer = new Answerer(
                    engine,
                    model.config(),
                    tokenizer,
                    new Answerer.Options(Prompts.Form.PLAIN, 12, Sampling.atTemperature(1)),
                    "tiny");
            Evaluation.run(new Letters(5), answerer, new Evaluation.Options(5, 3, seed), Progress.silent(), items::add);
        }
        return items;
    }

    @Test
    void refusals() {
        assertRefused(
                "0 samples of each problem are asked for, expected 1 or more.", () -> new Evaluation.Options(1, 0, 0));
        assertRefused(
                "the task letters holds no problem out.",
                () -> Evaluation.run(
                        new Letters(0),
                        scripted(Map.of()),
                        new Evaluation.Options(1, 1, 0),
                        Progress.silent(),
                        _ -> {}));
        assertRefused(
                "answers of at most 0 tokens are asked for, expected 1 or more.",
                () -> new Answerer.Options(Prompts.Form.PLAIN, 0, Sampling.greedy()));
        assertRefused(
                "a prompt form chatty is asked for, expected plain, chat or r1_zero.", () -> Prompts.Form.of("chatty"));
    }

    private static void assertRefused(String message, org.junit.jupiter.api.function.Executable what) {
        assertEquals(message, assertThrows(BadInput.class, what).getMessage());
    }
}
