package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.Parameter;
import dev.wok.notice.Progress;
import dev.wok.train.Optimizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GrpoTest {
    @TempDir
    private Path folder;

    /// A model that knows nothing is to say the letter a.
    private static final Task LETTERS = new Saying((_, completion) -> {
        long count = completion.text().chars().filter(c -> c == 'a').count();
        return new Reward.Score(count / (double) completion.tokens(), count + " of them");
    });

    private static Settings<Settings.GrpoKeys> settings(String... more) {
        Map<String, String> options = new HashMap<>(Map.of(
                "reward", "accuracy:1",
                "prompts_per_step", "4",
                "group_size", "8",
                "max_new_tokens", "6",
                "beta", "0.01",
                "reference_every", "3",
                "held_out_problems", "3"));
        for (int i = 0; i < more.length; i += 2) {
            options.put(more[i], more[i + 1]);
        }
        return Settings.grpo(options);
    }

    /// A run of some steps, the weights of which can be compared.
    private final class Sitting implements AutoCloseable {
        private final Device device;
        private final Model model;
        private final Learner learner;
        private final Grpo grpo;
        final List<SequencedMap<String, Object>> lines = new ArrayList<>();

        Sitting(int threads, Settings<Settings.GrpoKeys> settings) {
            this(threads, settings, null, settings.method().beta() > 0);
        }

        /// @param lora of what moves, or null for all weights
        /// @param keeps whether there is a second model as reference
        Sitting(int threads, Settings<Settings.GrpoKeys> settings, @Nullable Lora lora, boolean keeps) {
            device = Device.host(threads);
            Kernels kernels = Kernels.on(device.stream());
            model = TinyModel.create(kernels, 3);
            learner = new Learner(
                    model,
                    lora == null ? null : Adapters.fresh(model, lora, 1),
                    97,
                    settings.method().deterministic(),
                    new Optimizer.Constants(0.9, 0.95, 1e-8, 0, 1));
            Model initial = keeps ? TinyModel.create(kernels, 3) : null;
            grpo = new Grpo(
                    learner,
                    initial,
                    TinyModel.tokenizer(),
                    LETTERS,
                    Rewards.parse(LETTERS, settings.method().reward(), Progress.silent()),
                    settings,
                    Progress.silent());
        }

        void run(int from, int to) {
            for (int step = from; step <= to; step++) {
                lines.add(grpo.step(step, 0.01));
            }
        }

        double figure(int step, String name) {
            return Figures.figure(lines.get(step), name);
        }

        List<float[]> weights() {
            return model.parameters().stream()
                    .map(Parameter::value)
                    .map(t -> t.toFloats())
                    .toList();
        }

        @Override
        public void close() {
            grpo.close();
            learner.close();
            model.close();
            device.close();
        }
    }

    @Test
    void rewardRises() {
        try (Sitting sitting = new Sitting(2, settings())) {
            sitting.run(1, 40);
            assertTrue(sitting.figure(0, "reward") < 0.05, () -> "at first " + sitting.figure(0, "reward"));
            assertTrue(sitting.figure(39, "reward") > 0.5, () -> "at last " + sitting.figure(39, "reward"));
            assertTrue(sitting.figure(39, "entropy") < sitting.figure(0, "entropy"));
            assertEquals(sitting.figure(39, "reward"), sitting.figure(39, "reward/accuracy"), 1e-12);
            double heldOut = Figures.figure(sitting.grpo.evaluate(), "mean_tokens");
            assertTrue(heldOut >= 1 && heldOut <= 6, () -> "mean tokens " + heldOut);
        }
    }

    /// Where nothing has moved yet, ratios are 1 and the reference is the policy, to the last bit.
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void samplerAndTrainerSayTheSame(int threads) {
        try (Sitting sitting = new Sitting(threads, settings())) {
            sitting.run(1, 3);
            for (int step = 0; step < 3; step++) {
                assertEquals(0, sitting.figure(step, "sampler_difference_largest"));
                assertEquals(1, sitting.figure(step, "ratio"));
            }
            assertEquals(0, sitting.figure(0, "kl"));
            assertTrue(sitting.figure(1, "kl") > 0);
        }
    }

    @Test
    void differenceIsSaidWhereThereIsOne() {
        try (Sitting sitting = new Sitting(2, settings("deterministic", "false"))) {
            sitting.run(1, 1);
            double difference = sitting.figure(0, "sampler_difference_largest");
            assertTrue(difference > 0 && difference < 0.05, () -> "difference " + difference);
        }
    }

    @Test
    void severalUpdatesMoveRatios() {
        try (Sitting sitting =
                new Sitting(2, settings("inner_epochs", "2", "mini_batches", "2", "temperature", "0.7"))) {
            sitting.run(1, 1);
            assertTrue(sitting.figure(0, "ratio") != 1);
        }
    }

    /// The updates before are applied, those after are not.
    @Test
    void nothingIsAppliedFromAnUpdateOnThatIsNoNumber() {
        Rollout drawn = new Rollout(new int[] {5, 6}, new int[] {7, 8}, new double[] {-5, -5}, false);
        List<List<Rollout>> groups = List.of(List.of(drawn), List.of(drawn));
        try (Sitting one = new Sitting(1, settings("beta", "0"));
                Sitting several = new Sitting(1, settings("beta", "0"))) {
            update(one, settings("beta", "0")).run(groups.subList(0, 1), List.of(new double[] {1}));
            GrpoUpdates updates = update(several, settings("beta", "0", "mini_batches", "2", "inner_epochs", "2"));
            updates.run(groups, List.of(new double[] {1}, new double[] {Double.NaN}));
            assertSame(one.weights(), several.weights());
            assertEquals(Double.NaN, Figures.figure(updates.figures(), "loss"));
        }
    }

    private static GrpoUpdates update(Sitting sitting, Settings<Settings.GrpoKeys> settings) {
        return new GrpoUpdates(sitting.learner, null, settings.method(), 1, 0.01);
    }

    @Test
    void threadsChangeNothing() {
        try (Sitting one = new Sitting(1, settings());
                Sitting two = new Sitting(2, settings())) {
            one.run(1, 3);
            two.run(1, 3);
            assertSame(one.weights(), two.weights());
        }
    }

    /// The model without its adapters says what a second one would, bit for bit.
    @Test
    void adaptersNeedNoSecondModel() {
        Settings<Settings.GrpoKeys> settings = settings("reference_every", "0", "beta", "0.3");
        assertFalse(settings.method().keepsReference(true));
        assertTrue(settings("beta", "0.3").method().keepsReference(true));
        Lora lora = new Lora(2, 4, List.of("all-linear"), false);
        List<String> lines = new ArrayList<>();
        List<List<float[]>> weights = new ArrayList<>();
        for (boolean keeps : new boolean[] {true, false}) {
            try (Sitting sitting = new Sitting(2, settings, lora, keeps)) {
                sitting.run(1, 4);
                assertTrue(sitting.figure(3, "kl") > 0);
                sitting.lines.forEach(line -> line.keySet().removeIf(name -> name.contains("second")));
                lines.add(sitting.lines.toString());
                weights.add(sitting.weights());
            }
        }
        assertEquals(lines.getFirst(), lines.getLast());
        assertSame(weights.getFirst(), weights.getLast());
    }

    private static void assertSame(List<float[]> expected, List<float[]> found) {
        assertEquals(expected.size(), found.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), found.get(i), "parameter " + i);
        }
    }

    /// What a step needs beside weights and optimizer: the next problem, and the reference where it
    /// was replaced.
    @Test
    void goesOnFromWhatItSaved() throws IOException {
        Settings<Settings.GrpoKeys> settings = settings("dynamic_sampling", "true");
        try (Sitting whole = new Sitting(2, settings)) {
            whole.run(1, 4);
            Files.createDirectories(folder.resolve("state"));
            whole.grpo.save(folder.resolve("state"));
            whole.model.save(folder.resolve("model"));
            try (Sitting resumed = new Sitting(2, settings)) {
                try (Model saved = Model.load(
                        folder.resolve("model"),
                        resumed.model.kernels(),
                        dev.wok.tensor.DType.F32,
                        Progress.silent())) {
                    resumed.model.become(saved);
                }
                whole.learner
                        .state()
                        .forEach((name, tensor) -> resumed.model
                                .kernels()
                                .elementwise()
                                .cast(
                                        tensor,
                                        Objects.requireNonNull(
                                                resumed.learner.state().get(name))));
                resumed.grpo.restore(folder.resolve("state"));
                whole.run(5, 6);
                resumed.run(5, 6);
                assertSame(whole.weights(), resumed.weights());
                assertEquals(whole.figure(5, "kl"), resumed.figure(1, "kl"));
            }
        }
    }
}
