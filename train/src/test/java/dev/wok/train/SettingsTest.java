package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.model.ModelConfig;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.testkit.RecordingProgress;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
    private static String refusal(String key, String value) {
        return String.valueOf(assertThrows(BadInput.class, () -> Settings.of("nano", Map.of(key, value)))
                .getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"nano", "mini", "small"})
    void presetsAreWholeAndBuildAModel(String name) {
        Settings settings = Settings.preset(name);
        ModelConfig config = Trainer.architecture(settings, 0, 1);
        assertEquals(settings.architecture().hiddenSize(), config.hiddenSize());
    }

    /// Parts that are not given are as few as the ranks of a new run need.
    @ParameterizedTest
    @CsvSource({"nano, 1, 4", "nano, 2, 4", "nano, 8, 8", "mini, 1, 1", "mini, 2, 2", "mini, 4, 4", "small, 4, 4"})
    void partsSuitTheRanks(String preset, int ranks, int parts) {
        RecordingProgress progress = new RecordingProgress();
        Settings chosen = Settings.of(preset, Map.of(), ranks, progress);
        assertEquals(parts, chosen.batches().gradientParts());
        int usual = Settings.preset(preset).batches().gradientParts();
        assertEquals(
                parts == usual
                        ? List.of()
                        : List.of(
                                "gradients are summed in %d parts, so that %d ranks share the run (gradient_parts, %d in the preset)."
                                        .formatted(parts, ranks, usual)),
                progress.lines());
    }

    @Test
    void whereNoPartsSuitTheRanksItIsSaid() {
        assertEquals(
                "3 ranks do not divide micro_batch_sequences 8, of which each takes as many; take another number of ranks, or set micro_batch_sequences and batch_sequences to multiples of 3.",
                String.valueOf(assertThrows(BadInput.class, () -> Settings.of("mini", Map.of(), 3, Progress.silent()))
                        .getMessage()));
        Map<String, String> given = Map.of("gradient_parts", "1");
        assertEquals(
                1, Settings.of("mini", given, 4, Progress.silent()).batches().gradientParts());
    }

    @Test
    void valuesComeBackFromTheirText() {
        Settings settings = Settings.of("mini", Map.of("include", "**/*.java,**/*.{md,txt}", "seed", "-3"));
        assertEquals(settings, Settings.of(SettingKeys.texts(settings.values())));
        assertEquals("[**/*.java, **/*.{md,txt}]", settings.text().include().toString());
    }

    @ParameterizedTest
    @CsvSource({
        "learning_rat, learning_rate",
        "lerning-rate, learning_rate",
        "hiddensize, hidden_size",
        "n_experts, n_routed_experts",
        "Steps, steps"
    })
    void anUnknownKeyNamesTheNearest(String given, String nearest) {
        String message = refusal(given, "1");
        assertTrue(message.contains(given) && message.contains("nearest is " + nearest), message);
    }

    @ParameterizedTest
    @CsvSource({
        "steps, many, a whole number",
        "steps, -1, at least 0",
        "learning_rate, NaN, a number",
        "beta1, 1, from 0 to 0.999999",
        "scoring_func, relu, sigmoid or softmax",
        "norm_topk_prob, yes, true or false",
        "vocab_size, 0, from 1 to",
        "eps, 0, at least 1.0E-30",
        "hidden_size, 99999999999, a whole number"
    })
    void aWrongValueSaysWhatWasExpected(String key, String value, String expected) {
        String message = refusal(key, value);
        assertTrue(message.contains(key) && message.contains(value) && message.contains(expected), message);
    }

    @ParameterizedTest
    @CsvSource({
        "sequence_length, 1000000, max_position_embeddings",
        "micro_batch_sequences, 3, batch_sequences",
        "gradient_parts, 3, micro_batch_sequences 8",
        "min_learning_rate, 1, learning_rate",
        "warmup_share, 0.9, decay_share",
        "held_out, 0, held_out",
        "trace_steps, 5-3, a step such as 3",
        "trace_steps, 3-19, at most 16 steps",
        "trace_steps, 0-2, or 0 for none",
        "trace_steps, all, \"all\" was given"
    })
    void contradictionsAreRefused(String key, String value, String named) {
        String message = refusal(key, value);
        assertTrue(message.contains(named), message);
    }

    @ParameterizedTest
    @CsvSource({
        "num_experts_per_tok, 17, n_routed_experts",
        "n_group, 5, n_routed_experts",
        "qk_rope_head_dim, 7, even",
        "num_attention_heads, 5, num_attention_heads",
        "topk_group, 2, n_group"
    })
    void shapesThatCannotBeAreRefused(String key, String value, String named) {
        Settings settings = Settings.of("nano", Map.of(key, value));
        String message = String.valueOf(assertThrows(BadInput.class, () -> Trainer.architecture(settings, 0, 1))
                .getMessage());
        assertTrue(message.contains(named), message);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2", "8, 4", "4, 4"})
    void partsFollowMicroBatches(String sequences, int parts) {
        Settings settings = Settings.of("nano", Map.of("micro_batch_sequences", sequences));
        assertEquals(parts, settings.batches().gradientParts());
        assertEquals(
                1,
                Settings.of("nano", Map.of("micro_batch_sequences", sequences, "gradient_parts", "1"))
                        .batches()
                        .gradientParts());
    }

    @Test
    void listsMayHaveBlanks() {
        assertEquals(
                List.of("*.kt", "*.{a, b}", "*.txt"),
                Settings.of("nano", Map.of("include", "*.kt, *.{a, b} ,*.txt"))
                        .text()
                        .include());
    }

    @ParameterizedTest
    @CsvSource({"0, 0, false", "3, 3, true", "3, 4, false", "3-18, 18, true", "3-18, 2, false"})
    void stepsAreTracedOnRequest(String steps, long step, boolean traced) {
        String kept = Settings.of("nano", Map.of("trace_steps", steps)).run().traceSteps();
        assertEquals(traced, TracedSteps.parse(kept).contains(step));
        assertTrue(Settings.KEYS.isFree("trace_steps"));
    }

    @Test
    void minutesAloneLimitTheRun() {
        assertEquals(0, Settings.of("nano", Map.of("minutes", "2")).batches().steps());
        assertEquals(
                7,
                Settings.of("nano", Map.of("minutes", "2", "steps", "7"))
                        .batches()
                        .steps());
    }

    @Test
    void smallIsTheBenchmarksModel() {
        ModelConfig config = Trainer.architecture(Settings.preset("small"), 0, 1);
        // 171.8 MFLOP per token at 512 tokens: 3 * (2 * 26.2 M + 8 * 2 * 8 * 160 * 256.5) to four digits.
        assertEquals(171.8e6, Flops.perTrainedToken(config, 512), 0.05e6);
        assertEquals(107e6, config.parameters(), 1e6);
    }
}
