package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ConstraintTest {
    private static Vocabulary vocabulary(String... tokens) {
        return Vocabulary.of(Arrays.stream(tokens)
                .map(token -> token.getBytes(StandardCharsets.UTF_8))
                .toList());
    }

    private static FlowMatcher matcher(Constraint constraint, Vocabulary vocabulary) {
        return constraint.matcher(vocabulary, Set.of());
    }

    private static String allowed(Constraint constraint, Vocabulary vocabulary) {
        return allowed(matcher(constraint, vocabulary), vocabulary);
    }

    private static String allowed(FlowMatcher matcher, Vocabulary vocabulary) {
        return Allowed.of(matcher, vocabulary.size()).toString();
    }

    @Test
    void tokensAreMaskedUntilTheValueEnds() {
        Vocabulary vocabulary = vocabulary("", "{\"", "a", "\": ", "1", "2}", "}", "a\":", "x", "{\"a\":12}");
        Constraint constraint = Constraint.schema("""
                {"type": "object", "properties": {"a": {"type": "integer", "maximum": 12}}, "required": ["a"],
                "additionalProperties": false}""");
        FlowMatcher matcher = matcher(constraint, vocabulary);
        assertEquals("{1, 9}", allowed(matcher, vocabulary));
        assertFalse(matcher.mayEnd());
        matcher.accept(1);
        assertEquals("{2, 7}", allowed(matcher, vocabulary));
        assertThrows(IllegalArgumentException.class, () -> matcher.accept(8));
        assertThrows(IllegalArgumentException.class, () -> matcher.accept(0));
        matcher.accept(2);
        matcher.accept(3);
        assertEquals("{4, 5}", allowed(matcher, vocabulary));
        matcher.accept(4);
        assertEquals("{4, 5, 6}", allowed(matcher, vocabulary));
        matcher.accept(5);
        assertTrue(matcher.mayEnd());
        assertTrue(matcher.mustEnd());
        assertEquals("{}", allowed(matcher, vocabulary));
        assertEquals("{1, 9}", allowed(constraint, vocabulary));
    }

    @Test
    void aNumberMayEndAndGoOn() {
        Vocabulary vocabulary = vocabulary("1", ".", " ", ",");
        FlowMatcher matcher = matcher(Constraint.anyJson(), vocabulary);
        matcher.accept(0);
        assertTrue(matcher.mayEnd());
        assertFalse(matcher.mustEnd());
        assertEquals("{0, 1}", allowed(matcher, vocabulary));
    }

    /// Ids of the same bytes are the same; no token at all, and tokens that are too long, do no harm.
    @Test
    void oddVocabularies() {
        assertEquals("{0, 2}", allowed(Constraint.schema("{\"type\": \"null\"}"), vocabulary("n", "x", "n")));
        assertEquals("{}", allowed(Constraint.anyJson(), vocabulary()));
        assertEquals("{}", allowed(Constraint.anyJson(), vocabulary("", "")));
        assertEquals("{1}", allowed(Constraint.anyJson(), vocabulary("[".repeat(40), "[")));
        assertEquals(
                70,
                vocabulary(Stream.generate(() -> "a").limit(70).toArray(String[]::new))
                        .size());
    }

    @Test
    void refusalsAreForPeople() {
        assertEquals(
                "the schema's /properties/a has the keyword 'multipleOf', which is not supported.",
                Thrown.message(
                        BadInput.class, () -> Constraint.schema("{\"properties\": {\"a\": {\"multipleOf\": 2}}}")));
    }

    /// Many threads share a constraint and a vocabulary, and get the masks that one alone gets.
    @Test
    void threadsShareIt() {
        Vocabulary vocabulary = Vocabulary.of(
                IntStream.range(0, 256).mapToObj(b -> new byte[] {(byte) b}).toList());
        Constraint constraint = Constraint.anyJson();
        List<Integer> alone = hashes(Constraint.anyJson(), vocabulary, 0);
        List<List<Integer>> together = IntStream.range(0, 8)
                .parallel()
                .mapToObj(i -> hashes(constraint, vocabulary, i % 2))
                .toList();
        for (int i = 0; i < together.size(); i += 2) {
            assertEquals(alone, together.get(i));
        }
    }

    private static List<Integer> hashes(Constraint constraint, Vocabulary vocabulary, long seed) {
        Random random = new Random(seed);
        FlowMatcher matcher = matcher(constraint, vocabulary);
        return IntStream.range(0, 500)
                .takeWhile(_ -> !matcher.mustEnd())
                .mapToObj(_ -> {
                    BitSet allowed = Allowed.of(matcher, vocabulary.size());
                    int[] ids = allowed.stream().toArray();
                    matcher.accept(ids[random.nextInt(ids.length)]);
                    return allowed.hashCode();
                })
                .toList();
    }

    @Test
    void logitsOfOtherTokensAreGone() {
        Random random = new Random(1);
        for (int size : new int[] {0, 1, 63, 64, 65, 1000}) {
            float[] logits = new float[size];
            float[] expected = new float[size];
            long[] allowed = new long[(size + 63) / 64];
            for (int word = 0; word < allowed.length; word++) {
                allowed[word] = random.nextInt(3) == 0 ? random.nextLong() : random.nextBoolean() ? 0 : -1;
            }
            for (int id = 0; id < size; id++) {
                logits[id] = random.nextFloat();
                expected[id] = BitSet.valueOf(allowed).get(id) ? logits[id] : Float.NEGATIVE_INFINITY;
            }
            Masked.apply(logits, allowed);
            assertArrayEquals(expected, logits);
        }
    }
}
