package dev.wok.text;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Jinja's tests (`is defined`, `is string`); another one is refused by name.
final class JinjaTests {

    private JinjaTests() {}

    static boolean holds(String name, Object value, List<Object> arguments) {
        return switch (name) {
            case "defined" -> !(value instanceof JinjaValues.Undefined);
            case "undefined" -> value instanceof JinjaValues.Undefined;
            case "none" -> JinjaValues.isNone(value);
            case "string" -> value instanceof String;
            case "number" -> JinjaValues.isNumber(value);
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "boolean" -> value instanceof Boolean;
            case "true" -> value.equals(true);
            case "false" -> value.equals(false);
            case "mapping" -> value instanceof Map;
            case "iterable", "sequence" ->
                value instanceof String
                        || value instanceof List
                        || value instanceof Map
                        || value instanceof JinjaValues.Undefined;
            case "callable" -> value instanceof JinjaValues.Function;
            case "odd" -> JinjaValues.toLong(value) % 2 != 0;
            case "even" -> JinjaValues.toLong(value) % 2 == 0;
            case "divisibleby" ->
                JinjaValues.toLong(value) % Math.max(1, JinjaValues.toLong(only(name, arguments))) == 0;
            case "lower" -> JinjaValues.str(value).equals(JinjaValues.str(value).toLowerCase(Locale.ROOT));
            case "upper" -> JinjaValues.str(value).equals(JinjaValues.str(value).toUpperCase(Locale.ROOT));
            case "sameas" -> JinjaValues.same(value, only(name, arguments));
            case "in" -> JinjaValues.contains(only(name, arguments), value);
            case "eq", "equalto", "==" -> JinjaValues.equal(value, only(name, arguments));
            case "ne", "!=" -> !JinjaValues.equal(value, only(name, arguments));
            case "lt", "lessthan", "<" -> JinjaValues.compare(value, only(name, arguments)) < 0;
            case "le", "<=" -> JinjaValues.compare(value, only(name, arguments)) <= 0;
            case "gt", "greaterthan", ">" -> JinjaValues.compare(value, only(name, arguments)) > 0;
            case "ge", ">=" -> JinjaValues.compare(value, only(name, arguments)) >= 0;
            default -> throw new JinjaError("the test '" + name + "', which Wok does not know");
        };
    }

    private static Object only(String name, List<Object> arguments) {
        if (arguments.size() != 1) {
            throw new JinjaError("the test '%s' with %d arguments".formatted(name, arguments.size()));
        }
        return arguments.getFirst();
    }
}
