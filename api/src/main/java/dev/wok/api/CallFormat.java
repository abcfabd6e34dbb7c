package dev.wok.api;

import dev.wok.generate.Flow;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// How a family of models writes calls of tools.
sealed interface CallFormat {
    /// `<tool_call>`, a line with `{"name": NAME, "arguments": {...}}`, `</tool_call>`: Hermes,
    /// Qwen2.5, Qwen3.
    record Hermes() implements CallFormat {
        static final String OPEN = "<tool_call>";
        static final String CLOSE = "</tool_call>";
        private static final Pattern OBJECT = Pattern.compile(OPEN + "\\s{0,64}" + CALL_OBJECT);
        private static final Pattern HEAD = Pattern.compile(OBJECT.pattern() + NAMED_ARGUMENTS);

        @Override
        public List<String> opens() {
            return List.of(OPEN);
        }

        @Override
        public List<String> closes() {
            return List.of("}", CLOSE);
        }

        @Override
        public Pattern head() {
            return HEAD;
        }

        @Override
        public Optional<Pattern> object() {
            return Optional.of(OBJECT);
        }

        @Override
        public Flow opening(Tags tags) {
            return tags.given(OPEN);
        }

        @Override
        public Flow begun(String open, Tags tags) {
            return Flow.sequence();
        }

        @Override
        public Flow call(String tool, Flow arguments, Tags tags) {
            Flow head = Flow.given("\n{\"name\": \"%s\", \"arguments\":".formatted(tool));
            return Flow.sequence(head, arguments, Flow.given("}\n"), tags.given(CLOSE));
        }

        @Override
        public Flow next(Tags tags) {
            return Flow.sequence(Flow.given("\n"), tags.given(OPEN));
        }

        @Override
        public Flow end(Tags tags) {
            return Flow.sequence();
        }

        @Override
        public String example() {
            return OPEN + "\n{\"name\": NAME, \"arguments\": OBJECT}\n" + CLOSE;
        }
    }

    /// The whole answer is `{"name": NAME, "parameters": {...}}`, perhaps after `<|python_tag|>`, more
    /// of them after `;` or white space: Llama 3.1 and later.
    record Bare() implements CallFormat {
        static final String TAG = "<|python_tag|>";
        private static final Pattern OBJECT = Pattern.compile("(?:<\\|python_tag\\|>)?\\s{0,64}" + CALL_OBJECT);
        private static final Pattern HEAD = Pattern.compile(OBJECT.pattern() + NAMED_ARGUMENTS);

        @Override
        public List<String> opens() {
            return List.of(TAG);
        }

        @Override
        public List<String> closes() {
            return List.of("}", ";");
        }

        @Override
        public Pattern head() {
            return HEAD;
        }

        @Override
        public Optional<Pattern> object() {
            return Optional.of(OBJECT);
        }

        @Override
        public Flow opening(Tags tags) {
            return Flow.sequence();
        }

        @Override
        public Flow begun(String open, Tags tags) {
            return Flow.sequence();
        }

        @Override
        public Flow call(String tool, Flow arguments, Tags tags) {
            return Flow.sequence(head(tool), arguments, tail());
        }

        static Flow.Given head(String tool) {
            return new Flow.Given("{\"name\": \"%s\", \"parameters\":".formatted(tool));
        }

        static Flow tail() {
            return Flow.given("}");
        }

        @Override
        public Flow next(Tags tags) {
            return Flow.given("; ");
        }

        @Override
        public Flow end(Tags tags) {
            return Flow.sequence();
        }

        @Override
        public String example() {
            return "{\"name\": NAME, \"parameters\": OBJECT}";
        }
    }

    /// Between `<｜tool▁calls▁begin｜>` and `<｜tool▁calls▁end｜>`, each between `<｜tool▁call▁begin｜>` and
    /// `<｜tool▁call▁end｜>`: DeepSeek.
    ///
    /// @param fenced whether a call is `function<｜tool▁sep｜>NAME` and arguments in a block of code (V3,
    ///     R1), or `NAME<｜tool▁sep｜>` and arguments (V3.1)
    record DeepSeek(boolean fenced) implements CallFormat {
        static final String CALLS_BEGIN = "<｜tool▁calls▁begin｜>";
        static final String CALLS_END = "<｜tool▁calls▁end｜>";
        static final String BEGIN = "<｜tool▁call▁begin｜>";
        static final String END = "<｜tool▁call▁end｜>";
        static final String SEPARATOR = "<｜tool▁sep｜>";
        private static final Pattern HEAD = Pattern.compile("(?:" + CALLS_BEGIN + "\\s{0,64})?" + BEGIN
                + "\\s{0,64}([\\w.-]{1,64})\\s{0,64}" + SEPARATOR
                + "\\s{0,64}(?:([\\w.-]{1,64})\\s{0,64}```(?:json)?\\s{0,64})?(?=\\{)");

