package dev.wok.generate.json;

import java.math.BigDecimal;
import java.util.Random;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Values at random.
final class ValueMaker {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String[] CHARACTERS = {
        "a", "b", "Z", "0", " ", "\"", "\\", "/", "\n", "\u0001", "\u007f", "é", "я", "世", "\ufffd", "😀", "\u2028"
    };

    private final Random random;

    ValueMaker(Random random) {
        this.random = random;
    }

    /// @param length in characters
    String text(int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append(CHARACTERS[random.nextInt(CHARACTERS.length)]);
        }
        return text.toString();
    }

    JsonNode integer(int low, int high) {
        return NODES.numberNode(low + random.nextInt(high - low + 1));
    }

    /// A number of which only one text is usual.
    private JsonNode fraction() {
        BigDecimal value = BigDecimal.valueOf(random.nextInt(2_000_001) - 1_000_000L, random.nextInt(7));
        return NODES.numberNode(new BigDecimal(value.stripTrailingZeros().toPlainString()));
    }

    JsonNode any(int depth) {
        return switch (random.nextInt(depth > 0 ? 7 : 5)) {
            case 0 -> NODES.nullNode();
            case 1 -> NODES.booleanNode(random.nextBoolean());
            case 2 -> integer(-100_000, 100_000);
            case 3 -> fraction();
            case 4 -> NODES.stringNode(text(random.nextInt(5)));
            case 5 -> {
                ArrayNode array = NODES.arrayNode();
                for (int i = random.nextInt(4); i > 0; i--) {
                    array.add(any(depth - 1));
                }
                yield array;
            }
            default -> {
                ObjectNode object = NODES.objectNode();
                for (int i = random.nextInt(4); i > 0; i--) {
                    object.set("n" + random.nextInt(10) + "é", any(depth - 1));
                }
                yield object;
            }
        };
    }
}
