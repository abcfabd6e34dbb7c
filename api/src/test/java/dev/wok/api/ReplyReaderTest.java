package dev.wok.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ReplyReaderTest {
    private static final Dialect.Thoughts THINK = new Dialect.Thoughts("<think>", "</think>");
    private static final Set<String> TOOLS = Set.of("get_weather", "get", "a.b-c");

    private static final Dialect PLAIN = dialect(null);
    private static final Dialect HERMES = dialect(new CallFormat.Hermes());
    private static final Dialect BARE = dialect(new CallFormat.Bare());
    private static final Dialect V3 = dialect(new CallFormat.DeepSeek(true));
    private static final Dialect V31 = dialect(new CallFormat.DeepSeek(false));

    private static Dialect dialect(@org.jspecify.annotations.Nullable CallFormat format) {
        return new Dialect(Optional.of(THINK), Optional.ofNullable(format), true);
    }

    /// An answer and what it is, in words: `?thought`, `=text`, `!tool` and its arguments.
    private record Example(Dialect dialect, boolean thinking, String answer, String... parts) {}

    private static Example of(Dialect dialect, String answer, String... parts) {
        return new Example(dialect, false, answer, parts);
    }

    private static Example thinking(Dialect dialect, String answer, String... parts) {
        return new Example(dialect, true, answer, parts);
    }

    private static final String V3_CALL = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
            + "{\"city\": \"São Paulo\"}\n```<｜tool▁call▁end｜>";
    private static final String V31_CALL =
            "<｜tool▁call▁begin｜>get<｜tool▁sep｜>{\"a\": {\"b\": [1, \"}\\\"\"]}}<｜tool▁call▁end｜>";

    static List<Example> examples() {
        return List.of(
                of(PLAIN, "", new String[0]),
                of(PLAIN, "Hi 😀.", "=Hi 😀."),
                of(PLAIN, "\n\nHi\n\n", "=\n\nHi\n\n"),
                of(PLAIN, "<think>\nHm.\n\nSo.\n</think>\n\nHi.\n", "?Hm.\n\nSo.", "=Hi.\n"),
                of(PLAIN, " \n<think></think>Hi", "=Hi"),
                of(PLAIN, "<think>\n\n</think>\n\nHi", "=Hi"),
                of(PLAIN, "<think>only\n", "?only"),
                of(PLAIN, "<think>a</thin k></think", "?a</thin k></think"),
                of(PLAIN, "<thin", "=<thin"),
                of(PLAIN, "a <think>b</think>", "=a <think>b</think>"),
                of(PLAIN, "no thoughts</think>", "=no thoughts</think>"),
                of(PLAIN, "{\"a\": 1}", "={\"a\": 1}"),
                of(PLAIN, "<tool_call>", "=<tool_call>"),
                thinking(PLAIN, "Hm.\n</think>\n\n\nHi", "?Hm.", "=Hi"),
                thinking(PLAIN, "\nnever ends\n", "?never ends"),
                thinking(PLAIN, "</think>Hi</think>", "=Hi</think>"),
                thinking(PLAIN, "<think>twice</think>x", "?<think>twice", "=x"),
                of(
                        HERMES,
                        "I look.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"a\": 1}}\n</tool_call>",
                        "=I look.",
                        "!get_weather{\"a\": 1}"),
                of(
                        HERMES,
                        "<think>\nx\n</think>\n\n<tool_call>\n{\"name\": \"get\", \"arguments\": {}}\n</tool_call>\n"
                                + "<tool_call>\n{\"name\":\"a.b-c\",\"arguments\":{\"s\":\"</tool_call>\"}}\n</tool_call>\n",
                        "?x",
                        "!get{}",
                        "!a.b-c{\"s\":\"</tool_call>\"}"),
                of(
                        HERMES,
                        "<tool_call>{\"arguments\": {\"a\": [1,2]}, \"name\": \"get\"}</tool_call>\nDone.",
                        "!get{\"a\":[1,2]}",
                        "=Done."),
                of(
                        HERMES,
                        "<tool_call>{\"name\": \"get\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>",
                        "!get{\"a\":1}"),
                of(HERMES, "<tool_call>{\"name\": \"get\", \"arguments\": {\"a\": ", "!get{\"a\": "),
                of(
                        HERMES,
                        "<tool_call>\n{\"name\": \"nobody\", \"arguments\": {}}\n</tool_call>",
                        "=<tool_call>\n{\"name\": \"nobody\", \"arguments\": {}}\n</tool_call>"),
                of(HERMES, "a\n<tool_call>\nnot JSON</tool_call> b", "=a\n<tool_call>\nnot JSON</tool_call> b"),
                of(HERMES, "a\n\n<tool_call>\n{\"na", "=a\n\n<tool_call>\n{\"na"),
                of(
                        HERMES,
                        "<tool_call>{\"name\": \"get\", 1}</tool_call>",
                        "=<tool_call>{\"name\": \"get\", 1}</tool_call>"),
                of(
                        HERMES,
                        "<tool_call><tool_call>{\"name\": \"get\", \"arguments\": {}}</tool_call>",
                        "=<tool_call>",
                        "!get{}"),
                of(HERMES, "{\"name\": \"get\", \"arguments\": {}}", "={\"name\": \"get\", \"arguments\": {}}"),
                of(BARE, "{\"name\": \"get\", \"parameters\": {\"x\": \"1; 2\"}}", "!get{\"x\": \"1; 2\"}"),
                of(
                        BARE,
                        "<|python_tag|>{\"name\": \"get\", \"parameters\": {}}; {\"name\": \"get_weather\", \"parameters\": {}}"
                                + "\n{\"type\": \"function\", \"name\": \"get\", \"parameters\": {\"z\": null}}",
                        "!get{}",
                        "!get_weather{}",
                        "!get{\"z\":null}"),
                of(BARE, "{\"answer\": 42}", "={\"answer\": 42}"),
                of(BARE, " {\"name\": \"Ann\"}", "= {\"name\": \"Ann\"}"),
                of(BARE, "The {\"name\": \"get\", \"parameters\": {}}", "=The {\"name\": \"get\", \"parameters\": {}}"),
                of(BARE, "<|python_tag|>print(1)", "=<|python_tag|>print(1)"),
                of(
                        V3,
                        "Well.<｜tool▁calls▁begin｜>" + V3_CALL + "\n" + V3_CALL + "<｜tool▁calls▁end｜>",
                        "=Well.",
                        "!get_weather{\"city\": \"São Paulo\"}",
                        "!get_weather{\"city\": \"São Paulo\"}"),
                of(V3, V3_CALL, "!get_weather{\"city\": \"São Paulo\"}"),
                of(
                        V3,
                        "<｜tool▁calls▁begin｜>" + V31_CALL + "<｜tool▁calls▁end｜>",
                        "!get{\"a\": {\"b\": [1, \"}\\\"\"]}}"),
                of(
                        V31,
                        "<｜tool▁calls▁begin｜>" + V31_CALL + V31_CALL + "<｜tool▁calls▁end｜>",
                        "!get{\"a\": {\"b\": [1, \"}\\\"\"]}}",
                        "!get{\"a\": {\"b\": [1, \"}\\\"\"]}}"),
                thinking(V31, "h</think><｜tool▁calls▁begin｜>" + V31_CALL, "?h", "!get{\"a\": {\"b\": [1, \"}\\\"\"]}}"),
                of(V3, "<｜tool▁calls▁begin｜>nothing", "=<｜tool▁calls▁begin｜>nothing"),
                of(V3, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>x", "=<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>x"));
    }

    @ParameterizedTest
    @MethodSource("examples")
    void readsWhatFamiliesWrite(Example example) {
        assertEquals(String.join("\n", example.parts), read(example, List.of(example.answer)));
    }

    /// Whatever the answer is cut into.
    @ParameterizedTest
    @MethodSource("examples")
    void cutsAreNoMatter(Example example) {
        String whole = String.join("\n", example.parts);
        String answer = example.answer;
        for (int i = 1; i < answer.length(); i++) {
            assertEquals(whole, read(example, List.of(answer.substring(0, i), answer.substring(i))), "cut at " + i);
        }
        assertEquals(
                whole,
                read(
                        example,
                        answer.chars().mapToObj(c -> String.valueOf((char) c)).toList()));
    }

    private static String read(Example example, List<String> pieces) {
        Heard heard = new Heard(example.answer);
        ReplyReader reader = new ReplyReader(example.dialect, example.thinking, TOOLS, heard);
        pieces.forEach(reader::append);
        reader.finish();
        return heard.words();
    }

    /// Any mixture of tags, pieces of tags and other text.
    @Test
    void nothingIsLostOrDoubledInAnyMixture() {
        List<Dialect> dialects = List.of(PLAIN, HERMES, BARE, V3, V31);
        List<String> words = new ArrayList<>(List.of(
                "<think>",
                "</think>",
                "\n",
                "\n\n",
                " ",
                "a",
                "é😀",
                "{",
                "}",
                "<",
                "\"",
                ";",
                "```",
                "json",
                "{\"name\": \"get\", \"arguments\": {\"k\": [\"v\"]}}",
                "{\"name\": \"no\"}",
                "function",
                "get"));
        words.addAll(new CallFormat.Hermes().opens());
        words.addAll(new CallFormat.Hermes().closes());
        words.addAll(new CallFormat.Bare().opens());
        words.addAll(new CallFormat.DeepSeek(true).opens());
        words.addAll(new CallFormat.DeepSeek(true).closes());
        words.add("<｜tool▁sep｜>");
        Property.of("ReplyReaderTest.mixture")
                .size("dialect", 0, dialects.size() - 1)
                .size("words", 0, 12)
                .size("piece", 1, 9)
                .cases(3000)
                .check(c -> {
                    Rng rng = c.rng("text");
                    StringBuilder text = new StringBuilder();
                    for (int i = 0; i < c.size("words"); i++) {
                        text.append(words.get(rng.split("word").below(i, words.size())));
                    }
                    Example example = new Example(
                            dialects.get(c.size("dialect")),
                            rng.split("thinking").below(0, 2) == 1,
                            text.toString());
                    List<String> pieces = new ArrayList<>();
                    for (int at = 0; at < text.length(); ) {
                        int to = Math.min(
                                text.length(), at + 1 + rng.split("cut").below(at, c.size("piece")));
                        pieces.add(text.substring(at, to));
                        at = to;
                    }
                    String whole = read(example, List.of(example.answer));
                    assertEquals(whole, read(example, pieces), example.answer);
                });
    }

    /// What a reader tells, each piece checked against the answer.
    private static final class Heard implements ReplyReader.Sink {
        private final String answer;
        private final List<StringBuilder> words = new ArrayList<>();
        private int read;

        Heard(String answer) {
            this.answer = answer;
        }

        private void add(char kind, String text, int at) {
            assertTrue(at >= read, "in order");
            read = at + text.length();
            assertEquals(text, answer.substring(at, read));
            if (words.isEmpty() || words.getLast().charAt(0) != kind) {
                words.add(new StringBuilder().append(kind));
            }
            words.getLast().append(text);
        }

        @Override
        public void thought(String text, int at) {
            assertTrue(words.isEmpty() || words.getFirst().charAt(0) == '?', "thoughts come first");
            add('?', text, at);
        }

        @Override
        public void text(String text, int at) {
            add('=', text, at);
        }

        @Override
        public void call(String tool) {
            assertTrue(TOOLS.contains(tool));
            words.add(new StringBuilder("!").append(tool));
        }

        @Override
        public void arguments(String json) {
            assertEquals('!', words.getLast().charAt(0));
            words.getLast().append(json);
        }

        String words() {
            return String.join("\n", words);
        }
    }
}
