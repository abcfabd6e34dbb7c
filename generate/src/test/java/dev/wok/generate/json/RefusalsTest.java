package dev.wok.generate.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Fuzz;
import dev.wok.testkit.Thrown;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// Schemas that are refused, each in one line that says why and where.
class RefusalsTest {
    private static String refusal(String schema) {
        return Thrown.message(BadInput.class, () -> Grammar.schema(schema));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "multipleOf",
                "uniqueItems",
                "patternProperties",
                "propertyNames",
                "contains",
                "minContains",
                "maxContains",
                "not",
                "if",
                "then",
                "else",
                "dependentSchemas",
                "dependentRequired",
                "dependencies",
                "unevaluatedProperties",
                "unevaluatedItems",
                "$dynamicRef",
                "$dynamicAnchor",
                "$anchor",
                "$recursiveRef",
                "additionalItems",
                "nullable",
                "discriminator",
                "minlength",
                ""
            })
    void unsupportedKeywordsAreNamed(String keyword) {
        String rule = JsonText.of(keyword) + ": true";
        assertEquals(
                "the schema has the keyword '%s', which is not supported.".formatted(keyword),
                refusal("{%s}".formatted(rule)));
        assertEquals(
                "the schema's /properties/a~1b/items has the keyword '%s', which is not supported.".formatted(keyword),
                refusal("{\"properties\": {\"a/b\": {\"items\": {%s}}}}".formatted(rule)));
        assertEquals(
                "the schema's /$defs/x/anyOf/1 has the keyword '%s', which is not supported.".formatted(keyword),
                refusal("{\"$ref\": \"#/$defs/x\", \"$defs\": {\"x\": {\"anyOf\": [true, {%s}]}}}".formatted(rule)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "1 | the schema is 1, expected an object, true or false.",
                "{\"items\": []} | the schema's /items is an array, expected an object, true or false.",
                "{\"type\": \"text\"} | the schema has the type \"text\", expected a type's name or an array of these.",
                "{\"type\": 5} | the schema has the type 5, expected a type's name or an array of these.",
                "{\"enum\": 1} | the schema has the enum 1, expected an array.",
                "{\"minimum\": \"1\"} | the schema has minimum \"1\", expected a number.",
                "{\"minLength\": -1} | the schema has minLength -1, expected an integer from 0 on.",
                "{\"maxItems\": 1.5} | the schema has maxItems 1.5, expected an integer from 0 on.",
                "{\"minItems\": 1e9999999} | the schema has minItems 1E+9999999, expected less than 2147483647.",
                "{\"pattern\": 1} | the schema has pattern 1, expected a string.",
                "{\"format\": \"hostname\"} | the schema has the format 'hostname', which is not supported.",
                "{\"properties\": 1} | the schema has properties 1, expected an object.",
                "{\"required\": [1]} | the schema has required an array, expected an array of strings.",
                "{\"allOf\": []} | the schema has allOf an array, expected an array of schemas.",
                "{\"$ref\": \"other.json\"} | the schema has the $ref 'other.json', expected # or one that begins with #/.",
                "{\"$ref\": \"#anchor\"} | the schema has the $ref '#anchor', expected # or one that begins with #/.",
                "{\"$ref\": \"#/$defs/a\"} | the schema has the $ref '#/$defs/a', where there is nothing.",
                "{\"$ref\": \"#\"} | the schema refers to itself with nothing in between.",
                "{\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]} | the schema refers to itself with nothing in between.",
                "{\"items\": {\"$id\": \"x\"}} | the schema's /items has the keyword '$id', which is not supported.",
                "{\"const\": \"\\ud800\"} | the schema has a string with half a surrogate pair.",
                "{\"required\": [\"\\ud800\"]} | the schema has a string with half a surrogate pair."
            })
    void whatIsMalformedIsRefused(String schema, String message) {
        assertEquals(message, refusal(schema));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "{]",
                "{\"a\"}",
                "nul",
                "{\"minimum\": 1e99999999999}",
                "{} {}",
                "{\"type\": \"null\", \"type\": \"null\"}"
            })
    void whatIsNoJsonIsRefused(String schema) {
        assertTrue(refusal(schema).startsWith("the schema is "), refusal(schema));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "false | the schema",
                "{\"type\": []} | the schema",
                "{\"enum\": []} | the schema",
                "{\"enum\": [1, 2], \"type\": \"string\"} | the schema",
                "{\"type\": \"integer\", \"minimum\": 3, \"maximum\": 2} | the schema",
                "{\"type\": \"integer\", \"exclusiveMinimum\": 2, \"exclusiveMaximum\": 3} | the schema",
                "{\"type\": \"number\", \"exclusiveMinimum\": 2, \"maximum\": 2} | the schema",
                "{\"type\": \"string\", \"minLength\": 3, \"maxLength\": 2} | the schema",
                "{\"type\": \"string\", \"pattern\": \"^a$\", \"minLength\": 2} | the schema",
                "{\"type\": \"string\", \"pattern\": \"a^\"} | the schema",
                "{\"type\": \"array\", \"minItems\": 3, \"maxItems\": 2} | the schema",
                "{\"type\": \"array\", \"minItems\": 1, \"items\": false} | the schema's /items",
                "{\"type\": \"object\", \"required\": [\"a\"], \"properties\": {\"a\": false}} | the schema",
                "{\"type\": \"object\", \"required\": [\"a\"], \"additionalProperties\": false} | the schema",
                "{\"type\": \"object\", \"required\": [\"a\", \"b\"], \"maxProperties\": 1} | the schema",
                "{\"type\": \"object\", \"minProperties\": 2, \"properties\": {\"a\": true}, \"additionalProperties\": false} | the schema",
                "{\"type\": \"object\", \"required\": [\"a\"], \"properties\": {\"a\": {\"type\": \"string\", \"pattern\": \"$a\"}}} | the schema's /properties/a",
                "{\"allOf\": [{\"type\": \"null\"}, {\"type\": \"string\"}]} | the schema",
                "{\"type\": \"object\", \"required\": [\"a\"], \"properties\": {\"a\": {\"$ref\": \"#\"}}} | the schema's /properties/a",
                "{\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": \"#\"}} | the schema's /items"
            })
    void whatAllowsNothingIsRefused(String schema, String place) {
        assertEquals("no value satisfies %s.".formatted(place), refusal(schema));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "(?=a) | a lookahead",
                "(?!a) | a lookahead",
                "(?<=a)b | a lookbehind",
                "(a)\\1 | a back reference",
                "(?<n>a)\\k<n> | a back reference",
                "\\bword | a word boundary \\b",
                "\\B | an escape \\B",
                "\\p{L} | a Unicode property \\p",
                "\\a | an escape \\a",
                "a** | a '*' that stands alone",
                "a++ | a '+' that stands alone",
                "^* | a '*' that stands alone",
                "(a | a '(' without its ')'",
                "a) | a ')' without its '('",
                "[a | an end where more is expected",
                "[z-a] | a range from high to low",
                "[\\d-z] | a range between sets",
                "a{2,1} | a '{' that is no count",
                "a{,3} | a '{' that is no count",
                "a{x} | a '{' that is no count",
                "(?i)a | a group with flags",
                "\\x1 | an end where more is expected",
                "\\u{110000} | an escape \\u beyond Unicode",
                "\\ud800\\u0041 | half a surrogate pair",
                "\\01 | an octal escape",
                "\\ | an end where more is expected"
            })
    void whatPatternsCannotSayIsNamed(String pattern, String what) {
        assertEquals(
                "the schema has the pattern '%s' with %s, which is not supported.".formatted(pattern, what),
                refusal("{\"pattern\": %s}".formatted(JsonText.of(pattern))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"oneOf\": [{\"type\": \"integer\"}, {\"type\": \"number\"}]}",
                "{\"oneOf\": [{\"type\": \"object\"}, {\"type\": \"object\", \"required\": [\"a\"]}]}",
                "{\"oneOf\": [{\"properties\": {\"k\": {\"const\": 1}}}, {\"properties\": {\"k\": {\"const\": 2}}}]}",
                "{\"oneOf\": [{\"type\": \"string\", \"pattern\": \"a\"}, {\"type\": \"string\", \"pattern\": \"b\"}]}",
                "{\"oneOf\": [true, {\"type\": \"null\"}]}",
                "{\"oneOf\": [{\"enum\": [1, 2]}, {\"const\": 2.0}, {\"const\": 3}]}",
                "{\"oneOf\": [{\"type\": \"string\"}, {\"enum\": [1, \"a\"]}]}"
            })
    void branchesThatMayBothHoldAreRefused(String schema) {
        assertEquals(
                "the schema has a oneOf of which the schema's /oneOf/0 and the schema's /oneOf/1 may both hold, which is"
                        + " not supported; make them differ in the type or in a required constant, or write anyOf.",
                refusal(schema));
    }

    @Test
    void whatIsTooLargeIsRefused() {
        String deep = "{\"items\": ".repeat(210) + "true" + "}".repeat(210);
        assertTrue(refusal(deep).endsWith("has a path of more than 200 parts."), refusal(deep));
        String needed = "{\"type\": \"array\", \"minItems\": 1, \"items\": ".repeat(66) + "true" + "}".repeat(66);
        assertEquals("every value of the schema nests deeper than 64 levels.", refusal(needed));
        String pattern = "{\"type\": \"string\", \"pattern\": \"%s\"}";
        for (String large : List.of(
                "a{100000}", "((a{100}){100}){100}", "(a|aa)*b.{20}", "^(?:a|b)*a(?:a|b){16}$", "[ab]*a[ab]{30}")) {
            assertTrue(refusal(pattern.formatted(large)).contains("too large together"), large);
        }
        String longest = "{\"type\": \"string\", \"pattern\": \"^a*$\", \"maxLength\": 1000000000}";
        assertTrue(refusal(longest).contains("expected simpler patterns or smaller counts"), refusal(longest));
        String choices = IntStream.range(0, 20)
                .mapToObj(i -> "{\"anyOf\": [{\"minLength\": %d}, {\"maxLength\": %d}]}".formatted(i, 50 + i))
                .collect(Collectors.joining(", ", "{\"allOf\": [", "]}"));
        assertEquals("the schema can be combined in too many ways.", refusal(choices));
        String huge = "{\"enum\": [\"" + "x".repeat(1 << 20) + "\"]}";
        assertEquals("the schema has 1048590 characters, expected at most 1048576.", refusal(huge));
        String names = IntStream.range(0, 30_000)
                .mapToObj(i -> "\"n" + i + "\": {\"type\": \"null\"}")
                .collect(Collectors.joining(", ", "{\"properties\": {", "}}"));
        assertEquals("the schema has more than 20000 parts.", refusal(names));
        assertTrue(
                refusal("{\"type\": \"number\", \"minimum\": 1e999999999}").contains("no number of at most 15 digits"));
        assertTrue(refusal("{\"minProperties\": 1000}").contains("has minProperties 1000, expected at most 256 more"));
        String chain = IntStream.range(0, 1000)
                .mapToObj(i -> "\"d%d\": {\"$ref\": \"#/$defs/d%d\"}".formatted(i, i + 1))
                .collect(Collectors.joining(", ", "{\"$ref\": \"#/$defs/d0\", \"$defs\": {", ", \"d1000\": true}}"));
        assertTrue(refusal(chain).contains("is reached through more than 200 references"), refusal(chain));
    }

    /// What is allowed is more than what is written, so that it does not prove anything.
    @Test
    void formatsThatAreNotExactProveNothing() {
        assertEquals(
                "the schema's /oneOf/0 has the format 'email', of which no usual text satisfies the rest.",
                refusal("{\"oneOf\": [{\"const\": \"a@localhost\"}, {\"type\": \"string\", \"format\": \"email\"}]}"));
        assertEquals(
                "the schema's /items has the format 'time', of which no usual text satisfies the rest.",
                refusal(
                        "{\"items\": {\"type\": \"string\", \"format\": \"time\", \"maxLength\": 3}, \"minItems\": 1}"));
    }

    @Test
    void manyDescribedConstants() {
        for (String keyword : List.of("oneOf", "anyOf")) {
            Grammar grammar = Grammar.schema(IntStream.range(0, 1000)
                    .mapToObj(i -> "{\"const\": \"c%d\", \"type\": \"string\", \"title\": \"t\"}".formatted(i))
                    .collect(Collectors.joining(", ", "{\"%s\": [".formatted(keyword), "]}")));
            assertTrue(grammar.matcher(new Trie(List.of(new byte[] {'"'}))).allowed()[0] != 0);
        }
    }

    @Test
    void countersMayBeLarge() {
        for (String schema : List.of(
                "{\"type\": \"string\", \"maxLength\": 1000000000}",
                "{\"type\": \"string\", \"minLength\": 1000000000}",
                "{\"type\": \"array\", \"minItems\": 1000000000}",
                "{\"type\": \"array\", \"maxItems\": 1e99}",
                "{\"type\": \"object\", \"maxProperties\": 1e99}",
                "{\"type\": \"number\", \"maximum\": 1e-999999999}",
                "{\"type\": \"number\", \"exclusiveMinimum\": -1e999999999}")) {
            assertTrue(Grammar.schema(schema)
                            .matcher(new Trie(List.of(new byte[] {'['})))
                            .allowed()
                            .length
                    > 0);
        }
    }

    /// Damaged schemas are refused in one line, or read: then nothing goes wrong while they are written.
    @Test
    void damagedSchemas() throws InterruptedException {
        List<String> words = new ArrayList<>(List.of(
                "type",
                "enum",
                "const",
                "minimum",
                "exclusiveMaximum",
                "maxLength",
                "pattern",
                "format",
                "items",
                "prefixItems",
                "minItems",
                "properties",
                "required",
                "additionalProperties",
                "minProperties",
                "$ref",
                "allOf",
                "anyOf",
                "oneOf",
                "#",
                "#/$defs/a",
                "#/properties/a",
                "#/%zz",
                "#/~2",
                "string",
                "object",
                "integer",
                "date-time",
                "^[a-z]+$",
                "(((",
                "[^",
                "a{99999}",
                "\\u",
                "^(a|b)*?$"));
        Trie trie = new Trie(Tokens.cutFromTexts(600, new Random(1)));
        Fuzz.Outcome outcome = Fuzz.of("RefusalsTest.damaged")
                .memory(20_000, 1 << 30)
                .check(3000, damage -> {
                    JsonNode intact = new SchemaMaker(new Random(damage.number() + damage.below(1 << 20)))
                            .document()
                            .schema();
                    String schema = new String(damage.json(intact, words), StandardCharsets.UTF_8);
                    return new Fuzz.Input(schema.length(), () -> {
                        Grammar grammar = Grammar.schema(schema);
                        Talk talk = new Talk(grammar, trie, new Random(damage.below(1 << 20)));
                        talk.run((_, _) -> {});
                    });
                });
        assertTrue(outcome.read() > 300 && outcome.refused() > 300, outcome.toString());
    }
}
