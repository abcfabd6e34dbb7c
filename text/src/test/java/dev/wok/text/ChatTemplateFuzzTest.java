package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Damage;
import dev.wok.testkit.Fuzz;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Chat templates that are damaged, or say more than they said: loops in loops, texts that double, macros that call
/// themselves.
class ChatTemplateFuzzTest {
    private static final List<String> WORDS = List.of(
            "{% for a in range(99999) %}",
            "{% for m in messages %}",
            "{% endfor %}",
            "{% if messages %}",
            "{% else %}",
            "{% endif %}",
            "{% set x = x + x %}",
            "{% set x = [x, x] %}",
            "{% set x = messages %}",
            "{% macro x(y) %}{{ x(y) ~ x(y) }}{% endmacro %}",
            "{{ x(1) }}",
            "{{ x }}",
            "{{ x | tojson }}",
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            " | length",
            " | replace('', messages | tojson)",
            " | join(messages | string)",
            " | indent(1000)",
            " | map('upper') | list",
            " | sort",
            ".split('')",
            ".content",
            "['role']",
            "[::-1]",
            " * 9999999",
            " ** 99",
            " ~ messages",
            " + ",
            " in ",
            " == ",
            "not ",
            "-",
            "(",
            ")",
            "[",
            "]",
            "none",
            "1e308",
            "99999999999999999999",
            "'\\u12'",
            "loop.index",
            "namespace(a=1)");
    static final List<Map<String, Object>> CHAT = List.of(
            Map.of("role", "system", "content", "Be brief."),
            Map.of("role", "user", "content", "Why?\nWhy not?"),
            Map.of("role", "assistant", "content", "<think>\nHm.\n</think>\n\nBecause."),
            Map.of("role", "user", "content", "😀"));

    /* What a template does has a limit of its own. Its dearest steps for their price are passes through loops, some six
     * hundred bytes of garbage for two dozen units of 2^25.
     */
    private static final long PER_BYTE = 400;
    private static final long MORE = 1L << 30;

    private static final String[] VALUES = {
        "x",
        "y",
        "ns.x",
        "messages",
        "messages[0]",
        "messages[0].content",
        "tools",
        "loop",
        "loop.index",
        "range(99999)",
        "range(9)",
        "'ab'",
        "''",
        "0",
        "7",
        "-1",
        "9223372036854775807",
        "1e300",
        "0.5",
        "none",
        "true",
        "[]",
        "{}",
        "bos_token",
        "absent",
        "namespace(x=1)",
        "dict(a=x)",
        "[x, y, ns.x]",
        "(x, x)",
        "{'a': x, 'b': ns.x}"
    };
    private static final String[] FILTERS = {
        "tojson",
        "tojson(indent=2)",
        "trim",
        "upper",
        "title",
        "capitalize",
        "string",
        "escape",
        "length",
        "list",
        "items",
        "dictsort",
        "first",
        "last",
        "reverse",
        "join(x)",
        "sort",
        "sort(attribute='role')",
        "unique",
        "min",
        "max",
        "sum",
        "map('upper')",
        "map(attribute='role')",
        "select",
        "reject('none')",
        "selectattr('role')",
        "int",
        "float",
        "abs",
        "round",
        "round(x)",
        "indent(x)",
        "replace(x, y)",
        "default(x)",
        "attr('x')",
        "rejectattr(x, 'eq', y)"
    };
    private static final String[] CALLS = {
        "split()", "split(x)", "rsplit(x, 1)", "strip(x)", "replace(x, y)", "replace(x, y, 2)", "join(x)", "count(x)",
                "find(x)",
        "index(x)", "items()", "keys()", "get(x)", "get(x, y)", "copy()", "startswith(x)", "endswith((x, y))",
                "zfill(x)",
        "ljust(x)", "title()", "splitlines(x)", "isdigit()", "removeprefix(x)", "cycle(x, y)", "index", "role",
                "upper()"
    };
    private static final String[] OPERATORS = {
        "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"
    };
    private static final String[] TESTS = {
        "defined",
        "none",
        "string",
        "mapping",
        "iterable",
        "odd",
        "divisibleby(x)",
        "sameas(x)",
        "in(x)",
        "eq(y)",
        "lt(y)",
        "upper"
    };

    private static String expression(Damage damage, int depth) {
        if (depth == 0) {
            return damage.oneOf(VALUES);
        }
        String inner = "(" + expression(damage, depth - 1) + ")";
        return switch (damage.below(8)) {
            case 0, 1 -> inner + " | " + damage.oneOf(FILTERS);
            case 2 -> inner + "." + damage.oneOf(CALLS);
            case 3 -> inner + "[" + expression(damage, 0) + damage.oneOf("", ":", "::2", ":-1", "::-1") + "]";
            case 4 -> inner + " is " + damage.oneOf(TESTS);
            case 5 -> inner + " if " + expression(damage, 0) + " else " + expression(damage, depth - 1);
            default -> inner + " " + damage.oneOf(OPERATORS) + " (" + expression(damage, depth - 1) + ")";
        };
    }

    /// Templates that can be parsed, whatever they do.
    private static String program(Damage damage, int depth) {
        StringBuilder out = new StringBuilder();
        for (int i = damage.below(3); i >= 0; i--) {
            String value = expression(damage, damage.below(3));
            String body = depth == 0 ? "{{ x }}" : program(damage, depth - 1);
            out.append(
                    switch (damage.below(7)) {
                        case 0 ->
                            "{% for x in " + damage.oneOf("range(99999)", "messages", value) + " %}" + body
                                    + "{% endfor %}";
                        case 1 -> "{% if " + value + " %}" + body + "{% else %}" + body + "{% endif %}";
                        case 2 -> "{% macro m(y) %}" + body + "{{ m(y) }}{% endmacro %}{{ m(" + value + ") }}";
                        case 3 -> "{% set ns.x = " + value + " %}";
                        case 4 -> "{% set x" + damage.oneOf("", ", y") + " = " + value + " %}";
                        case 5 -> "{% set y %}" + body + "{% endset %}";
                        default -> "{{ " + value + " }}";
                    });
        }
        return out.toString();
    }

    private void damage(int cases) throws InterruptedException {
        List<String> templates = Fixtures.names()
                .map(name -> Fixtures.read(name, Tokenizer.CONFIG_FILE)
                        .path("chat_template")
                        .asString())
                .distinct()
                .toList();
        Fuzz.Outcome outcome = Fuzz.of("chat template").memory(PER_BYTE, MORE).check(cases, damage -> {
            String source = damage.below(2) == 0
                    ? damage.text(damage.text(damage.oneOf(templates), WORDS), WORDS)
                    : "{% set ns = namespace(x=messages) %}{% set x = 'ab' %}{% set y = [x, 1] %}"
                            + program(damage, damage.below(4));
            ChatTemplate template =
                    new ChatTemplate("x", source, source, Map.of("bos_token", "<s>", "eos_token", "</s>"));
            return new Fuzz.Input(source.length(), () -> template.render(CHAT, List.of(Map.of("name", "f")), true));
        });
        assertEquals(cases, outcome.read() + outcome.refused());
        assertTrue(outcome.refused() > cases / 3 && outcome.read() > cases / 50, outcome.toString());
    }

    @Test
    void damagedTemplatesAreRefusedOrRendered() throws InterruptedException {
        damage(500);
    }

    @Test
    @Tag("slow")
    void damagedTemplatesAreRefusedOrRenderedManyTimes() throws InterruptedException {
        damage(10_000);
    }
}
