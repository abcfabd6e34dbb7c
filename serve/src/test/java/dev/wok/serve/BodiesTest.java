package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class BodiesTest {
    private static String refusal(byte[] body) {
        Refusal refusal = assertThrows(Refusal.class, () -> Bodies.read(body));
        assertEquals(400, refusal.status());
        assertEquals("invalid_request_error", refusal.type());
        return refusal.message();
    }

    private static String refusal(String body) {
        return refusal(body.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void objectsAreRead() {
        assertEquals(
                "{\"a\":\"😀\\\\\",\"b\":{\"c\":[1,2.5,null]}}",
                Bodies.read("{\"a\": \"\\ud83d\\ude00\\\\\", \"b\": {\"c\": [1, 2.5, null]}}"
                                .getBytes(StandardCharsets.UTF_8))
                        .toString());
    }

    @Test
    void whatIsNoObjectIsRefused() {
        assertEquals("the request has no body; expected a JSON object.", refusal(""));
        assertEquals("the body is a list; expected a JSON object.", refusal("[1]"));
        assertEquals("the body is empty; expected a JSON object.", refusal("  "));
        assertEquals("the body is no object; expected a JSON object.", refusal("null"));
        assertEquals("the body is no object; expected a JSON object.", refusal("\"x\""));
    }

    @Test
    void whatIsNoJsonIsRefusedWithItsPlace() {
        String cut = refusal("{\"a\":\n 1,");
        assertTrue(cut.startsWith("the body is not JSON that is read here: ") && cut.contains("line 2"), cut);
        assertTrue(refusal("{} {}").contains("not JSON"), refusal("{} {}"));
        assertTrue(refusal("{'a': 1}").contains("not JSON"));
        assertTrue(refusal("{\"a\": NaN}").contains("not JSON"));
        assertTrue(refusal("{\"a\": 1, \"a\": 2}").contains("uplicate"), refusal("{\"a\": 1, \"a\": 2}"));
        assertTrue(refusal("{\"a\": \"\u0001\"}").contains("not JSON"));
        assertTrue(refusal("\ufeff{}").contains("not JSON"));
    }

    @Test
    void depthAndNumbersHaveLimits() {
        String deep = "{\"a\":" + "[".repeat(5000) + "]".repeat(5000) + "}";
        assertTrue(refusal(deep).contains("depth"), refusal(deep));
        String number = "{\"a\":" + "9".repeat(1000) + "}";
        assertTrue(refusal(number).contains("umber"), refusal(number));
        String name = "{\"%s\":1}".formatted("x".repeat(20_000));
        assertTrue(refusal(name).contains("ame"), refusal(name));
    }

    @Test
    void textIsUtf8() {
        assertEquals(
                "the body is not UTF-8; encode the JSON in UTF-8.",
                refusal("{\"a\": \"ä\"}".getBytes(StandardCharsets.ISO_8859_1)));
        assertEquals(
                "the body is not UTF-8; encode the JSON in UTF-8.",
                refusal("{\"a\": 1}".getBytes(StandardCharsets.UTF_16)));
    }
}
