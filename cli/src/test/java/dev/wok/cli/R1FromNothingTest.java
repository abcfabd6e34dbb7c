package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/// The walk of docs/r1.md in a short form, two minutes on two cores: from nothing to a model that
/// learnt from rewards.
@Tag("slow")
class R1FromNothingTest {
    @TempDir
    Path folder;

    @Test
    void rewardsAloneTeachToAdd() throws IOException {
        Path file = Files.writeString(folder.resolve("short.yaml"), """
                out: made
                stages:
                  - {name: text, kind: text, settings: {tasks: [arithmetic], documents: 60000}}
                  - name: base
                    kind: train
                    data: text
                    preset: nano
                    settings: {vocab_size: 320, num_hidden_layers: 4, sequence_length: 256, steps: 1500, learning_rate: 3.0e-3,
                        checkpoint_every: 0, evaluate_every: 0}
                  - {name: before, kind: eval, model: base, settings: {problems: 300, temperature: 1.0}}
                  - name: zero
                    kind: grpo
                    model: base
                    settings: {steps: 100, max_new_tokens: 160, evaluate_every: 0, checkpoint_every: 0}
                  - {name: after, kind: eval, model: zero, settings: {problems: 300, temperature: 1.0}}
                """);
        Captured done = Captured.run("r1", file.toString());
        assertEquals(0, done.code(), done.err());
        double before = pass("03-before");
        double after = pass("05-after");
        assertTrue(before < 0.35, "before " + before);
        assertTrue(after > before + 0.3, "before %s, after %s".formatted(before, after));
    }

    private double pass(String stage) throws IOException {
        return JsonMapper.shared()
                .readTree(
                        Files.readAllBytes(folder.resolve("made").resolve(stage).resolve("result.json")))
                .required("pass_at_1")
                .asDouble();
    }
}
