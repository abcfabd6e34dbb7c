package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The unit tests of a method: what it is called with and what it should return.
///
/// @param signature of the method
/// @param cases one or more
record CodeCases(JudgeSignature signature, List<Case> cases) {
    /// A call.
    ///
    /// @param args one for each parameter
    /// @param result what is right; for a method that returns nothing, its first argument afterwards
    record Case(List<JsonNode> args, JsonNode result) {}

    /// Names in a problem's data.
    static final String SIGNATURE = "signature";

    static final String TESTS = "tests";

    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MOST = 1000;
    private static final int SHOWN_CHARS = 80;

    /// Numbers that agree to so many digits are the same: sums in another order are right too.
    private static final double TOLERANCE = 1e-9;

    /// @param problem with `signature`, such as `int add(int a, int b)`, and `tests`, such as
    ///     `[{"args": [1, 2], "result": 3}]`, in its data
    /// @throws BadInput where it has none, or they don't fit together
    static CodeCases of(Problem problem) {
        JudgeSignature signature = signature(field(problem, SIGNATURE));
        JsonNode tests = json(field(problem, TESTS));
        if (!tests.isArray() || tests.isEmpty() || tests.size() > MOST) {
            throw new BadInput("'tests' of a code problem is to be a list of 1 to %d cases such as %s"
                    .formatted(MOST, "{\"args\": [1, 2], \"result\": 3}."));
        }
        List<Case> cases = new ArrayList<>();
        for (JsonNode test : tests) {
            cases.add(checked(signature, test));
        }
        return new CodeCases(signature, cases);
    }

    private static String field(Problem problem, String name) {
        String text = problem.data().get(name);
        if (text == null) {
            throw new BadInput("a code problem has no '%s'; give it beside the question.".formatted(name));
        }
        return text;
    }

    private static JudgeSignature signature(String text) {
        try {
            JudgeSignature signature = JudgeSignature.parse(text);
            if (isVague(signature.judged())) {
                throw new BadInput(
                        "'%s' gives numbers with a fraction as keys or in a set, which rounding decides about."
                                .formatted(text));
            }
            return signature;
        } catch (IllegalArgumentException e) {
            throw new BadInput(e.getMessage() + ".", e);
        }
    }

    private static boolean isVague(JudgeType type) {
        boolean keyed = type.kind() == JudgeType.Kind.SET || type.kind() == JudgeType.Kind.MAP;
        return (keyed && type.element().kind() == JudgeType.Kind.DOUBLE)
                || type.parts().stream().anyMatch(CodeCases::isVague);
    }

