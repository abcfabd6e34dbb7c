package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DpoTest {
    private static final Settings<Settings.DpoKeys> SETTINGS =
            Settings.dpo(Map.of("epochs", "4", "batch_examples", "4", "held_out", "0.2", "beta", "0.5"));

    @TempDir
    private Path folder;

    private static List<ChatExamples.Pair> pairs() {
        List<Example> examples = SftTest.examples(20);
        List<ChatExamples.Pair> pairs = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            pairs.add(new ChatExamples.Pair(examples.get(2 * i), examples.get(2 * i + 1)));
        }
        return pairs;
    }

    private static Dpo dpo(Learner learner) {
        return new Dpo(learner, TinyModel.tokenizer(), pairs(), Progress.silent(), SETTINGS);
    }

    /// Before anything is learnt the model is its own reference, bit for bit, so that each pair costs
    /// ln 2.
    @Test
    void beginsAtLnTwoAndTellsPairsApart() {
        try (HostDevice device = Device.host(2);
                Model model = TinyModel.create(Kernels.on(device.stream()), 3);
                Learner learner = new Learner(model, 61, false, SftTest.ADAM);
                Dpo dpo = dpo(learner)) {
            assertEquals(Math.log(2), Figures.figure(dpo.evaluate(), "loss"), Math.ulp(1.0));
            SequencedMap<String, Object> first = dpo.step(1, 1e-3);
            assertEquals(Math.log(2), Figures.figure(first, "loss"), Math.ulp(1.0));
            assertEquals(0.0, first.get("margin"));
            assertEquals(0.0, first.get("accuracy"));
            assertTrue(Figures.figure(first, "grad_norm") > 0);
            for (long step = 2; step < dpo.steps(); step++) {
                dpo.step(step, 1e-3);
            }
            SequencedMap<String, Object> last = dpo.step(dpo.steps(), 1e-3);
            assertTrue(Figures.figure(last, "loss") < 0.3, last.toString());
            assertEquals(1.0, last.get("accuracy"));
            assertTrue(Figures.figure(last, "reward/chosen") > Figures.figure(last, "reward/rejected"));
            assertEquals(4, dpo.samples().size());
            assertEquals("rejected", dpo.samples().get(1).get("reason"));
        }
    }

    /// The reference is what the model said before the first step, also for a run that goes on.
    @Test
    void theReferenceOutlivesARun() throws IOException {
        try (HostDevice device = Device.host(2);
                Model model = TinyModel.create(Kernels.on(device.stream()), 3);
                Learner learner = new Learner(model, 61, false, SftTest.ADAM);
                Dpo begun = dpo(learner)) {
            begun.step(1, 1e-3);
            begun.step(2, 1e-3);
            begun.save(folder);
            SequencedMap<String, Object> here = begun.evaluate();
            Dpo resumed = dpo(learner);
            resumed.restore(folder);
            assertEquals(here, resumed.evaluate());
            Path copy = Files.createDirectory(folder.resolve("again"));
            resumed.save(copy);
            assertArrayEquals(
                    Files.readAllBytes(folder.resolve("reference.bin")),
                    Files.readAllBytes(copy.resolve("reference.bin")));
            Files.write(folder.resolve("reference.bin"), new byte[17]);
            BadInput refusal = assertThrows(BadInput.class, () -> dpo(learner).restore(folder));
            assertTrue(
                    String.valueOf(refusal.getMessage())
                            .endsWith(
                                    "reference.bin has 17 bytes, expected 160; resume from an earlier checkpoint, or begin a new run."),
                    refusal.getMessage());
        }
    }
}