        @Override
        public List<String> opens() {
            return List.of(CALLS_BEGIN, BEGIN);
        }

        @Override
        public List<String> closes() {
            return List.of("```", END, CALLS_END);
        }

        @Override
        public Pattern head() {
            return HEAD;
        }

        @Override
        public Optional<Pattern> object() {
            return Optional.empty();
        }

        @Override
        public Flow opening(Tags tags) {
            return Flow.sequence(tags.given(CALLS_BEGIN), tags.given(BEGIN));
        }

        @Override
        public Flow begun(String open, Tags tags) {
            return open.equals(CALLS_BEGIN) ? tags.given(BEGIN) : Flow.sequence();
        }

        @Override
        public Flow call(String tool, Flow arguments, Tags tags) {
            Flow separator = tags.given(SEPARATOR);
            return fenced
                    ? Flow.sequence(
                            Flow.given("function"),
                            separator,
                            Flow.given(tool + "\n```json\n"),
                            arguments,
                            Flow.given("\n```"),
                            tags.given(END))
                    : Flow.sequence(Flow.given(tool), separator, arguments, tags.given(END));
        }

        @Override
        public Flow next(Tags tags) {
            return Flow.sequence(Flow.given(fenced ? "\n" : ""), tags.given(BEGIN));
        }

        @Override
        public Flow end(Tags tags) {
            return tags.given(CALLS_END);
        }

        @Override
        public String example() {
            String call =
                    fenced ? "function" + SEPARATOR + "NAME\n```json\nOBJECT\n```" : "NAME" + SEPARATOR + "OBJECT";
            return CALLS_BEGIN + BEGIN + call + END + CALLS_END;
        }
    }

    /// What an object that is a call begins with.
    String CALL_OBJECT = "(?=\\{\\s{0,64}\"(?:name|arguments|parameters|type|id)\")";

    /// The object of a call up to its arguments, as it is written almost always.
    String NAMED_ARGUMENTS = "\\{\\s{0,64}\"name\"\\s{0,64}:\\s{0,64}\"([^\"\\\\]{1,64})\"\\s{0,64},"
            + "\\s{0,64}\"(?:arguments|parameters)\"\\s{0,64}:\\s{0,64}(?=\\{)";

    /// @return texts of which each may begin a call
    List<String> opens();

    /// @return texts that may stand after a call's arguments, in this order and over again, among white
    ///     space
    List<String> closes();

    /// @return a call from what opens it to before its arguments' brace; the last group that matches is
    ///     the name
    Pattern head();

    /// @return what comes before a call's object, where a call is one
    Optional<Pattern> object();

    /// @return what stands before the first call
    Flow opening(Tags tags);

    /// @param open one of [#opens], which was written
    /// @return what else stands before the first call then
    Flow begun(String open, Tags tags);

    /// @return a call after what opens it, with what closes it
    Flow call(String tool, Flow arguments, Tags tags);

    /// @return what stands between two calls
    Flow next(Tags tags);

    /// @return what stands after the last call
    Flow end(Tags tags);

    /// @return what a call looks like, for a model
    String example();

    /// @return whether an object may be a call that nothing opens
    default boolean bare() {
        return this instanceof Bare;
    }

    /// A call.
    ///
    /// @param arguments a JSON object
    record Read(String name, String arguments) {}

    /// @return the name in a head
    static String name(Matcher head) {
        String last = head.group(head.groupCount());
        return last == null ? head.group(1) : last;
    }

    /// @param json an object that is complete
    /// @return the call that it is, whatever the order of its members, where it is one
    static Optional<Read> read(String json) {
        try {
            JsonNode root = Json.read(json);
            JsonNode name = root.path("name");
            JsonNode found = root.path(root.has("arguments") ? "arguments" : "parameters");
            JsonNode arguments = found.isString() ? Json.read(found.asString()) : found;
            return name.isString() && arguments.isObject()
                    ? Optional.of(new Read(name.asString(), arguments.toString()))
                    : Optional.empty();
        } catch (JacksonException _) {
            return Optional.empty();
        }
    }
}
