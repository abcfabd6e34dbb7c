package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import dev.wok.train.Optimizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SftTest {
    @TempDir
    private Path folder;

    static final Optimizer.Constants ADAM = new Optimizer.Constants(0.9, 0.95, 1e-8, 0, 1);

    private static Settings<Settings.SftKeys> settings(String... more) {
        Map<String, String> options = new HashMap<>(Map.of("epochs", "2", "batch_examples", "3", "held_out", "0.2"));
        for (int i = 0; i < more.length; i += 2) {
            options.put(more[i], more[i + 1]);
        }
        return Settings.sft(options);
    }

    /// Texts of all lengths, of which random parts are learnt.
    static List<Example> examples(int count) {
        List<Example> examples = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            Rng rng = new Rng(n);
            int[] ids = new int[2 + rng.below(0, 19)];
            boolean[] learn = new boolean[ids.length];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = rng.below(3 * i + 1, 262);
                learn[i] = i > 0 && (i == ids.length - 1 || rng.below(3 * i + 2, 2) == 0);
            }
            examples.add(new Example(ids, learn));
        }
        return examples;
    }

    private static <T> T with(int threads, java.util.function.Function<Learner, T> work) {
        try (HostDevice device = Device.host(threads);
                Model model = TinyModel.create(Kernels.on(device.stream()), 3);
                Learner learner = new Learner(model, 61, false, ADAM)) {
            return work.apply(learner);
        }
    }

    /// A text's losses beside others are those that it has alone. Each kernel sums a row in an order in
    /// which other rows have no part, so they are the same bits.
    @Test
    void textsThatArePackedDoNotSeeEachOther() {
        List<Example> examples = examples(13);
        assertTrue(Packed.of(examples, 61).size() < 6);
        double[] together = with(2, learner -> Sft.logprobs(learner, examples));
        for (int i = 0; i < examples.size(); i++) {
            Example one = examples.get(i);
            assertEquals(with(1, learner -> Sft.logprobs(learner, List.of(one)))[0], together[i]);
        }
    }

    /// The loss of a step is the mean over the targets of all its texts, however they are packed.
    @Test
    void theLossIsTheMeanOverTargets() {
        List<Example> examples = examples(6);
        Settings<Settings.SftKeys> settings = settings("held_out", "0", "batch_examples", "6");
        double loss = with(2, learner -> {
            Sft sft = new Sft(learner, TinyModel.tokenizer(), examples, settings);
            return Figures.figure(sft.step(1, 1e-3), "loss");
        });
        double sum = 0;
        for (double logprob : with(2, learner -> Sft.logprobs(learner, examples))) {
            sum += logprob;
        }
        // Of some tens of terms in double precision, summed in two orders.
        assertEquals(-sum / examples.stream().mapToInt(Example::targets).sum(), loss, 1e-12);
    }

    @Test
    void learnsTheSameOnAnyNumberOfThreads() {
        List<String> runs = new ArrayList<>();
        for (int threads : new int[] {1, 2}) {
            runs.add(with(threads, learner -> {
                Sft sft = new Sft(learner, TinyModel.tokenizer(), examples(11), settings("epochs", "6"));
                double before = Figures.figure(sft.evaluate(), "loss");
                List<Object> seen = new ArrayList<>();
                double first = 0;
                double last = 0;
                for (long step = 1; step <= sft.steps(); step++) {
                    SequencedMap<String, Object> figures = sft.step(step, 3e-3);
                    last = Figures.figure(figures, "loss");
                    first = step == 1 ? last : first;
                    seen.add(last);
                    seen.add(figures.get("grad_norm"));
                }
                assertTrue(last < 0.8 * first, first + " to " + last);
                assertEquals(2, sft.samples().size());
                seen.add(before);
                seen.add(sft.evaluate());
                return seen.toString();
            }));
        }
        assertEquals(runs.get(0), runs.get(1));
    }

    @Test
    void eachEpochSeesEachTextOnceAndNeverWhatIsHeldOut() {
        List<Integer> items = java.util.stream.IntStream.range(0, 23).boxed().toList();
        Portions<Integer> portions = new Portions<>(items, 0.1, 2.5, 4, 9);
        assertEquals(2, portions.heldOut().size());
        assertEquals(14, portions.steps());
        List<Integer> seen = new ArrayList<>();
        for (long step = portions.steps(); step >= 1; step--) {
            seen.addAll(0, portions.of(step));
        }
        assertEquals(53, seen.size());
        Set<Integer> all = new HashSet<>(items);
        portions.heldOut().forEach(all::remove);
        assertEquals(all, new HashSet<>(seen.subList(0, 21)));
        assertEquals(all, new HashSet<>(seen.subList(21, 42)));
        assertTrue(!seen.subList(0, 21).equals(seen.subList(21, 42)));
        assertEquals(53.0 / 21, portions.epoch(14));
    }

    @Test
    void goesOnOnlyWithTheSameData() throws IOException {
        with(1, learner -> {
            Sft sft = new Sft(learner, TinyModel.tokenizer(), examples(4), settings());
            try {
                sft.save(folder);
                sft.restore(folder);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
            Sft other = new Sft(learner, TinyModel.tokenizer(), examples(5), settings());
            BadInput refusal = assertThrows(BadInput.class, () -> other.restore(folder));
            assertEquals(
                    "the data are not those that the run began with; give the same files, or begin a new run.",
                    refusal.getMessage());
            return "";
        });
    }

    @Test
    void refusesTextsThatNoMicroBatchHolds() {
        List<Example> examples = List.of(new Example(new int[62], new boolean[62]));
        BadInput refusal = assertThrows(
                BadInput.class,
                () -> with(1, learner -> new Sft(learner, TinyModel.tokenizer(), examples, settings()).steps()));
        assertEquals("a text has 62 tokens, a micro-batch holds 61; raise micro_batch_tokens.", refusal.getMessage());
    }
}
