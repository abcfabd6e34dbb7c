package dev.wok.generate.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Patterns as automata, against the JDK's regular expressions where the two mean the same.
class PatternTest {
    private static final String[] ATOMS = {
        "a", "b", "c", ".", "[ab]", "[^a]", "[b-d]", "\\d", "\\w", "\\S", "[^\\d]", "é", "[à-ü]", "\\u0062", "\\.",
        "😀", "[\\-x]", "\\x61"
    };
    private static final String[] COUNTS = {"", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "{0}"};
    private static final String[] CHARACTERS = {"a", "b", "c", "d", "x", "1", "_", ".", "-", " ", "é", "世", "😀", "\n"};

    private static Chars chars(String pattern) {
        return Chars.of(Strings.read("test", pattern));
    }

    private static String pattern(Random random, int depth) {
        StringBuilder pattern = new StringBuilder();
        for (int i = random.nextInt(4); i >= 0; i--) {
            switch (random.nextInt(depth > 0 ? 10 : 7)) {
                case 7 ->
                    pattern.append('(')
                            .append(pattern(random, depth - 1))
                            .append(')')
                            .append(any(COUNTS, random));
                case 8 ->
                    pattern.append("(?:")
                            .append(pattern(random, depth - 1))
                            .append('|')
                            .append(pattern(random, 0))
                            .append(')')
                            .append(any(COUNTS, random));
                case 9 -> pattern.append(random.nextBoolean() ? "^" : "$");
                default -> pattern.append(any(ATOMS, random)).append(any(COUNTS, random));
            }
        }
        return pattern.toString();
    }

    private static String any(String[] of, Random random) {
        return of[random.nextInt(of.length)];
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(7); i > 0; i--) {
            text.append(any(CHARACTERS, random));
        }
        return text.toString();
    }

    @Test
    void theSameTextsAreFound() {
        long seed = Seeds.of("PatternTest");
        int found = 0;
        int excess = 0;
        for (int i = 0; i < 3000; i++) {
            Random random = new Random(seed + i);
            String pattern = (random.nextBoolean() ? "^" : "") + pattern(random, 2) + (random.nextBoolean() ? "$" : "");
            Chars chars;
            try {
                chars = chars(pattern);
            } catch (Excess e) {
                excess++;
                continue;
            }
            // The JDK's $ is before a last line end, too.
            var expected = java.util.regex.Pattern.compile(pattern.replace("$", "\\z"));
            boolean any = false;
            for (int j = 0; j < 30; j++) {
                String text = text(random);
                boolean same = expected.matcher(text).find();
                assertEquals(same, chars.contains(text), "%s in %s, %s".formatted(pattern, text, Seeds.hint(seed)));
                any |= same;
            }
            assertFalse(any && chars.isEmpty());
            found += any ? 1 : 0;
        }
        assertTrue(found > 1000, found + " patterns were found");
        assertTrue(excess < 10, excess + " patterns were too large");
    }

    @Test
    void bothAndLengths() {
        long seed = Seeds.of("PatternTest.both");
        for (int i = 0; i < 500; i++) {
            Random random = new Random(seed + i);
            Chars a = chars(pattern(random, 1));
            Chars b = chars(pattern(random, 1));
            int min = random.nextInt(3);
            int max = random.nextBoolean() ? StringFrame.MANY : min + random.nextInt(3);
            Chars both = a.and(b).ofLength(min, max);
            for (int j = 0; j < 30; j++) {
                String text = text(random);
                int length = text.codePointCount(0, text.length());
                boolean expected = a.contains(text) && b.contains(text) && length >= min && length <= max;
                assertEquals(expected, both.contains(text), text);
            }
        }
    }

    @Test
    void bytesAreThoseOfTheText() {
        long seed = Seeds.of("PatternTest.bytes");
        for (int i = 0; i < 500; i++) {
            Random random = new Random(seed + i);
            Chars chars = chars(pattern(random, 1));
            Dfa dfa = CharsText.of(chars);
            for (int j = 0; j < 30; j++) {
                String text = text(random);
                assertEquals(chars.contains(text), accepts(dfa, JsonText.of(text)), text);
            }
        }
    }

    /// Every character by itself: the borders of UTF-8 and of escapes.
    @Test
    void everyCharacter() {
        for (String set :
                List.of(".", "[^a]", "\\W", "[\\u0000-\\u001f\"]", "[߾-ࠁ]", "[\\u{ffff}-\\u{10000}]", "\\s")) {
            Chars chars = chars("^" + set + "$");
            Dfa dfa = CharsText.of(chars);
            CodePoints points = ((Pattern.OneOf) Strings.read("test", set)).set();
            for (int c = 0; c <= CodePoints.LAST; c++) {
                boolean half = c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
                if (!half && (c < 0x3000 || c % 61 == 0 || c > 0xD700 && c < 0x10100)) {
                    assertEquals(points.contains(c), accepts(dfa, JsonText.of(Character.toString(c))), set + c);
                }
            }
        }
    }

    static boolean accepts(Dfa dfa, String text) {
        int state = Dfa.START;
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            if (state < 0) {
                return false;
            }
            state = dfa.next(state, b & 0xFF);
        }
        return state == Dfa.ENDED || state >= 0 && dfa.accepts(state);
    }
}
