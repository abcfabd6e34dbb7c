package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.text.BpeTrainer;
import dev.wok.text.Tokenizer;
import dev.wok.train.Optimizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class DistillationTest {
    private static final int STEPS = 24;

    @TempDir
    java.nio.file.Path folder;

    private static Settings<Settings.DistillKeys> settings(String... more) {
        Map<String, String> options = new HashMap<>(Map.of(
                "batch_examples", "4",
                "epochs", "12",
                "max_new_tokens", "12",
                "held_out_problems", "3",
                "sample_temperature", "1"));
        for (String one : more) {
            options.put(one.substring(0, one.indexOf('=')), one.substring(one.indexOf('=') + 1));
        }
        return Settings.distill(options);
    }

    /// Eight texts of random bytes, of which the last two thirds are learnt.
    private static List<Example> texts() {
        List<Example> texts = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Rng rng = new Rng(i);
            int[] ids = new int[9 + i];
            boolean[] learn = new boolean[ids.length];
            for (int t = 0; t < ids.length; t++) {
                ids[t] = 3 + rng.below(t, 256);
                learn[t] = t >= ids.length / 3;
            }
            texts.add(new Example(ids, learn));
        }
        return texts;
    }

    private record Course(List<SequencedMap<String, Object>> steps, SequencedMap<String, Object> held) {
        double loss(int from, int to) {
            return steps.subList(from, to).stream()
                    .mapToDouble(step -> (Double) step.get("loss"))
                    .average()
                    .orElseThrow();
        }
    }

    /// @param vocabulary the teacher's; 0 for no teacher
    private static Course learn(int threads, int vocabulary, List<Example> texts, String... more) {
        try (HostDevice device = Device.host(threads);
                Model model = ByteModel.create(Kernels.on(device.stream()), ByteModel.TOKENS, 16, 0.1, 3);
                Learner student = new Learner(model, 64, false, new Optimizer.Constants(0.9, 0.95, 1e-8, 0, 1));
                Distillation method = new Distillation(
                        student,
                        vocabulary == 0 ? null : ByteModel.create(Kernels.on(device.stream()), vocabulary, 32, 0.3, 4),
                        ByteModel.tokenizer(),
                        texts,
                        new Letters(9),
                        settings(more),
                        Progress.silent())) {
            assertEquals(STEPS, method.steps());
            List<SequencedMap<String, Object>> steps = new ArrayList<>();
            for (int step = 1; step <= STEPS; step++) {
                steps.add(method.step(step, 1e-2));
            }
            assertTrue(method.samples().getFirst().containsKey("text"));
            return new Course(steps, method.evaluate());
        }
    }

    @Test
    void theStudentComesNearerWhateverIsMeasuredAndWhoeverWrites() {
        for (String setting : List.of("forward_kl 0", "forward_kl 0.5", "reverse_kl 0", "reverse_kl 1", "jsd 1")) {
            String[] parts = setting.split(" ");
            Course course = learn(2, ByteModel.TOKENS + 5, texts(), "loss=" + parts[0], "on_policy_share=" + parts[1]);
            double before = course.loss(0, 3);
            double after = course.loss(STEPS - 3, STEPS);
            assertTrue(after < 0.9 * before, "%s: from %s to %s".formatted(setting, before, after));
        }
    }

    @Test
    void answersAloneAreLearntWithoutATeacher() {
        Course course = learn(2, 0, texts(), "loss=answers");
        assertTrue(course.loss(STEPS - 3, STEPS) < 0.9 * course.loss(0, 3), course.toString());
    }

    @Test
    void sameBitsOnAnyNumberOfThreads() {
        Course one = learn(1, ByteModel.TOKENS, texts(), "on_policy_share=0.5");
        Course three = learn(3, ByteModel.TOKENS, texts(), "on_policy_share=0.5");
        assertEquals(one, three);
        double share = one.steps.stream()
                .mapToDouble(s -> (Double) s.get("on_policy"))
                .average()
                .orElseThrow();
        assertEquals(0.5, share, 0.2);
        assertEquals(3L, one.held.get("problems"));
    }

    @Test
    void promptsAloneAreEnoughWhereTheStudentWritesAll() {
        List<Example> prompts = texts().stream()
                .map(text -> new Example(text.ids(), new boolean[text.ids().length]))
                .toList();
        assertTrue(learn(2, ByteModel.TOKENS, prompts, "on_policy_share=1").loss(0, STEPS) > 0);
        assertRefused(
                "a text has nothing to learn, expected an answer after its prompt; or the student writes all of them:"
                        + " on_policy_share=1.",
                () -> learn(2, ByteModel.TOKENS, prompts, "on_policy_share=0.9"));
    }

    @Test
    void refusals() {
        assertRefused(
                "there is no text to learn from; give data, or more problems.",
                () -> learn(1, ByteModel.TOKENS, List.of()));
        int[] long64 = new int[65];
        boolean[] last = new boolean[65];
        last[64] = true;
        String advice = " raise micro_batch_tokens, or lower sequence_length or max_new_tokens.";
        assertRefused(
                "a text may have 65 tokens, a micro-batch holds 64;" + advice,
                () -> learn(1, ByteModel.TOKENS, List.of(new Example(long64, last))));
        Example fits = new Example(Arrays.copyOf(long64, 64), boolsTo(64));
        assertRefused(
                "a text may have 75 tokens, a micro-batch holds 64;" + advice,
                () -> learn(1, ByteModel.TOKENS, List.of(fits), "on_policy_share=0.1"));
    }

    private static boolean[] boolsTo(int length) {
        boolean[] learn = new boolean[length];
        learn[length - 1] = true;
        return learn;
    }

    @Test
    void otherTokensAreRefused() {
        Tokenizer bytes = ByteModel.tokenizer();
        Distillation.requireSameTokens(bytes, ByteModel.tokenizer());
        Tokenizer ab = tokenizer("abab abab");
        Tokenizer cd = tokenizer("cdcd cdcd");
        assertRefused(
                "the teacher's tokenizer has %d tokens, the student's 259; distributions need the same: learn from the"
                                .formatted(ab.size())
                        + " teacher's answers alone: loss=answers.",
                () -> Distillation.requireSameTokens(bytes, ab));
        assertRefused(
                "token 259 is 'ab' for the teacher and 'cd' for the student; distributions need the same tokenizer: learn"
                        + " from the teacher's answers alone: loss=answers.",
                () -> Distillation.requireSameTokens(cd, ab));
    }

    private static Tokenizer tokenizer(String text) {
        return BpeTrainer.train(() -> Stream.of(text), ByteModel.TOKENS + 2, 1, Progress.silent());
    }

    private static void assertRefused(String message, org.junit.jupiter.api.function.Executable what) {
        assertEquals(message, assertThrows(BadInput.class, what).getMessage());
    }
}
