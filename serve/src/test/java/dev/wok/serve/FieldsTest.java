package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

class FieldsTest {
    private static Fields of(String json) {
        return Fields.of((ObjectNode) JsonMapper.shared().readTree(json.replace('\'', '"')));
    }

    private static void assertRefused(String param, String message, Executable reading) {
        Refusal refusal = assertThrows(Refusal.class, reading);
        assertEquals(message, refusal.message());
        assertEquals(param, refusal.param());
        assertEquals(400, refusal.status());
    }

    @Test
    void eachTypeIsReadOrRefused() {
        Fields fields =
                of("{'text': 'a', 'one': 1, 'half': 0.5, 'yes': true, 'object': {}, 'list': [1, 'b'], 'no': null}");
        assertEquals("a", fields.requireText("text"));
        assertEquals(OptionalInt.of(1), fields.count("one", 0, 2));
        assertEquals(0.5, fields.number("half", 0, 1).getAsDouble());
        assertTrue(fields.flag("yes", false));
        assertTrue(fields.text("no").isEmpty() && fields.objects("no").isEmpty() && !fields.has("no"));
        assertRefused("one", "one is 1, expected text.", () -> fields.text("one"));
        assertRefused("text", "text is \"a\", expected an integer of 0 to 9.", () -> fields.count("text", 0, 9));
        assertRefused("half", "half is 0.5, expected an integer of 0 to 9.", () -> fields.count("half", 0, 9));
        assertRefused("yes", "yes is true, expected a number of 0 to 1.", () -> fields.number("yes", 0, 1));
        assertRefused("list", "list is a list of 2, expected true or false.", () -> fields.flag("list"));
        assertRefused("list[0]", "list[0] is 1, expected text.", () -> fields.texts("list"));
        assertRefused("list", "list[1] is \"b\", expected a token id.", () -> fields.ids("list"));
        assertRefused("gone", "gone is missing, expected text.", () -> fields.requireText("gone"));
        assertRefused("text", "text is \"a\", expected one of b, c.", () -> fields.word("text", Set.of("c", "b")));
    }

    @Test
    void pathsLeadIntoTheBody() {
        Fields second = of("{'messages': [{}, {'content': [{'text': 5}]}]}")
                .objects("messages")
                .get(1);
        Fields part = second.objects("content").getFirst();
        assertRefused(
                "messages[1].content[0].text",
                "messages[1].content[0].text is 5, expected text.",
                () -> part.requireText("text"));
    }

    @Test
    void integersAreWholeAndOfASize() {
        Fields fields = of("{'a': 2.0, 'b': 1e300, 'c': 123456789012345678901234567890, 'd': -1, 'e': 1e999}");
        assertEquals(OptionalLong.of(2), fields.integer("a", 0, 9));
        for (String name : List.of("b", "c", "d", "e")) {
            assertThrows(Refusal.class, () -> fields.integer(name, 0, Long.MAX_VALUE), name);
        }
        assertThrows(Refusal.class, () -> fields.number("e", -1e308, 1e308));
    }

    @Test
    void whatIsGivenBackIsShort() {
        Fields fields = of("{'long': '%s'}".formatted("\ud83d\ude00".repeat(100)));
        assertRefused(
                "long",
                "long is \"%s...\", expected true or false.".formatted("\ud83d\ude00".repeat(60)),
                () -> fields.flag("long"));
    }

    @Test
    void listsOfIds() {
        Fields fields = of("{'ids': [[1, 2.0], []], 'bad': [[1, -1]]}");
        assertArrayEquals(new int[] {1, 2}, fields.listsOfIds("ids").getFirst());
        assertEquals(2, fields.listsOfIds("ids").size());
        assertRefused("bad", "bad[0][1] is -1, expected a token id.", () -> fields.listsOfIds("bad"));
    }
}
