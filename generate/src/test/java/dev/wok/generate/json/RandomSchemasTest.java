package dev.wok.generate.json;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/// Schemas at random over all keywords, against a validator that others wrote.
class RandomSchemasTest {
    private static final int SCHEMAS = 1000;
    private static final int MANY_SCHEMAS = 10_000;

    private int texts;
    private int ended;
    private int refused;

    private interface Body {
        void on(SchemaMaker.Made made, Grammar grammar, Trie trie, Random random, String hint);
    }

    /// Makes schemas and reads them; counts those that are refused.
    ///
    /// @param tokens of the vocabulary
    private void each(String id, int schemas, int tokens, Body body) {
        long seed = Seeds.of(id);
        Trie trie = new Trie(Tokens.cutFromTexts(tokens, new Random(seed)));
        for (int i = 0; i < schemas; i++) {
            Random random = new Random(seed + i);
            SchemaMaker.Made made = new SchemaMaker(random).document();
            String schema = made.schema().toString();
            Grammar grammar;
            try {
                grammar = Grammar.schema(schema);
            } catch (BadInput e) {
                refused++;
                continue;
            }
            body.on(made, grammar, trie, random, "schema %d (%s) %s: ".formatted(i, Seeds.hint(seed), schema));
        }
    }

    @Test
    void whateverEndsIsValid() {
        whateverEndsIsValid("RandomSchemasTest.valid", SCHEMAS);
    }

    @Tag("slow")
    @Test
    void whateverEndsIsValidForMany() {
        whateverEndsIsValid("RandomSchemasTest.validForMany", MANY_SCHEMAS);
    }

    private void whateverEndsIsValid(String id, int schemas) {
        each(id, schemas, 3000, (made, grammar, trie, random, hint) -> {
            Oracle oracle = new Oracle(made.schema().toString());
            for (int j = 0; j < 3; j++) {
                Talk talk = new Talk(grammar, trie, random);
                boolean end = talk.run((matcher, text) -> {
                    if (matcher.mustEnd() || matcher.mayEnd() && random.nextInt(3) == 0) {
                        assertEquals("", oracle.wrong(text), () -> hint + new String(text, StandardCharsets.UTF_8));
                    }
                });
                if (end) {
                    assertEquals("", oracle.wrong(talk.text()), () -> hint + talk);
                    ended++;
                }
                texts++;
            }
        });
        assertTrue(refused < schemas / 50, refused + " refused");
        assertTrue(ended > texts * 0.9, ended + " ended of " + texts);
    }

    @Test
    void whatIsValidCanBeWritten() {
        whatIsValidCanBeWritten("RandomSchemasTest.written", SCHEMAS);
    }

    @Tag("slow")
    @Test
    void whatIsValidCanBeWrittenForMany() {
        whatIsValidCanBeWritten("RandomSchemasTest.writtenForMany", MANY_SCHEMAS);
    }

    private void whatIsValidCanBeWritten(String id, int schemas) {
        each(id, schemas, 3000, (made, grammar, trie, random, hint) -> {
            Oracle oracle = new Oracle(made.schema().toString());
            for (int j = 0; j < 2; j++) {
                JsonNode value = made.value().get();
                assertEquals("", oracle.wrong(value.toString().getBytes(StandardCharsets.UTF_8)), hint + value);
                for (Writing writing : Writing.values()) {
                    String text = writing.of(value);
                    assertEquals("", read(grammar, trie, text, random), hint + text);
                }
            }
        });
        assertTrue(refused < schemas / 50, refused + " refused");
    }

    /// Splits the text into tokens at random.
    private static String read(Grammar grammar, Trie trie, String text, Random random) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Matcher matcher = grammar.matcher(trie);
        for (int at = 0; at < bytes.length; ) {
            int from = at;
            int[] fitting = Bits.of(matcher.allowed()).stream()
                    .filter(id -> starts(trie.bytes(id), bytes, from))
                    .mapToInt(id -> id)
                    .toArray();
            if (fitting.length == 0) {
                return "refused after " + new String(bytes, 0, at, StandardCharsets.UTF_8);
            }
            int id = fitting[random.nextInt(fitting.length)];
            matcher.accept(id);
            at += trie.bytes(id).length;
        }
        return matcher.mayEnd() ? "" : "may not end";
    }

    private static boolean starts(byte[] token, byte[] text, int from) {
        return from + token.length <= text.length
                && Arrays.equals(token, 0, token.length, text, from, from + token.length);
    }

    @Test
    void masksAreWhatTryingEachTokenGives() {
        each("RandomSchemasTest.masks", 60, 1200, (_, grammar, trie, random, hint) -> {
            new Talk(grammar, trie, random).run((matcher, text) -> {
                if (random.nextInt(4) == 0) {
                    assertArrayEquals(
                            naive(matcher, trie),
                            matcher.allowed(),
                            () -> hint + new String(text, StandardCharsets.UTF_8));
                }
            });
        });
    }

    private static long[] naive(Matcher matcher, Trie trie) {
        long[] mask = new long[trie.words()];
        for (int id = 0; id < trie.size(); id++) {
            try {
                matcher.copy().accept(id);
                mask[id / Long.SIZE] |= 1L << id;
            } catch (IllegalArgumentException e) {
                // Its bit stays.
            }
        }
        return mask;
    }
}
