package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
    private static String refusal(Map<String, String> options) {
        return String.valueOf(
                assertThrows(BadInput.class, () -> Settings.grpo(options)).getMessage());
    }

    @Test
    void everyMethodsValuesAreWholeAndComeBack() {
        for (Settings<?> settings : List.of(
                Settings.sft(Map.of()), Settings.dpo(Map.of()), Settings.grpo(Map.of()), Settings.distill(Map.of()))) {
            assertEquals(settings, settings.resumed(Map.of()));
            assertEquals(settings.values().size(), settings.help().size());
        }
    }

    @Test
    void optionsChangeTheirValues() {
        Settings<Settings.GrpoKeys> settings =
                Settings.grpo(Map.of("reward", "accuracy:1, length:-0.1", "clip_high", "0.28", "seed", "-7"));
        assertEquals(List.of("accuracy:1", "length:-0.1"), settings.method().reward());
        assertEquals(0.28, settings.method().clipHigh());
        assertEquals(-7, settings.compute().seed());
    }

    @ParameterizedTest
    @CsvSource({
        "group-siz, 8, nearest is group_size. `wok grpo --settings` lists all",
        "epochs, 8, nearest is inner_epochs",
        "group_size, 1, at least 2",
        "kl_estimator, k4, k1 or k2 or k3",
        "deterministic, 1, true or false",
        "mini_batches, 3, does not divide prompts_per_step 16",
        "overlong_cache, 129, longer than max_new_tokens 128",
        "min_learning_rate, 1, above learning_rate"
    })
    void whatCannotBeIsRefused(String key, String value, String said) {
        String message = refusal(Map.of(key, value));
        assertTrue(message.contains(said), message);
    }

    @Test
    void ownSamplesNeedDistributions() {
        String message = assertThrows(
                        BadInput.class, () -> Settings.distill(Map.of("loss", "answers", "on_policy_share", "0.5")))
                .getMessage();
        assertTrue(String.valueOf(message).contains("give a loss such as reverse_kl"), message);
    }

    @Test
    void aResumedRunMayChangeWhatChangesNoNumber() {
        Settings<Settings.SftKeys> settings = Settings.sft(Map.of("backend", "reference"));
        Settings<Settings.SftKeys> other = settings.resumed(Map.of("threads", "3", "keep_checkpoints", "9"));
        assertEquals(settings.fingerprint(), other.fingerprint());
        assertNotEquals(
                settings.fingerprint(), Settings.sft(Map.of("epochs", "3")).fingerprint());
        String message = assertThrows(BadInput.class, () -> settings.resumed(Map.of("epochs", "3")))
                .getMessage();
        assertTrue(String.valueOf(message).contains("made with epochs 2.0, 3.0 was given"), message);
        assertEquals(settings, settings.resumed(Map.of("backend", "auto")));
    }
}
