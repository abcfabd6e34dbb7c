package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PaceTest {
    /// A step takes 10 ms, and 2 ms more for each token of a prompt: about 5 of them make it twice as long.
    @Test
    void promptsMakeAStepTwiceAsLong() {
        Pace pace = new Pace();
        assertEquals(32, pace.promptTokens(3));
        pace.took(0, 100, 200_000_000);
        assertEquals(32, pace.promptTokens(3));
        for (int i = 0; i < 50; i++) {
            pace.took(3, 0, i % 10 == 0 ? 90_000_000 : 10_000_000);
            int tokens = pace.promptTokens(3);
            pace.took(3, tokens, 10_000_000 + tokens * 2_000_000L);
        }
        assertTrue(pace.promptTokens(3) >= 5 && pace.promptTokens(3) <= 8, pace.promptTokens(3) + " tokens");
        assertEquals(pace.promptTokens(3), pace.promptTokens(2));
        assertEquals(pace.promptTokens(3), pace.promptTokens(100));
        assertEquals(pace.promptTokens(3), pace.promptTokens(1));
    }

    @Test
    void aPromptAlwaysGetsOn() {
        Pace pace = new Pace();
        pace.took(1, 0, 1000);
        pace.took(1, 1, 1_000_000_000);
        assertEquals(1, pace.promptTokens(1));
        pace.took(0, 1, 0);
        assertTrue(pace.promptTokens(1) >= 1);
    }
}
