package dev.wok.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class StopTextTest {
    private static String random(Rng rng, int length, int letters) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.appendCodePoint(rng.below(i, letters) == 3 ? 0x1F600 : 'a' + rng.below(i, letters));
        }
        return text.toString();
    }

    private static int firstStop(String text, List<String> stops) {
        return stops.stream()
                .mapToInt(text::indexOf)
                .filter(at -> at >= 0)
                .min()
                .orElse(text.length());
    }

    /// Few letters, so that stop strings overlap each other and themselves.
    @Test
    void whatIsGivenOutIsTheTextBeforeTheFirstStopString() {
        Property.of("StopTextTest.cut")
                .size("length", 0, 60)
                .size("stops", 0, 4)
                .size("longest", 1, 6)
                .size("letters", 1, 4)
                .size("piece", 1, 8)
                .cases(2000)
                .check(c -> {
                    Rng rng = c.rng("text");
                    String text = random(rng.split("text"), c.size("length"), c.size("letters"));
                    List<String> stops = new ArrayList<>();
                    for (int i = 0; i < c.size("stops"); i++) {
                        int length = 1 + rng.below(i, c.size("longest"));
                        stops.add(random(rng.split("stop").split(i), length, c.size("letters")));
                    }
                    String expected = text.substring(0, firstStop(text, stops));
                    StopText stream = new StopText(stops);
                    StringBuilder given = new StringBuilder();
                    int at = 0;
                    for (int i = 0; at < text.length() && !stream.found(); i++) {
                        int to = Math.min(text.length(), at + rng.split("cut").below(i, c.size("piece") + 1));
                        to = to > 0 && Character.isHighSurrogate(text.charAt(to - 1)) ? to + 1 : to;
                        given.append(stream.append(text.substring(at, to)));
                        assertTrue(expected.startsWith(given.toString()), given + " of " + expected);
                        at = to;
                    }
                    given.append(stream.found() ? "" : stream.finish());
                    assertEquals(expected, given.toString(), () -> text + " " + stops);
                    assertEquals(expected.length() < text.length(), stream.found());
                    assertEquals(given.length(), stream.released());
                });
    }

    @Test
    void onlyWhatMayBecomeAStopStringIsHeldBack() {
        StopText stream = new StopText(List.of("END", "\n\n"));
        assertEquals("It is the ", stream.append("It is the E"));
        assertEquals("", stream.append("N"));
        assertEquals("ENE", stream.append("EEN").substring(0, 3));
        assertEquals("EN.", stream.append("."));
        assertEquals("", stream.append("\n"));
        assertEquals("\n", stream.finish());
    }

    @Test
    void aLongerOneThatBeganBeforeIsWaitedFor() {
        StopText waiting = new StopText(List.of("abc", "b"));
        assertEquals("", waiting.append("ab"));
        assertEquals("", waiting.append("c"));
        assertTrue(waiting.found());
        StopText decided = new StopText(List.of("abc", "b"));
        assertEquals("", decided.append("ab"));
        assertEquals("a", decided.append("d"));
        assertTrue(decided.found());
        StopText ended = new StopText(List.of("abc", "b"));
        assertEquals("", ended.append("ab"));
        assertEquals("a", ended.finish());
        assertTrue(ended.found());
    }
}
