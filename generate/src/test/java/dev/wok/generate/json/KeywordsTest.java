package dev.wok.generate.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Each keyword with texts that it allows and texts that it does not.
class KeywordsTest {
    private static final Trie BYTES = new Trie(
            IntStream.range(0, 256).mapToObj(b -> new byte[] {(byte) b}).toList());

    /// @param allowed texts, apart by blanks in one line
    /// @param refused likewise
    record Case(String schema, List<String> allowed, List<String> refused) {}

    private static Case of(String schema, String allowed, String refused) {
        return new Case(schema, texts(allowed), texts(refused));
    }

    private static List<String> texts(String all) {
        return all.isEmpty() ? List.of() : List.of(all.split(" \\| "));
    }

    static List<Case> cases() {
        return List.of(
                of(
                        "true",
                        "null | true | -0 | 0 | 1.5e-7 | \"\" | [] | {} | [{\"a\": [1, {}]}] |  null",
                        "nul | tru | 01 | - | .5 | 1. | 1e | [1,] | {\"a\"} | {1:2} | [1 2] | 'a' | NaN | +1"),
                of("{}", "null | [[[]]]", "{\"a\": 1, \"a\": 2}"),
                of("{\"type\": \"null\"}", "null", "0 | \"null\""),
                of("{\"type\": \"boolean\"}", "true | false", "null | \"true\" | truefalse"),
                of(
                        "{\"type\": \"integer\"}",
                        "0 | -1 | 123456789012345678",
                        "-0 | 1.0 | 1.5 | 1e2 | 1234567890123456789 | 007"),
                of(
                        "{\"type\": \"number\"}",
                        "0 | -0.5 | 1e99 | 2.5E-10 | 0.12345678901234",
                        "1e100 | 1.2.3 | 0.1234567890123456 | --1"),
                of(
                        "{\"type\": \"string\"}",
                        "\"\" | \"é😀\" | \"\\u00e9\\ud83d\\ude00\\n\\/\"",
                        "\"\\ud83d\" | \"\\ude00\" | \"\\x\" | \"\n\" | \"a | \"\\ud83dx\""),
                of(
                        "{\"type\": \"array\"}",
                        "[] | [1, \"a\", [null]] | [\n    1,\n    2\n] | [ ] | [ 1 ]",
                        "[1 , 2] | [1,  2] | [,] | [1]]"),
                of(
                        "{\"type\": \"object\"}",
                        "{} | {\"a\": 1} | {\"a\":1,\"b\":{}} | {\n  \"a\": 1\n}",
                        "{\"a\" : 1} | {\"a\":  1} | {\"\\u0061\": 1} | {\"a\": 1,}"),
                of("{\"type\": [\"string\", \"null\"]}", "null | \"\"", "1 | {}"),
                of("{\"type\": [\"integer\", \"number\"]}", "1 | 1.5", "null"),
                of(
                        "{\"enum\": [1, \"a\", null, [1, {\"b\": 2}], {\"c\": []}, 2.50, 1e300]}",
                        "1 | \"a\" | null | [1,{\"b\":2}] | [1, {\"b\": 2}] | {\"c\": []} | 2.5 | 1E+300",
                        "2 | \"b\" | [1] | {} | {\"c\": [1]} | 2.50 | 10"),
                of("{\"enum\": [1, 10, 100]}", "1 | 10 | 100", "1000 | 0"),
                of("{\"enum\": [1, \"a\", true], \"type\": \"string\"}", "\"a\"", "1 | true"),
                of("{\"enum\": [1, 2, 3], \"const\": 2.0}", "2", "1 | 3"),
                of(
                        "{\"const\": {\"b\": 1, \"a\": [true]}}",
                        "{\"b\": 1, \"a\": [true]}",
                        "{\"a\": [true], \"b\": 1} | {\"b\": 1} | {\"b\": 1, \"a\": []}"),
                of(
                        "{\"const\": \"q\\\"\\\\\\u0001\\ud83d\\ude00/\"}",
                        "\"q\\\"\\\\\\u0001😀/\"",
                        "\"q\\\"\\\\\\u0001😀\\/\""),
                of("{\"minimum\": 5, \"type\": \"integer\"}", "5 | 10 | 123", "4 | -5 | 0"),
                of("{\"exclusiveMinimum\": 5, \"type\": \"integer\"}", "6 | 50", "5 | 4"),
                of("{\"maximum\": -5, \"type\": \"integer\"}", "-5 | -10", "-4 | 0 | 5"),
                of(
                        "{\"minimum\": 0, \"maximum\": 255, \"type\": \"integer\"}",
                        "0 | 9 | 99 | 255 | 200",
                        "256 | 300 | 1000 | -1"),
                of(
                        "{\"minimum\": -1.5, \"exclusiveMaximum\": 1.25, \"type\": \"number\"}",
                        "-1.5 | -1.50 | 0 | 1.249 | -1.499 | 1",
                        "-1.51 | 1.25 | 1.250 | 2 | -2 | 1e0"),
                of("{\"minimum\": 1.5, \"maximum\": 1.5}", "1.5 | 1.50 | \"a\" | null", "1 | 2 | 1.51"),
                of("{\"exclusiveMinimum\": 0, \"type\": \"number\"}", "0.1 | 1 | 0.00001", "0 | 0.0 | -1"),
                of("{\"maximum\": 1e308, \"minimum\": -1e308, \"type\": \"number\"}", "1 | 999999999999999999", "1e5"),
                of(
                        "{\"minLength\": 2}",
                        "\"ab\" | \"😀😀\" | 1 | null | [\"a\"] | \"\\ud83d\\ude00x\"",
                        "\"a\" | \"😀\" | \"\\ud83d\\ude00\""),
                of(
                        "{\"maxLength\": 2, \"type\": \"string\"}",
                        "\"\" | \"ab\" | \"😀😀\" | \"\\n\\u0041\"",
                        "\"abc\" | \"😀😀😀\""),
                of("{\"maxLength\": 2147483647, \"type\": \"string\"}", "\"abc\"", ""),
                of(
                        "{\"pattern\": \"^a+b?$\", \"type\": \"string\"}",
                        "\"a\" | \"aaab\"",
                        "\"b\" | \"aabb\" | \"ab\\n\""),
                of(
                        "{\"pattern\": \"^a+$\", \"minLength\": 2, \"maxLength\": 3, \"type\": \"string\"}",
                        "\"aa\" | \"aaa\"",
                        "\"a\" | \"aaaa\""),
                of("{\"pattern\": \"b\"}", "\"abc\" | 1 | null", "\"ac\" | \"\""),
                of("{\"pattern\": \"^[^\\\\x00-\\\\x7f]$\", \"type\": \"string\"}", "\"é\" | \"😀\"", "\"e\" | \"éé\""),
                of(
                        "{\"pattern\": \"^[\\\"\\\\\\\\\\\\n\\\\x01]$\", \"type\": \"string\"}",
                        "\"\\\"\" | \"\\\\\" | \"\\n\" | \"\\u0001\"",
                        "\"a\" | \"\\u000a\""),
                of(
                        "{\"format\": \"date\", \"type\": \"string\"}",
                        "\"2024-02-29\" | \"2000-02-29\" | \"2023-12-31\"",
                        "\"2023-02-29\" | \"1900-02-29\" | \"2023-04-31\" | \"2023-13-01\" | \"2023-00-01\" | \"23-01-01\""),
                of(
                        "{\"format\": \"time\", \"type\": \"string\"}",
                        "\"23:59:59Z\" | \"00:00:00.5+01:30\"",
                        "\"24:00:00Z\" | \"12:60:00Z\" | \"12:00:00\""),
                of(
                        "{\"format\": \"date-time\", \"type\": \"string\"}",
                        "\"2024-02-29T23:59:59Z\"",
                        "\"2024-02-30T00:00:00Z\" | \"2024-02-29\""),
                of(
                        "{\"format\": \"uuid\", \"type\": \"string\"}",
                        "\"550e8400-e29b-41d4-a716-446655440000\"",
                        "\"550e8400-e29b-41d4-a716-44665544000\""),
                of(
                        "{\"format\": \"email\", \"type\": \"string\"}",
                        "\"a@b.de\" | \"first.last+tag@sub.example.com\"",
                        "\"a@b\" | \"a..b@c.de\" | \"@b.de\" | \"a b@c.de\""),
                of(
                        "{\"format\": \"int32\", \"type\": \"integer\"}",
                        "-2147483648 | 0 | 2147483647",
                        "-2147483649 | 2147483648"),
                of(
                        "{\"format\": \"int64\", \"type\": \"integer\", \"minimum\": 3}",
                        "3 | 2147483648",
                        "2 | -9223372036854775809"),
                of("{\"format\": \"double\", \"type\": \"number\"}", "1.5 | -2e3", "\"1.5\""),
                of(
                        "{\"format\": \"ipv4\", \"type\": \"string\"}",
                        "\"0.0.0.0\" | \"255.1.20.200\"",
                        "\"256.0.0.0\" | \"1.2.3\" | \"01.2.3.4\""),
                of("{\"items\": {\"type\": \"integer\"}, \"type\": \"array\"}", "[] | [1, 2]", "[\"a\"] | [1, null]"),
                of("{\"items\": false}", "[] | 1", "[1]"),
                of(
                        "{\"prefixItems\": [{\"type\": \"integer\"}, {\"type\": \"string\"}], \"type\": \"array\"}",
                        "[] | [1] | [1, \"a\"] | [1, \"a\", null]",
                        "[\"a\"] | [1, 2]"),
                of("{\"prefixItems\": [{\"type\": \"integer\"}, false], \"type\": \"array\"}", "[] | [1]", "[1, 2]"),
                of(
                        "{\"prefixItems\": [true], \"items\": {\"type\": \"null\"}, \"type\": \"array\"}",
                        "[1, null]",
                        "[1, 1]"),
                of(
                        "{\"minItems\": 2, \"maxItems\": 3, \"items\": {\"type\": \"integer\"}, \"type\": \"array\"}",
                        "[1,2] | [1,2,3]",
                        "[] | [1] | [1,2,3,4]"),
                of("{\"minItems\": 2147483646, \"type\": \"array\"}", "", "[] | [1]"),
                of(
                        "{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": {\"type\": \"null\"}}, \"type\": \"object\"}",
                        "{} | {\"a\": 1} | {\"b\": null} | {\"a\": 1, \"b\": null, \"c\": 1} | {\"ab\": 1}",
                        "{\"a\": null} | {\"b\": null, \"a\": 1} | {\"c\": 1, \"a\": 1} | {\"c\": 1, \"c\": 2}"),
                of(
                        "{\"properties\": {\"a\": true}, \"required\": [\"a\", \"z\"], \"type\": \"object\"}",
                        "{\"a\": 1, \"z\": 2} | {\"a\": 1, \"z\": 2, \"b\": 3}",
                        "{} | {\"a\": 1} | {\"z\": 1} | {\"a\": 1, \"b\": 2}"),
                of(
                        "{\"properties\": {\"a\": true}, \"additionalProperties\": false, \"type\": \"object\"}",
                        "{} | {\"a\": 1}",
                        "{\"b\": 1} | {\"ab\": 1}"),
                of(
                        "{\"properties\": {\"a\": true}, \"additionalProperties\": {\"type\": \"null\"}, \"type\": \"object\"}",
                        "{\"a\": 1, \"b\": null} | {\"\": null}",
                        "{\"b\": 1}"),
                of(
                        "{\"properties\": {\"a\": false, \"b\": true}, \"type\": \"object\"}",
                        "{} | {\"b\": 1} | {\"c\": 1}",
                        "{\"a\": 1}"),
                of(
                        "{\"properties\": {\"a/~\\\"é\": {\"const\": 1}}, \"additionalProperties\": false, \"minProperties\": 1}",
                        "{\"a/~\\\"é\": 1}",
                        "{} | {\"a/~\\\"é\": 2}"),
                of(
                        "{\"minProperties\": 2, \"maxProperties\": 2, \"type\": \"object\"}",
                        "{\"a\": 1, \"b\": 2}",
                        "{} | {\"a\": 1} | {\"a\": 1, \"b\": 2, \"c\": 3}"),
                of(
                        "{\"properties\": {\"a\": true, \"b\": true, \"c\": true}, \"required\": [\"b\"], \"maxProperties\": 2, \"minProperties\": 2, \"additionalProperties\": false}",
                        "{\"a\": 1, \"b\": 2} | {\"b\": 1, \"c\": 2} | 5",
                        "{\"b\": 1} | {\"a\": 1, \"c\": 2} | {\"a\": 1, \"b\": 2, \"c\": 3}"),
                of(
                        "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 10}, {\"type\": \"number\", \"maximum\": 1.5}, {\"type\": \"null\"}]}",
                        "10 | 1.5 | -3 | null",
                        "5 | 1.6 | \"a\""),
                of(
                        "{\"type\": \"object\", \"required\": [\"k\"], \"anyOf\": [{\"properties\": {\"k\": {\"const\": 1}}}, {\"properties\": {\"k\": {\"const\": 2}, \"v\": true}}]}",
                        "{\"k\": 1} | {\"k\": 2, \"v\": 3}",
                        "{} | {\"k\": 3}"),
                of("{\"oneOf\": [{\"type\": \"string\"}, {\"type\": \"integer\"}]}", "\"a\" | 1", "null | 1.5"),
                of(
                        "{\"oneOf\": [{\"const\": 1, \"title\": \"one\"}, {\"enum\": [2, 3], \"type\": \"integer\"}, {\"const\": \"a\"}]}",
                        "1 | 2 | 3 | \"a\"",
                        "4 | null"),
                of(
                        "{\"oneOf\": [{\"maximum\": 3, \"type\": \"number\"}, {\"minimum\": 4, \"type\": \"number\"}]}",
                        "3 | 4.5",
                        "3.5"),
                of(
                        "{\"oneOf\": [{\"const\": {\"a\": 1}}, {\"const\": {\"a\": 2}}, {\"enum\": [[1], [2, 3]]}, {\"const\": [1, 2]}]}",
                        "{\"a\": 1} | [1] | [2, 3] | [1, 2]",
                        "{\"a\": 3} | [2]"),
                of(
                        "{\"oneOf\": [{\"type\": \"string\", \"maxLength\": 2}, {\"type\": \"string\", \"minLength\": 4}, {\"type\": \"array\", \"maxItems\": 1}, {\"type\": \"array\", \"minItems\": 3}]}",
                        "\"ab\" | \"abcd\" | [1] | [1,2,3]",
                        "\"abc\" | [1,2]"),
                of(
                        "{\"oneOf\": [{\"type\": \"string\", \"pattern\": \"^a\"}, {\"type\": \"string\", \"pattern\": \"^b\"}]}",
                        "\"ax\" | \"b\"",
                        "\"c\""),
                of(
                        "{\"oneOf\": [{\"properties\": {\"a\": true}, \"required\": [\"a\"], \"additionalProperties\": false}, {\"properties\": {\"b\": true}, \"required\": [\"b\"], \"additionalProperties\": false}], \"type\": \"object\"}",
                        "{\"a\": 1} | {\"b\": 1}",
                        "{} | {\"a\": 1, \"b\": 1}"),
                of(
                        "{\"allOf\": [{\"type\": [\"string\", \"integer\"]}, {\"type\": [\"integer\", \"null\"]}, {\"minimum\": 2}, {\"maximum\": 3}]}",
                        "2 | 3",
                        "1 | 4 | null | \"a\""),
                of(
                        "{\"allOf\": [{\"properties\": {\"a\": {\"minimum\": 2}}}, {\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": true}, \"required\": [\"b\"]}], \"type\": \"object\"}",
                        "{\"a\": 2, \"b\": 1} | {\"b\": null}",
                        "{\"a\": 1, \"b\": 1} | {\"a\": 2}"),
                of(
                        "{\"$ref\": \"#/$defs/a\", \"maximum\": 5, \"$defs\": {\"a\": {\"type\": \"integer\", \"minimum\": 3}}}",
                        "3 | 5",
                        "2 | 6"),
                of(
                        "{\"definitions\": {\"a b%\": {\"const\": 1}}, \"items\": {\"$ref\": \"#/definitions/a%20b%25\"}, \"type\": \"array\"}",
                        "[1, 1]", "[2]"),
                of(
                        "{\"properties\": {\"a\": {\"type\": \"null\"}, \"b\": {\"$ref\": \"#/properties/a\"}, \"c\": {\"$ref\": \"#\"}}, \"additionalProperties\": false, \"type\": \"object\"}",
                        "{\"b\": null, \"c\": {\"c\": {}}}",
                        "{\"b\": 1} | {\"c\": 1}"),
                of(
                        "{\"title\": \"t\", \"description\": \"d\", \"default\": 1, \"examples\": [1], \"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"$id\": \"https://example.com/s\", \"$comment\": \"c\", \"deprecated\": true, \"readOnly\": true, \"writeOnly\": false, \"uniqueItems\": false, \"type\": \"null\"}",
                        "null",
                        "1"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void whatItAllows(Case each) {
        Grammar grammar = Grammar.schema(each.schema);
        Oracle oracle = new Oracle(each.schema);
        for (String text : each.allowed) {
            assertEquals("", oracle.wrong(text.getBytes(StandardCharsets.UTF_8)), text);
            assertEquals("", read(grammar, text), text);
        }
        for (String text : each.refused) {
            assertFalse(read(grammar, text).isEmpty(), text);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void whatIsWritten(Case each) {
        Grammar grammar = Grammar.schema(each.schema);
        Oracle oracle = new Oracle(each.schema);
        Trie trie = new Trie(Tokens.cutFromTexts(1000, new Random(1)));
        for (int i = 0; i < 20; i++) {
            Talk talk = new Talk(grammar, trie, new Random(i));
            if (talk.run((_, _) -> {})) {
                assertEquals("", oracle.wrong(talk.text()), () -> new String(talk.text(), StandardCharsets.UTF_8));
            }
        }
    }

    private static String read(Grammar grammar, String text) {
        Matcher matcher = grammar.matcher(BYTES);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < bytes.length; i++) {
            int b = bytes[i] & 0xFF;
            if ((matcher.allowed()[b / Long.SIZE] >>> b & 1) == 0) {
                return "refused at " + i;
            }
            matcher.accept(b);
        }
        return matcher.mayEnd() ? "" : "may not end";
    }

    @Test
    void nestsAsDeepAsTheBound() {
        Grammar grammar = Grammar.anyJson();
        assertEquals("", read(grammar, "[".repeat(Node.LEVELS) + "]".repeat(Node.LEVELS)));
        assertEquals("refused at 64", read(grammar, "[".repeat(Node.LEVELS + 1)));
        assertEquals("refused at %d".formatted(5 * Node.LEVELS), read(grammar, "{\"a\":".repeat(Node.LEVELS) + "{"));
        assertEquals("", read(grammar, "{\"a\":".repeat(Node.LEVELS - 1) + "{}" + "}".repeat(Node.LEVELS - 1)));
    }

    @Test
    void whiteSpaceIsBounded() {
        Grammar grammar = Grammar.anyJson();
        assertEquals("", read(grammar, "[\n    1,\n\t2\n]"));
        assertEquals("refused at 6", read(grammar, "[\n     1]"));
        assertEquals("refused at 2", read(grammar, "[\n\n1]"));
        assertEquals("refused at 2", read(grammar, "[  1]"));
        assertEquals("refused at 1", read(grammar, "  1"));
    }
}
