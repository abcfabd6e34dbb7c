package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The engine against `java.util.regex`, told to see characters as Oniguruma does.
class RegexTest {
    private static final String DEEPSEEK_V3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            + "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
    private static final String LLAMA3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String GPT4O =
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
                    + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+(?!\\S)|\\s+";

    static List<String> wellKnown() {
        return List.of(
                Patterns.GPT2,
                Patterns.TRAINED.getFirst(),
                DEEPSEEK_V3,
                LLAMA3,
                LLAMA3.replace("{1,3}", ""),
                GPT4O,
                "\\p{N}{1,3}",
                "[一-龥぀-ゟ゠-ヿ]+",
                "[\r\n]",
                "\\s?[A-Za-zµÀ-ÖØ-öø-ƺႠ-Ⴥ𐐀-𐑏𞤀-𞥃]+",
                "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
                "\\s+$",
                "^\\s+",
                "(?<=[a-z])(?=[A-Z])",
                "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
                "[\\p{L}&&[^a-m\\p{Lu}]]+?x?|[^\\P{L}\\n]++");
    }

    @ParameterizedTest
    @MethodSource("wellKnown")
    void findsWhatJavaFindsInOddText(String pattern) {
        Regex regex = Regex.of(pattern);
        Pattern java = java(pattern);
        Random random = new Random(17);
        for (int i = 0; i < 3_000; i++) {
            String text = oddText(random, 1 + random.nextInt(40));
            assertEquals(all(java, text), all(regex, text), () -> pattern + " on " + escaped(text));
        }
        for (String text : everyCharacter()) {
            assertEquals(all(java, text), all(regex, text), pattern);
        }
    }

    @Test
    void findsWhatJavaFindsByRandomPatterns() {
        Random random = new Random(23);
        int compared = 0;
        for (int i = 0; i < 6_000; i++) {
            String pattern = randomPattern(random, 3);
            Regex regex;
            try {
                regex = Regex.of(pattern);
            } catch (BadInput e) {
                continue;
            }
            Pattern java = java(pattern);
            for (int j = 0; j < 8; j++) {
                StringBuilder text = new StringBuilder();
                for (int k = random.nextInt(10); k >= 0; k--) {
                    text.append(List.of("a", "b", " ", "\n", "1", "é", "😀").get(random.nextInt(7)));
                }
                assertEquals(
                        all(java, text.toString()),
                        all(regex, text.toString()),
                        () -> pattern + " on " + escaped(text.toString()));
                compared++;
            }
        }
        assertTrue(compared > 20_000, "most patterns are read: " + compared);
    }

    /// Characters that differ from each other in case only, as simple case folding has them.
    @Test
    void ignoresCaseBeyondAscii() {
        assertEquals(List.of("0-1", "1-2", "2-3"), all(Regex.of("(?i)s"), "sSſßş"));
        assertEquals(List.of("0-1", "1-2", "2-3"), all(Regex.of("(?i:[k])"), "kK\u212A"));
        assertEquals(List.of("0-1"), all(Regex.of("(?i:i)"), "iİı"));
        assertEquals(List.of("0-1", "1-2"), all(Regex.of("(?i:σ)"), "σΣ"));
    }