    private static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (JacksonException e) {
            throw BadInput.notJson("'tests' of a code problem", e);
        }
    }

    private static Case checked(JudgeSignature signature, JsonNode test) {
        JsonNode args = test.path("args");
        if (!args.isArray() || args.size() != signature.parameters().size() || !test.has("result")) {
            throw new BadInput("a test of '%s' is %s; expected 'args', a list of %d, and 'result'."
                    .formatted(signature, shown(test), signature.parameters().size()));
        }
        List<JsonNode> values = new ArrayList<>();
        args.forEach(values::add);
        for (int i = 0; i < values.size(); i++) {
            require(signature, signature.parameters().get(i), values.get(i));
        }
        require(signature, signature.judged(), test.get("result"));
        return new Case(values, test.get("result"));
    }

    private static void require(JudgeSignature signature, JudgeType type, JsonNode value) {
        if (!fits(type, value)) {
            throw new BadInput("a test of '%s' has %s, expected a %s.".formatted(signature, shown(value), type));
        }
    }

    private static boolean fits(JudgeType type, JsonNode value) {
        if (value.isNull()) {
            return type.isReference();
        }
        return switch (type.kind()) {
            case INT -> value.isIntegralNumber() && value.canConvertToInt();
            case LONG -> value.isIntegralNumber() && value.canConvertToLong();
            case DOUBLE -> value.isNumber() || (value.isString() && Double.isNaN(number(value)) == isNotANumber(value));
            case BOOLEAN -> value.isBoolean();
            case CHAR -> value.isString() && value.stringValue().length() == 1;
            case STRING -> value.isString();
            case ARRAY, LIST -> value.isArray() && value.valueStream().allMatch(one -> fits(type.element(), one));
            case SET ->
                value.isArray()
                        && value.valueStream().allMatch(one -> fits(type.element(), one))
                        && value.valueStream().distinct().count() == value.size();
            case MAP ->
                value.isObject()
                        && value.propertyStream()
                                .allMatch(one -> fits(type.element(), key(type.element(), one.getKey()))
                                        && fits(type.parts().get(1), one.getValue()));
        };
    }

    private static boolean isNotANumber(JsonNode value) {
        return value.stringValue().equals("NaN");
    }

    private static double number(JsonNode value) {
        if (value.isNumber()) {
            return value.doubleValue();
        }
        return switch (value.stringValue()) {
            case "Infinity" -> Double.POSITIVE_INFINITY;
            case "-Infinity" -> Double.NEGATIVE_INFINITY;
            default -> Double.NaN;
        };
    }

    private static JsonNode key(JudgeType type, String text) {
        return switch (type.kind()) {
            case CHAR, STRING -> JSON.getNodeFactory().stringNode(text);
            case INT, LONG, DOUBLE, BOOLEAN, ARRAY, LIST, SET, MAP -> {
                try {
                    yield JSON.readTree(text);
                } catch (JacksonException _) {
                    yield JSON.getNodeFactory().missingNode();
                }
            }
        };
    }

    /// @return what [Judge] reads after the nonce
    byte[] job(String source, Duration limit) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeLong(limit.toNanos());
            writeText(out, signature.toString());
            writeText(out, source);
            out.writeInt(cases.size());
            for (Case one : cases) {
                for (int i = 0; i < one.args.size(); i++) {
                    write(out, signature.parameters().get(i), one.args.get(i));
                }
            }
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void writeText(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static void write(DataOutputStream out, JudgeType type, JsonNode value) throws IOException {
        if (type.isReference()) {
            out.writeBoolean(!value.isNull());
            if (value.isNull()) {
                return;
            }
        }
        switch (type.kind()) {
            case INT -> out.writeInt(value.intValue());
            case LONG -> out.writeLong(value.longValue());
            case DOUBLE -> out.writeDouble(number(value));
            case BOOLEAN -> out.writeBoolean(value.booleanValue());
            case CHAR -> out.writeChar(value.stringValue().charAt(0));
            case STRING -> {
                out.writeInt(value.stringValue().length());
                out.writeChars(value.stringValue());
            }
            case ARRAY, LIST, SET -> {
                out.writeInt(value.size());
                for (JsonNode one : value) {
                    write(out, type.element(), one);
                }
            }
            case MAP -> {
                out.writeInt(value.size());
                for (var entry : value.properties()) {
                    write(out, type.element(), key(type.element(), entry.getKey()));
                    write(out, type.parts().get(1), entry.getValue());
                }
            }
        }
    }

    /// @param number of a case
    /// @param returned as JSON
    /// @return whether that is what it should be
    boolean isRight(int number, String returned) {
        try {
            return same(signature.judged(), cases.get(number).result, JSON.readTree(returned));
        } catch (JacksonException _) {
            return false;
        }
    }

    private static boolean same(JudgeType type, JsonNode expected, JsonNode got) {
        if (expected.isNull() || got.isNull()) {
            return expected.isNull() && got.isNull();
        }
        return fits(type, got)
                && switch (type.kind()) {
                    case INT, LONG -> expected.longValue() == got.longValue();
                    case DOUBLE -> close(number(expected), number(got));
                    case BOOLEAN, CHAR, STRING -> expected.equals(got);
                    case ARRAY, LIST -> sameInOrder(type.element(), expected, got);
                    case SET -> sameInAnyOrder(type.element(), expected, got);
                    case MAP ->
                        expected.size() == got.size()
                                && expected.propertyStream()
                                        .allMatch(one -> got.has(one.getKey())
                                                && same(type.parts().get(1), one.getValue(), got.get(one.getKey())));
                };
    }

    private static boolean close(double expected, double got) {
        boolean finite = Double.isFinite(expected) && Double.isFinite(got);
        return Double.compare(expected, got) == 0
                || (finite && Math.abs(expected - got) <= TOLERANCE * Math.max(1, Math.abs(expected)));
    }

    private static boolean sameInOrder(JudgeType element, JsonNode expected, JsonNode got) {
        for (int i = 0; i < expected.size() && i < got.size(); i++) {
            if (!same(element, expected.get(i), got.get(i))) {
                return false;
            }
        }
        return expected.size() == got.size();
    }

    private static boolean sameInAnyOrder(JudgeType element, JsonNode expected, JsonNode got) {
        return expected.size() == got.size()
                && expected.valueStream().allMatch(one -> got.valueStream().anyMatch(two -> same(element, one, two)));
    }

    /// @return such as `add(1, 2)`
    String call(int number) {
        return signature.name()
                + cases.get(number).args.stream().map(CodeCases::shown).collect(Collectors.joining(", ", "(", ")"));
    }

    /// @return what a case should return
    String expected(int number) {
        return shown(cases.get(number).result);
    }

    private static String shown(JsonNode value) {
        return shown(value.toString());
    }

    /// @return a text short enough for a reason
    static String shown(String text) {
        return text.length() <= SHOWN_CHARS ? text : text.substring(0, SHOWN_CHARS) + "...";
    }
}
