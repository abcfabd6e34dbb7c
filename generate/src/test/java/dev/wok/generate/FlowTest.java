package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class FlowTest {
    private static final int STOP = 256;
    private static final int THOUGHT = 257;
    private static final int CALLS = 258;
    private static final int CALL = 259;
    private static final int CALL_ENDS = 260;
    private static final int CALLS_END = 261;
    private static final List<String> WORDS = List.of(
            "tool",
            "call",
            "<tool",
            "_call>",
            "_call>\n",
            "get",
            "get_time",
            "_time",
            "\": ",
            "{\"",
            "{}",
            "}\n",
            "true",
            "\", \"",
            "x".repeat(40),
            "</think>");

    /// Single bytes, special tokens, words.
    private static final Vocabulary VOCABULARY = vocabulary();

    private static Vocabulary vocabulary() {
        List<byte[]> tokens = new ArrayList<>();
        for (int b = 0; b < STOP; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        while (tokens.size() <= CALLS_END) {
            tokens.add(new byte[0]);
        }
        WORDS.forEach(word -> tokens.add(word.getBytes(StandardCharsets.UTF_8)));
        return Vocabulary.of(tokens);
    }

    private static int word(String word) {
        return CALLS_END + 1 + WORDS.indexOf(word);
    }

    /// A text of a form, told as words, single characters and names of special tokens.
    private static final class Telling {
        private final FlowMatcher matcher;

        Telling(Flow flow) {
            matcher = Constraint.of(flow).matcher(VOCABULARY, Set.of(STOP));
        }

        Telling then(int... ids) {
            for (int id : ids) {
                assertTrue(may(id), () -> id + " is not among " + this);
                matcher.accept(id);
            }
            return this;
        }

        Telling then(String text) {
            return text.length() > 1 && WORDS.contains(text)
                    ? then(word(text))
                    : then(text.chars().toArray());
        }

        boolean may(int id) {
            return Allowed.of(matcher, VOCABULARY.size()).get(id);
        }

        boolean mayEnd() {
            return may(STOP) && matcher.ends(STOP);
        }

        /// What may come next.
        @Override
        public String toString() {
            return Allowed.of(matcher, VOCABULARY.size()).stream()
                    .mapToObj(id -> id < STOP
                            ? Character.toString(id)
                            : id <= CALLS_END ? Integer.toString(id) : WORDS.get(id - CALLS_END - 1))
                    .collect(Collectors.toCollection(TreeSet::new))
                    .toString();
        }
    }

    @Test
    void thoughtsAndThenJson() {
        Telling telling = new Telling(Flow.sequence(
                Flow.free().until(Flow.token(THOUGHT)).mustGoOn(), Constraint.schema("{\"type\": \"boolean\"}")));
        assertFalse(telling.mayEnd());
        assertTrue(telling.may(CALL));
        telling.then("true").then(CALL).then("so</").then(THOUGHT);
        assertEquals("[\n,  , f, t, true]", telling.toString());
        telling.then("tru");
        assertEquals("[e]", telling.toString());
        assertFalse(telling.matcher.mustEnd());
        telling.then("e");
        assertTrue(telling.matcher.mustEnd());
    }

    private static Flow call(String... names) {
        Flow[] choices = new Flow[names.length];
        for (int i = 0; i < names.length; i++) {
            choices[i] = Flow.given(names[i]);
        }
        return Flow.sequence(
                Flow.given("\n{\"name\": \""),
                Flow.choice(choices),
                Flow.given("\", \"arguments\": "),
                Constraint.schema("{\"type\": \"object\", \"additionalProperties\": false,"
                        + " \"properties\": {\"a\": {\"type\": \"boolean\"}}}"),
                Flow.given("}\n</tool_call>"));
    }

    @Test
    void callsOfToolsWithinFreeText() {
        Telling telling =
                new Telling(Flow.repeat(Flow.free().until(Flow.given("<tool_call>"), call("get", "get_time", "x"))));
        assertTrue(telling.mayEnd());
        telling.then("a<tool tool <tool");
        assertFalse(telling.may(word("_call>\n")));
        telling.then("_call>");
        assertEquals("[\n]", telling.toString());
        telling.then("\n{\"name").then("\": ").then("\"");
        assertEquals("[g, get, get_time, x]", telling.toString());
        telling.then("get");
        assertEquals("[\", \", \", _, _time]", telling.toString());
        telling.then("\", \"").then("arguments").then("\": ");
        assertEquals("[\n,  , {, {\", {}]", telling.toString());
        telling.then("{\"").then("a").then("\": ").then("true").then("}");
        assertEquals("[}, }\n]", telling.toString());
        telling.then("}\n").then("</tool_call>");
        assertTrue(telling.mayEnd());
        assertTrue(telling.may(CALL) && telling.may(word("x".repeat(40))));
        telling.then("and <tool").then("_call>");
        assertEquals("[\n]", telling.toString());
        telling.then("\n{\"name").then("\": ").then("\"").then("get_time").then("\"");
        assertEquals("[,]", telling.toString());
    }

    @Test
    void callsOfToolsBetweenSpecialTokens() {
        Flow call = Flow.sequence(Flow.token(CALL), call("f"), Flow.token(CALL_ENDS));
        Telling telling = new Telling(Flow.free()
                .until(
                        Flow.token(CALLS),
                        call,
                        Flow.repeat(Flow.sequence(Flow.given("\n"), call)),
                        Flow.token(CALLS_END)));
        telling.then("hi").then(CALLS);
        assertEquals("[259]", telling.toString());
        for (int i = 0; i < 2; i++) {
            telling.then(CALL).then("\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>");
            assertEquals("[260]", telling.toString());
            telling.then(CALL_ENDS);
            assertEquals("[\n, 261]", telling.toString());
            if (i == 0) {
                telling.then("\n");
            }
        }
        assertFalse(telling.mayEnd());
        telling.then(CALLS_END);
        assertTrue(telling.matcher.mustEnd());
    }

    @Test
    void freeTextHasALimit() {
        Telling telling = new Telling(Flow.free()
                .until(Flow.given("</think>"), Flow.given("!"))
                .mustGoOn()
                .atMost(3));
        telling.then("x".repeat(40)).then("a<");
        assertEquals("[/]", telling.toString());
        telling.then("/think>!");
        assertTrue(telling.matcher.mustEnd());

        Flow either = Flow.free()
                .until(Flow.token(THOUGHT))
                .until(Flow.given("</think>"))
                .atMost(0);
        telling = new Telling(either);
        assertEquals("[256, 257, <, </think>]", telling.toString());
        assertTrue(telling.mayEnd());
        telling.then("<");
        assertEquals("[/]", telling.toString());
    }

    /// U+20AC takes three bytes, each of them a token.
    @Test
    void theLimitCutsNoCharacter() {
        Flow flow = Flow.free().until(Flow.token(THOUGHT)).mustGoOn().atMost(1);
        Telling telling = new Telling(flow).then(0xE2, 0x82);
        assertTrue(telling.may(0xAC));
        telling.then(0xAC);
        assertEquals("[257]", telling.toString());
        telling = new Telling(flow).then(0xE2, 0xE2, 0xE2, 0xE2);
        assertEquals("[257]", telling.toString());
    }

    @Test
    void aStopTokenThatIsAskedForIsPartOfTheText() {
        Telling telling =
                new Telling(Flow.free().until(Flow.token(STOP), Flow.given("a"), Flow.token(STOP), Flow.given("b")));
        assertTrue(telling.may(STOP));
        assertFalse(telling.mayEnd());
        telling.then(STOP);
        assertEquals("[a]", telling.toString());
        telling.then("a");
        assertEquals("[256]", telling.toString());
        telling.then(STOP).then("b");
        assertTrue(telling.matcher.mustEnd());
        FlowMatcher free = Constraint.of(Flow.free().until(Flow.given("aa"))).matcher(VOCABULARY, Set.of('a' + 0));
        assertTrue(free.ends('a'));
        assertThrows(IllegalArgumentException.class, () -> free.accept('a'));
    }

    /// Also what is no token of the vocabulary.
    @Test
    void freeTextTouchesNoLogits() {
        float[] logits = new float[VOCABULARY.size() + 3];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = i;
        }
        float[] before = logits.clone();
        FlowMatcher matcher =
                Constraint.of(Flow.free().until(Flow.token(THOUGHT))).matcher(VOCABULARY, Set.of(STOP));
        matcher.accept(VOCABULARY.size() + 2);
        matcher.mask(logits);
        assertArrayEquals(before, logits);
        Constraint.of(Flow.free().until(Flow.given("l>"), Flow.free()))
                .matcher(VOCABULARY, Set.of(STOP))
                .mask(logits);
        before[word("_call>\n")] = Float.NEGATIVE_INFINITY;
        assertArrayEquals(before, logits);
    }

    @Test
    void refusalsAreForPeople() {
        refused("a choice has no parts, expected one or more.", Flow::choice);
        refused("a form has the token -1, expected 0 or more.", () -> Flow.token(-1));
        refused(
                "free text of at most -5 tokens is asked for, expected 0 or more.",
                () -> Flow.free().atMost(-5));
        refused(
                "a text that ends free text is empty, expected one character or more.",
                () -> Flow.free().until(Flow.given("")));
        refused(
                "free text must go on and has nothing that ends it; say until what.",
                () -> Constraint.of(Flow.sequence(Flow.free().mustGoOn(), Flow.token(1))));
    }

    @Test
    void aVocabularyThatIsTooSmallIsRefused() {
        Vocabulary vocabulary = Vocabulary.of(List.of(new byte[] {'a'}, new byte[] {'a', 'b'}));
        refused(
                "a form has the text 'ab', and the byte 0x62 of it is no token by itself.",
                () -> new Request.Form(Constraint.of(Flow.given("ab")), vocabulary));
        refused(
                "a form has the text 'aé', and the byte 0xc3 of it is no token by itself.",
                () -> new Request.Form(
                        Constraint.of(Flow.free().until(Flow.given("aé")).atMost(3)), vocabulary));
        new Request.Form(Constraint.of(Flow.free().until(Flow.given("aé"))), vocabulary);
        for (Flow flow : List.of(Flow.token(2), Flow.free().until(Flow.token(2)))) {
            refused(
                    "a form has the token 2, expected less than 2, the vocabulary's size.",
                    () -> new Request.Form(Constraint.of(flow), vocabulary));
        }
    }

    private static void refused(String message, Thrown.Code made) {
        assertEquals(message, Thrown.message(BadInput.class, made));
    }
}
