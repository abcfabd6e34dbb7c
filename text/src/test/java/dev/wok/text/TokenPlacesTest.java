package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

class TokenPlacesTest {
    /// Between the places of two tokens stands what the first one says, wherever the text is not
    /// normalised and tokens end with characters.
    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void tokensSayWhatStandsThere(String name) {
        Tokenizer tokenizer = Fixtures.tokenizer(name);
        int compared = 0;
        for (JsonNode one : Fixtures.expected(name).path("strings").values()) {
            String text = one.path("text").asString();
            Tokenizer.Located located = tokenizer.locate(text);
            assertArrayEquals(tokenizer.encode(text), located.ids());
            int[] starts = located.starts();
            for (int i = 0; i < starts.length; i++) {
                int end = i + 1 < starts.length ? starts[i + 1] : text.length();
                assertTrue(starts[i] <= end && end <= text.length(), text);
                String said = tokenizer.decode(new int[] {located.ids()[i]}, false);
                if (tokenizer.decode(located.ids(), false).equals(text) && said.indexOf('\uFFFD') < 0) {
                    assertEquals(said, text.substring(starts[i], end), text);
                    compared++;
                }
            }
        }
        assertTrue(compared > 200, name);
    }

    @Test
    void charactersOfSeveralTokensAndComposedOnes() {
        Tokenizer tokenizer = Fixtures.tokenizer("qwen2_tiny");
        Tokenizer.Located parts = tokenizer.locate("a\uD83D\uDC4Bb");
        assertEquals(0, parts.starts()[0]);
        assertEquals(3, parts.starts()[parts.starts().length - 1]);
        // The accent composes with the letter before it; what follows is found where it stood.
        Tokenizer.Located composed = tokenizer.locate("e\u0301<|im_end|>e\u0301 x");
        List<Integer> starts =
                java.util.Arrays.stream(composed.starts()).boxed().toList();
        assertTrue(starts.contains(2) && starts.contains(12), starts.toString());
        assertEquals(
                "x",
                tokenizer
                        .decode(new int[] {composed.ids()[starts.size() - 1]}, false)
                        .strip());
    }

    @Test
    void anEmptyTextHasNoTokens() {
        assertEquals(0, Fixtures.tokenizer("llama_tiny").locate("").ids().length);
    }
}
