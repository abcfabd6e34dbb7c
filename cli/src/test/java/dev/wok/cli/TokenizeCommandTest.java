package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.json.JsonMapper;

class TokenizeCommandTest {
    private static final String MODEL = Tiny.tokenizer().toString();

    @Test
    void stringsBecomeIdsAndIdsBecomeTheStringsAgain() {
        String strings = "[\"public static void\",\"\",\"é\\n🙂\"]";
        Captured there = Captured.runWith(strings, "tokenize", MODEL, "--json");
        assertEquals(0, there.code(), there.err());
        int[][] ids = JsonMapper.shared().readValue(there.out(), int[][].class);
        assertEquals(3, ids.length);
        assertTrue(ids[0].length > 1, there.out());
        assertEquals(0, ids[1].length);

        Captured back = Captured.runWith(there.out(), "tokenize", MODEL, "--decode", "--json");
        assertEquals(0, back.code(), back.err());
        assertArrayEquals(
                new String[] {"public static void", "", "é\n🙂"},
                JsonMapper.shared().readValue(back.out(), String[].class));
    }

    @Test
    void ggufFilesHaveTokenizers(@TempDir Path folder) throws IOException {
        Path file = Tiny.gguf(Tiny.model(folder.resolve("model")), folder.resolve("tiny.gguf"));
        Captured run = Captured.runWith("int x\n", "tokenize", file.toString());
        assertEquals(0, run.code(), run.err());
        assertEquals(Captured.runWith("int x\n", "tokenize", MODEL).out(), run.out());
    }

    @Test
    void specialTokensComeOnlyWhereAskedFor() {
        int[][] plain = encode("[\"x\"]", "--json");
        int[][] special = encode("[\"x\"]", "--json", "--special");
        assertEquals(1, plain[0].length);
        assertEquals(2, special[0].length);
        assertEquals(plain[0][0], special[0][1]);

        String ids = "[[%d,%d]]".formatted(special[0][0], special[0][1]);
        assertEquals(
                "[\"x\"]\n",
                Captured.runWith(ids, "tokenize", MODEL, "--decode", "--json", "--special")
                        .out());
        assertTrue(Captured.runWith(ids, "tokenize", MODEL, "--decode", "--json")
                        .out()
                        .length()
                > 6);
    }

    @Test
    void linesWorkWithoutJson() {
        Captured there = Captured.runWith("int x\nint y\n", "tokenize", MODEL);
        assertEquals(2, there.out().lines().count());
        Captured back = Captured.runWith(there.out(), "tokenize", MODEL, "--decode");
        assertEquals("int x\nint y\n", back.out());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'' | wok: the input holds nothing, expected an array of strings.",
                "{} | wok: the input holds an object, expected an array of strings.",
                "'[\"a\", 7]' | wok: the input: element 1 holds 7, expected a string.",
            })
    void whatIsNoArrayOfStringsIsRefused(String input, String refusal) {
        Captured run = Captured.runWith(input, "tokenize", MODEL, "--json");
        assertEquals(2, run.code());
        assertEquals(refusal + "\n", run.err());
        assertEquals("", run.out());
    }

    @Test
    void brokenJsonIsRefusedInOneLine() {
        Captured run = Captured.runWith("[\"a\"", "tokenize", MODEL, "--json");
        assertEquals(2, run.code());
        assertTrue(run.err().startsWith("wok: the input is not JSON: "), run.err());
        assertEquals(1, run.errLines().size());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[1] | wok: the input: element 0 holds 1, expected an array of token ids.",
                "[[1],[2.5]] | wok: the input: element 1 holds 2.5, expected an array of token ids.",
                "[[9999999999]] | wok: the input: element 0 holds 9999999999, expected an array of token ids.",
            })
    void whatIsNoArrayOfIdsIsRefused(String input, String refusal) {
        Captured run = Captured.runWith(input, "tokenize", MODEL, "--decode", "--json");
        assertEquals(2, run.code());
        assertEquals(refusal + "\n", run.err());
    }

    @Test
    void aWordAmongIdsIsRefused() {
        Captured run = Captured.runWith("1 two 3\n", "tokenize", MODEL, "--decode");
        assertEquals(2, run.code());
        assertEquals("wok: 'two' is no token id; expected numbers separated by spaces.\n", run.err());
    }

    @Test
    void aMissingModelIsRefused() {
        Captured run = Captured.runWith("[]", "tokenize", "no/such/folder", "--json");
        assertEquals(2, run.code());
        assertTrue(run.err().contains("no/such/folder"), run.err());
        assertEquals(1, run.errLines().size());
    }

    private static int[][] encode(String input, String... options) {
        String[] arguments = new String[options.length + 2];
        arguments[0] = "tokenize";
        arguments[1] = MODEL;
        System.arraycopy(options, 0, arguments, 2, options.length);
        return JsonMapper.shared().readValue(Captured.runWith(input, arguments).out(), int[][].class);
    }
}
