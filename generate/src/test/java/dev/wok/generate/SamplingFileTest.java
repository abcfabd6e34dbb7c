package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SamplingFileTest {
    @TempDir
    Path folder;

    private Optional<Sampling> load(String json) throws IOException {
        Files.writeString(folder.resolve("generation_config.json"), json);
        return Sampling.load(folder);
    }

    @Test
    void whatIsSaidIsTakenAndTheRestIsUsual() throws IOException {
        assertEquals(Optional.empty(), Sampling.load(folder));
        assertEquals(Optional.empty(), Sampling.load(folder.resolve("model.gguf")));
        assertEquals(Optional.empty(), load("{\"eos_token_id\": 1, \"temperature\": null}"));
        assertEquals(
                Optional.of(Sampling.atTemperature(0.6).withTopP(0.95)),
                load("{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.95}"));
        assertEquals(
                Optional.of(Sampling.atTemperature(1).withTopK(20).withMinP(0.1).withRepetitionPenalty(1.05)),
                load("{\"top_k\": 20, \"min_p\": 0.1, \"repetition_penalty\": 1.05}"));
        assertEquals(Optional.of(Sampling.atTemperature(1)), load("{\"top_k\": -1}"));
    }

    @Test
    void whatHasNoMeaningIsRefused() throws IOException {
        Path file = folder.resolve("generation_config.json");
        assertEquals(
                file + ": top-p is 1.5, expected above 0, at most 1.",
                Thrown.message(BadInput.class, () -> load("{\"top_p\": 1.5}")));
        assertEquals(
                file + ": temperature is \"hot\", expected a number.",
                Thrown.message(BadInput.class, () -> load("{\"temperature\": \"hot\"}")));
        Thrown.message(BadInput.class, () -> load("{"));
    }
}
