package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SchedulerTest {
    private static final int PAGE = 4;
    private static final int STEP = 16;

    private static int[] ids(int from, int count) {
        return IntStream.range(from, from + count).toArray();
    }

    private static Map<Long, Integer> read(Step step) {
        Map<Long, Integer> read = new HashMap<>();
        step.readings().forEach(reading -> read.put(reading.sequence().number(), reading.count()));
        return read;
    }

    private static Scheduler scheduler(int pages, int most) {
        return new Scheduler(new PagePool(pages, PAGE), PAGE, STEP, most);
    }

    private static Map<Long, Integer> run(Scheduler scheduler, int promptTokens) {
        Step step = scheduler.schedule(promptTokens, false);
        Map<Long, Integer> read = read(step);
        scheduler.finish(step);
        step.readings().stream()
                .map(Step.Reading::sequence)
                .filter(s -> s.unread() == 0)
                .forEach(s -> s.add(7));
        return read;
    }

    @Test
    void aLongPromptSharesWithShortOnesAndGetsOn() {
        Scheduler scheduler = scheduler(100, 8);
        scheduler.add(new Sequence(0, 0, ids(0, 60)));
        scheduler.add(new Sequence(1, 0, ids(100, 50)));
        scheduler.add(new Sequence(2, 0, ids(200, 3)));
        assertEquals(Map.of(0L, 8, 1L, 5, 2L, 3), run(scheduler, 1));
        assertEquals(Map.of(0L, 2, 1L, 2, 2L, 1), run(scheduler, 4));
        assertEquals(Map.of(0L, 1, 2L, 1), run(scheduler, 1));
    }

    @Test
    void higherPrioritiesComeFirst() {
        Scheduler scheduler = scheduler(100, 8);
        scheduler.add(new Sequence(0, 0, ids(0, 20)));
        scheduler.add(new Sequence(1, 5, ids(100, 20)));
        assertEquals(Map.of(1L, 16), run(scheduler, 1));
        assertEquals(Map.of(1L, 4, 0L, 12), run(scheduler, 1));
    }

    @Test
    void aPromptWhoseLogitsAreWantedIsReadWhole() {
        Scheduler scheduler = scheduler(100, 8);
        scheduler.add(new Sequence(0, 0, ids(0, 22)));
        scheduler.add(new Sequence(1, 0, ids(0, 22)).scored());
        scheduler.add(new Sequence(2, 0, ids(0, 22)));
        assertEquals(Map.of(0L, 8, 1L, 8), run(scheduler, 1));
        assertEquals(Map.of(0L, 8, 1L, 8), run(scheduler, 1));
        assertEquals(Map.of(0L, 6, 1L, 6), run(scheduler, 1));
        assertEquals(Map.of(0L, 1, 1L, 1, 2L, 1), run(scheduler, 1));
    }

    /// And where its pages were needed meanwhile, only those logits are wanted that are not known.
    @Test
    void logitsAreWantedOnce() {
        Scheduler scheduler = scheduler(8, 8);
        scheduler.add(new Sequence(0, 0, ids(0, 20)).scored());
        Sequence urgent = new Sequence(1, 1, ids(100, 15));
        assertEquals(Map.of(0L, 16), run(scheduler, 1));
        scheduler.add(urgent);
        assertEquals(Map.of(1L, 15), run(scheduler, 1));
        assertEquals(Map.of(1L, 1), run(scheduler, 1));
        assertEquals(Map.of(1L, 1), run(scheduler, 1));
        scheduler.remove(urgent);
        Step.Reading again = scheduler.schedule(1, false).readings().getFirst();
        assertEquals(12, again.from());
        assertEquals(8, again.count());
        assertEquals(4, again.logits());
        assertEquals(1, again.picks());
    }

    @Test
    void aPromptWaitsForThePagesThatAnotherReads() {
        Scheduler scheduler = scheduler(100, 8);
        int[] text = Arrays.copyOf(ids(0, 20), 22);
        text[21] = 1;
        scheduler.add(new Sequence(0, 0, ids(0, 22)));
        scheduler.add(new Sequence(1, 0, text));
        assertEquals(Map.of(0L, 16), run(scheduler, 1));
        assertEquals(Map.of(0L, 6), run(scheduler, 1));
        assertEquals(Map.of(0L, 1, 1L, 1), run(scheduler, 1));
        assertEquals(Map.of(0L, 1, 1L, 1), run(scheduler, 1));
    }

    @Test
    void whoComesLastGivesPagesBack() {
        Scheduler scheduler = scheduler(4, 8);
        scheduler.add(new Sequence(0, 0, ids(0, 7)));
        scheduler.add(new Sequence(1, 0, ids(100, 7)));
        assertEquals(Map.of(0L, 7, 1L, 7), run(scheduler, 1));
        assertEquals(Map.of(0L, 1, 1L, 1), run(scheduler, 1));
        assertEquals(Map.of(0L, 1), run(scheduler, 1));
        scheduler.remove(scheduler.sequences().getFirst());
        // Its first page is known still, the second went to the other one.
        assertEquals(Map.of(1L, 5), run(scheduler, 1));
    }

    /// Random arrivals, departures and budgets, against caches that are arrays of ids: everyone gets on, nobody reads
    /// anything twice in a step, and what is read follows what the pages hold.
    @Test
    void everyoneGetsOn() {
        for (int pages : new int[] {8, 20, 100}) {
            Rng rng = Seeds.rng("scheduler " + pages);
            int[][] cache = new int[pages][PAGE];
            PagePool pool = new PagePool(pages, PAGE);
            Scheduler scheduler = new Scheduler(pool, PAGE, STEP, 5);
            Map<Long, Integer> ends = new HashMap<>();
            long draws = 0;
            int ended = 0;
            int accepted = 0;
            for (int i = 0; i < 20_000; i++) {
                if (scheduler.sequences().size() < 9 && rng.below(draws++, 3) == 0) {
                    int[] prompt = new int[1 + rng.below(draws++, 20)];
                    for (int t = 0; t < prompt.length; t++) {
                        prompt[t] = rng.below(draws++, 9) == 0 ? 2 : t % 2;
                    }
                    Sequence sequence = new Sequence(i, rng.below(draws++, 4) == 0 ? 1 : 0, prompt);
                    ends.put(sequence.number(), prompt.length + 1 + rng.below(draws++, 8));
                    scheduler.add(sequence);
                }
                Step step = scheduler.schedule(1 + rng.below(draws++, 6), rng.below(draws++, 3) > 0);
                for (PagePool.Filling filling : step.fillings()) {
                    PagePool.Copy copy = (PagePool.Copy) filling;
                    System.arraycopy(cache[copy.from()], 0, cache[copy.to()], 0, copy.tokens());
                }
                assertEquals(scheduler.sequences().isEmpty(), step.readings().isEmpty());
                assertTrue(step.tokens() <= STEP && step.readings().size() <= 5);
                Set<Integer> written = new HashSet<>();
                for (Step.Reading reading : step.readings()) {
                    Sequence sequence = reading.sequence();
                    int[] table = sequence.table().numbers();
                    assertEquals(sequence.read(), reading.from());
                    for (int t = reading.from(); t < reading.from() + reading.count(); t++) {
                        cache[table[t / PAGE]][t % PAGE] = reading.ids()[t - reading.from()];
                        assertTrue(written.add(table[t / PAGE] * PAGE + t % PAGE), "written twice");
                    }
                }
                for (Step.Reading reading : step.readings()) {
                    int[] table = reading.sequence().table().numbers();
                    int[] seen = IntStream.range(0, reading.from() + reading.count())
                            .map(t -> cache[table[t / PAGE]][t % PAGE])
                            .toArray();
                    assertArrayEquals(Arrays.copyOf(reading.sequence().text(), seen.length), seen);
                }
                List<Sequence> over = new ArrayList<>();
                for (Step.Reading reading : step.readings()) {
                    Sequence sequence = reading.sequence();
                    int end = ends.getOrDefault(sequence.number(), 0);
                    int picks = reading.picks();
                    for (int pick = 0; pick < picks && sequence.length() < end && reading.kept() >= pick; pick++) {
                        sequence.add(rng.below(draws++, 2));
                        accepted += pick;
                    }
                    if (picks > 0 && sequence.length() == end) {
                        over.add(sequence);
                    } else if (picks > 0 && rng.below(draws++, 2) == 0) {
                        sequence.draft(rng.below(draws++, 2));
                    }
                }
                scheduler.finish(step);
                over.forEach(scheduler::remove);
                ended += over.size();
                if (!scheduler.sequences().isEmpty() && rng.below(draws++, 30) == 0) {
                    List<Sequence> all = new ArrayList<>(scheduler.sequences());
                    scheduler.remove(all.get(rng.below(draws++, all.size())));
                }
            }
            List.copyOf(scheduler.sequences()).forEach(scheduler::remove);
            assertEquals(pages, pool.available());
            assertTrue(ended > 1000, ended + " texts have ended");
            assertTrue(accepted > 1000, accepted + " drafts were right");
            assertFalse(ends.isEmpty());
        }
    }
}