    @Test
    void readsOnigurumasOwnSyntax() {
        assertEquals(List.of("0-2"), all(Regex.of("[[:alpha:]]+"), "aé1"));
        assertEquals(List.of("2-3"), all(Regex.of("[[:^alpha:]]"), "aé1"));
        assertEquals(List.of("1-2"), all(Regex.of("\\p{^L}"), "a1b"));
        assertEquals(List.of("0-1", "1-2"), all(Regex.of("\\h"), "fAg"));
        assertEquals(List.of("0-2"), all(Regex.of("\\p{Han}+"), "漢字か"));
        assertEquals(List.of("0-4"), all(Regex.of("(?:a{2}){2}?"), "aaaa"));
        assertEquals(List.of("0-4"), all(Regex.of("a{1,2}+"), "aaaa"));
        assertEquals(List.of("0-1", "1-2", "2-3"), all(Regex.of("[]a-]"), "]a-"));
        assertEquals(List.of("1-2"), all(Regex.of("\\x{4E00}|\\u4e01"), "a\u4E01"));
        assertEquals(List.of("0-4"), all(Regex.of("a{b}"), "a{b}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(",
                ")",
                "a)",
                "[a",
                "a**b{2001}",
                "(?:a?)*",
                "*a",
                "{2}a",
                "\\b",
                "\\1",
                "\\k<a>",
                "(?<n>a)",
                "(?(1)a)",
                "\\p{Nope}",
                "\\p{L",
                "[z-a]",
                "(?<=a+)b",
                "\\x{110000}",
                "(?#comment)",
                "(?:(?:(?:ab|c){900}d){900})",
                "\\"
            })
    void refusesByName(String pattern) {
        BadInput refusal = assertThrows(BadInput.class, () -> Regex.of(pattern));
        assertTrue(Fixtures.message(refusal).contains(pattern), Fixtures.message(refusal));
        assertEquals(1, Fixtures.message(refusal).lines().count());
    }

    @ParameterizedTest
    @MethodSource("wellKnown")
    void takesLinearTimeOnLongRuns(String pattern) {
        Regex regex = Regex.of(pattern);
        boolean looksFar = pattern.contains("(?=(?:");
        for (String part : List.of("a", " ", "\n", looksFar ? "x" : "9", "!", "\u0000", "漢", " \t")) {
            String text = part.repeat(200_000) + "x";
            assertTimeoutPreemptively(
                    Duration.ofSeconds(10), () -> all(regex, text).size());
        }
    }

    private static Pattern java(String pattern) {
        String translated = pattern.replace("(?i:", "(?iu:")
                .replace("\\s", "\\p{IsWhite_Space}")
                .replace("\\S", "\\P{IsWhite_Space}");
        return Pattern.compile(translated, Pattern.MULTILINE | Pattern.UNIX_LINES);
    }

    /// Finds the next match from a place on: begin << 32 | end, or -1.
    private interface Finder {
        long find(int at);
    }

    private static List<String> all(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return all(
                at -> {
                    boolean found = matcher.find(at);
                    while (found && isAmidPair(text, matcher.start())) {
                        found = matcher.find(matcher.start() + 1);
                    }
                    return found ? (long) matcher.start() << 32 | matcher.end() : -1;
                },
                text);
    }

    private static boolean isAmidPair(String text, int at) {
        return at > 0 && at < text.length() && Character.isSurrogatePair(text.charAt(at - 1), text.charAt(at));
    }

    private static List<String> all(Regex regex, String text) {
        char[] chars = text.toCharArray();
        return all(at -> regex.find(chars, at, 0, chars.length), text);
    }

    private static List<String> all(Finder finder, String text) {
        List<String> found = new ArrayList<>();
        int at = 0;
        int last = -1;
        while (at <= text.length()) {
            long match = finder.find(at);
            if (match < 0) {
                break;
            }
            int begin = (int) (match >>> 32);
            int end = (int) match;
            if (end > begin || begin > last) {
                found.add(begin + "-" + end);
            }
            last = end;
            at = end > begin ? end : end == text.length() ? end + 1 : text.offsetByCodePoints(end, 1);
        }
        return found;
    }

    static String oddText(Random random, int pieces) {
        List<String> pools = List.of(
                "abcXYZ",
                "  \t\n\r\u000B\u0085\u00A0\u2028\u3000\u200B",
                "0123456789٣½Ⅷ²①",
                "'sStTreVElLdDmM",
                "!?.,;:-_/\\()[]{}<>@#$",
                "éßſİıǅK",
                "漢字カタかな龥龦",
                "한국어",
                "\u0301\u200D\uFE0F\u0903",
                "\u0000\u0001\u007F\uFEFF\uFFFD\uE000\u0378",
                "∑€→");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < pieces; i++) {
            if (random.nextInt(12) == 0) {
                int c = random.nextInt(Character.MAX_CODE_POINT);
                text.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 0x1F600 : c);
                continue;
            }
            String pool = pools.get(random.nextInt(pools.size()));
            for (int n = random.nextInt(4); n >= 0; n--) {
                text.append(pool.charAt(random.nextInt(pool.length())));
            }
        }
        return text.toString();
    }

    /// Every character that may stand in text, with letters and blanks between.
    private static List<String> everyCharacter() {
        List<String> texts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        for (int c = 0; c <= 0x323AF; c++) {
            if (c < 0xD800 || c > 0xDFFF) {
                text.appendCodePoint(c).append(c % 3 == 0 ? "a" : c % 3 == 1 ? " " : "");
            }
            if (c % 0x4000 == 0x3FFF) {
                texts.add(text.toString());
                text.setLength(0);
            }
        }
        return texts;
    }

    private static String randomPattern(Random random, int depth) {
        StringBuilder pattern = new StringBuilder();
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
            String atom = List.of("a", "b", "[ab]", "[^a]", "\\s", "\\p{L}", ".", "[^\\s1]", "😀", "(?:ab|a)")
                    .get(random.nextInt(10));
            boolean place = false;
            if (depth > 0 && random.nextInt(4) == 0) {
                String inner = randomPattern(random, depth - 1);
                int kind = random.nextInt(6);
                place = kind >= 3;
                atom = List.of("(?:", "(?:a|", "(?>", "(?=", "(?!", "(?<=[ab").get(kind) + (kind == 5 ? "]" : inner)
                        + ")";
            }
            pattern.append(atom);
            if (!place) {
                pattern.append(List.of("", "", "?", "*", "+", "{1,2}", "{2}", "??", "*?", "+?", "?+", "*+", "++")
                        .get(random.nextInt(13)));
            }
            if (random.nextInt(6) == 0) {
                pattern.append(List.of("|", "$", "^").get(random.nextInt(3)));
            }
        }
        return pattern.toString();
    }

    private static String escaped(String text) {
        StringBuilder out = new StringBuilder();
        text.chars().forEach(c -> out.append(c > ' ' && c < 0x7F ? String.valueOf((char) c) : "\\u%04X".formatted(c)));
        return out.toString();
    }

    /// More ways to match than time, and none that does.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a+)+x",
                "(?:a|aa)+x",
                "(?:a|aa|aaa)+?x",
                "a*a*a*a*a*a*a*a*x",
                "a*?a*?a*?a*?a*?a*?a*?a*?x",
                "(?:(?:a{1,9}){1,9}){1,9}x",
                "(?:aa?){1,60}x",
                "(?:(?:ab?)*(?:a)*(?:a)*(?:a)*(?:a)*)x"
            })
    @Timeout(60)
    void triesNoMoreWaysThanThereIsTimeFor(String pattern) {
        Regex regex = Regex.of(pattern);
        char[] text = "a".repeat(200).toCharArray();
        String message = Refusal.of(() -> regex.find(text, 0, 0, text.length));
        assertTrue(message.contains("in too many ways"), message);
    }

    @Test
    void refusesExpressionsOfAnyLength() {
        String message = Refusal.of(() -> Regex.of("a".repeat(5000)));
        assertTrue(message.contains("more than 4000 characters"), message);
    }
}
