package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class DraftingTest {
    /// Of the steps, how many read drafts and how many were followed by making some.
    private record Steps(int reading, int making) {}

    /// Runs steps that take 1 ms without drafts.
    ///
    /// @param rightOf 100 drafts
    private static Steps run(Drafting drafting, int steps, int texts, int rightOf, double reading, double making) {
        int read = 0;
        int made = 0;
        boolean available = false;
        for (int i = 0; i < steps; i++) {
            boolean reads = drafting.reads(texts) && available;
            boolean makes = drafting.makes(texts);
            read += reads ? 1 : 0;
            made += makes ? 1 : 0;
            for (int text = 0; reads && text < texts; text++) {
                drafting.compared((i * 37 + text) % 100 < rightOf);
            }
            long held = i % 11 == 5 ? 20_000_000 : 0;
            long took = (long) ((reads ? reading : 1) * 1e6) + held;
            drafting.took(texts, reads ? texts : 0, false, took, makes ? (long) (making * 1e6) : 0);
            available = makes;
        }
        return new Steps(read, made);
    }

    /// 1.8 tokens for 1.4 times the time.
    @Test
    void draftsThatPayAreReadButForAComparisonNowAndThen() {
        Drafting drafting = new Drafting(Engine.Speculation.WHERE_FASTER);
        run(drafting, 40, 1, 80, 1.2, 0.2);
        Steps steps = run(drafting, 1600, 1, 80, 1.2, 0.2);
        assertEquals(1600, steps.making);
        assertTrue(steps.reading >= 1490 && steps.reading < 1510, steps.toString());
    }

    /// 1.2 tokens for 1.4 times the time: a trial of 16 steps loses 2.7, which is a hundredth of 267.
    @Test
    void draftsThatDoNotPayAreTriedNowAndThen() {
        Drafting drafting = new Drafting(Engine.Speculation.WHERE_FASTER);
        run(drafting, 1_000, 1, 20, 1.2, 0.2);
        Steps steps = run(drafting, 10_000, 1, 20, 1.2, 0.2);
        assertTrue(steps.making > 300 && steps.making < 700, steps.toString());
        assertTrue(steps.reading > 150 && steps.reading < 350, steps.toString());
    }

    /// Three times the time, so that even a model that is always right gains nothing.
    @Test
    void draftsThatCannotPayAreGivenUpAtOnce() {
        Drafting drafting = new Drafting(Engine.Speculation.WHERE_FASTER);
        assertTrue(run(drafting, 70, 1, 100, 2.6, 0.4).making <= 10);
        run(drafting, 1_000, 1, 100, 2.6, 0.4);
        assertTrue(run(drafting, 10_000, 1, 100, 2.6, 0.4).making <= 250);
    }

    @Test
    void whatPaysForOneTextNeedNotForMany() {
        Drafting drafting = new Drafting(Engine.Speculation.WHERE_FASTER);
        for (int i = 0; i < 10; i++) {
            run(drafting, 40, 1, 70, 1.1, 0.1);
            run(drafting, 200, 16, 70, 1.8, 0.2);
        }
        assertTrue(run(drafting, 100, 1, 70, 1.1, 0.1).reading > 90);
        assertTrue(run(drafting, 100, 16, 70, 1.8, 0.2).reading < 30);
    }

    /// A model that begins to guess badly, and well again.
    @Test
    void itFollowsHowOftenDraftsAreRight() {
        Drafting drafting = new Drafting(Engine.Speculation.WHERE_FASTER);
        run(drafting, 100, 1, 90, 1.2, 0.2);
        assertTrue(run(drafting, 100, 1, 90, 1.2, 0.2).reading > 90);
        run(drafting, 300, 1, 0, 1.2, 0.2);
        assertTrue(run(drafting, 100, 1, 0, 1.2, 0.2).reading < 20);
        run(drafting, 4_000, 1, 90, 1.2, 0.2);
        assertTrue(run(drafting, 100, 1, 90, 1.2, 0.2).reading > 90);
    }

    /// Prompts in every step, or texts that have no draft yet.
    @Test
    void whereNothingIsLearntDraftsAreGivenUp() {
        for (boolean prompts : new boolean[] {true, false}) {
            Drafting drafting = new Drafting(Engine.Speculation.WHERE_FASTER);
            int made = 0;
            for (int i = 0; i < 10_000; i++) {
                boolean makes = drafting.makes(8);
                made += makes ? 1 : 0;
                drafting.took(8, drafting.reads(8) ? 5 : 0, prompts, 1_000_000, makes ? 100_000 : 0);
            }
            assertTrue(made > 100 && made < 800, made + " of 10,000 steps were followed by guesses");
        }
    }

    @Test
    void whatIsAskedForIsDone() {
        Drafting never = new Drafting(Engine.Speculation.NEVER);
        assertFalse(never.makes(1) || never.reads(1));
        Drafting always = new Drafting(Engine.Speculation.ALWAYS);
        assertEquals(new Steps(499, 500), run(always, 500, 3, 0, 5, 5));
    }
}
