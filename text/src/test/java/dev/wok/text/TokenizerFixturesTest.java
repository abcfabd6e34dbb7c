package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/// Ids and texts are those of the Hugging Face libraries.
class TokenizerFixturesTest {

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void encodesEveryString(String name) {
        requireEncodings(Fixtures.tokenizer(name), Fixtures.expected(name));
    }

    static void requireEncodings(Tokenizer tokenizer, JsonNode expected) {
        assertTrue(expected.path("strings").size() > 200);
        for (JsonNode string : expected.path("strings").values()) {
            String text = string.path("text").asString();
            assertArrayEquals(Fixtures.ids(string.path("ids")), tokenizer.encode(text), text);
            assertArrayEquals(Fixtures.ids(string.path("ids_with_special")), tokenizer.encode(text, true), text);
        }
        assertEquals(expected.path("vocab_size_with_added").asInt(), tokenizer.size());
    }

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void decodesEveryString(String name) {
        requireDecodings(Fixtures.tokenizer(name), Fixtures.expected(name));
    }

    static void requireDecodings(Tokenizer tokenizer, JsonNode expected) {
        for (JsonNode string : expected.path("strings").values()) {
            int[] ids = Fixtures.ids(string.path("ids"));
            assertDecodes(tokenizer, ids, string.path("decoded").asString(), false);
            assertDecodes(tokenizer, ids, string.path("decoded_skip_special").asString(), true);
        }
        assertTrue(expected.path("decode").size() > 20);
        for (JsonNode decode : expected.path("decode").values()) {
            int[] ids = Fixtures.ids(decode.path("ids"));
            assertDecodes(tokenizer, ids, decode.path("text").asString(), false);
            assertDecodes(tokenizer, ids, decode.path("text_skip_special").asString(), true);
        }
    }

    private static void assertDecodes(Tokenizer tokenizer, int[] ids, String text, boolean skipSpecialTokens) {
        assertEquals(text, tokenizer.decode(ids, skipSpecialTokens));
        Tokenizer.Decoder decoder = tokenizer.decoder(skipSpecialTokens);
        StringBuilder streamed = new StringBuilder();
        for (int id : ids) {
            streamed.append(decoder.append(id));
        }
        streamed.append(decoder.finish());
        assertEquals(text, streamed.toString());
    }
}
