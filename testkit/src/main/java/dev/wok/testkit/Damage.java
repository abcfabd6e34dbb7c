package dev.wok.testkit;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.util.RawValue;

/// Damage to bytes, texts and JSON, all of it drawn from one seed.
public final class Damage {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Stands at the end of a key that is to be there twice.
    private static final String TWICE = "#twice";

    private static final long[] NUMBERS = {
        0,
        1,
        -1,
        2,
        7,
        255,
        256,
        0xFFFF,
        1 << 16,
        1 << 24,
        1 << 30,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        1L << 31,
        1L << 32,
        1L << 40,
        1L << 62,
        Long.MAX_VALUE,
        Long.MIN_VALUE
    };

    /// JSON that few expect.
    private static final List<String> VALUES = List.of(
            "null",
            "true",
            "false",
            "0.5",
            "-0.0",
            "1.0",
            "1e2",
            "1e308",
            "1e999",
            "1e-999",
            "9223372036854775808",
            "1" + "0".repeat(400),
            "\"\"",
            "\" \"",
            "\"0\"",
            "\"\\u0000\\n\\ud800\"",
            "\"😀\"",
            "\"" + "x".repeat(20_000) + "\"",
            "[]",
            "{}",
            "[null]",
            "{\"\": 1}",
            "[".repeat(10) + "]".repeat(10),
            "[".repeat(400) + "]".repeat(400),
            "[".repeat(20_000) + "]".repeat(20_000),
            "{\"a\":".repeat(300) + "1" + "}".repeat(300),
            "[" + "0,".repeat(5_000) + "0]");

    private final SplittableRandom random;

    Damage(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /// @return 0 to bound - 1
    public int below(int bound) {
        return random.nextInt(bound);
    }

    /// @return one of them
    @SafeVarargs
    public final <T> T oneOf(T... choices) {
        return choices[below(choices.length)];
    }

    /// @return one of them
    public <T> T oneOf(List<T> choices) {
        return choices.get(below(choices.size()));
    }

    /// @return a number at whose like overflow and wrong signs begin, or one near to one
    public long number() {
        long number = NUMBERS[below(NUMBERS.length)];
        return below(3) == 0 ? number + below(5) - 2 : number;
    }

    /// @return the bytes with one to three changes: bits, bytes, numbers, parts gone, moved or there twice, the end
    public byte[] bytes(byte[] intact) {
        byte[] bytes = intact;
        for (int i = below(3); i >= 0; i--) {
            bytes = bytes.length == 0 ? new byte[] {(byte) below(256)} : changed(bytes);
        }
        return bytes;
    }

    private byte[] changed(byte[] bytes) {
        int from = below(bytes.length);
        int to = Math.min(bytes.length, from + 1 + below(oneOf(2, 8, 100, bytes.length)));
        byte[] part = Arrays.copyOfRange(bytes, from, to);
        return switch (below(8)) {
            case 0 -> replaced(bytes, from, from + 1, (byte) (bytes[from] ^ 1 << below(8)));
            case 1 -> replaced(bytes, from, from + 1, (byte) below(256));
            case 2 -> replaced(bytes, from, Math.min(bytes.length, from + 8), little(number(), oneOf(1, 2, 4, 8)));
            case 3 -> Arrays.copyOf(bytes, from);
            case 4 -> replaced(bytes, from, to);
            case 5 -> replaced(bytes, to, to, part);
            case 6 -> {
                int other = below(bytes.length);
                yield replaced(bytes, other, Math.min(bytes.length, other + part.length), part);
            }
            default -> {
                byte[] noise = new byte[1 + below(oneOf(4, 100, 2000))];
                random.nextBytes(noise);
                yield replaced(bytes, from, from, noise);
            }
        };
    }

    /// @return the lowest bytes of a number, the lowest first
    public static byte[] little(long number, int bytes) {
        byte[] out = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            out[i] = (byte) (number >> 8 * i);
        }
        return out;
    }

    /// @return the bytes with others in the place of some
    public static byte[] replaced(byte[] bytes, int from, int to, byte... by) {
        byte[] out = Arrays.copyOf(bytes, bytes.length - (to - from) + by.length);
        System.arraycopy(by, 0, out, from, by.length);
        System.arraycopy(bytes, to, out, from + by.length, bytes.length - to);
        return out;
    }

    /// @param words what means something in such a text
    /// @return the text with one to three changes: as [#bytes], or words and parts of it in other places
    public String text(String intact, List<String> words) {
        if (below(3) == 0) {
            return new String(bytes(intact.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
        }
        StringBuilder text = new StringBuilder(intact);
        for (int i = below(3); i >= 0; i--) {
            int from = below(text.length() + 1);
            int to = Math.min(text.length(), from + below(oneOf(1, 4, 40, 400)));
            String part = text.substring(from, to);
            switch (below(5)) {
                case 0 -> text.insert(from, oneOf(words));
                case 1 -> text.replace(from, to, oneOf(words));
                case 2 -> text.insert(from, part.repeat(oneOf(1, 2, 30)));
                case 3 -> text.insert(below(text.length() + 1), part);
                default -> text.delete(from, to);
            }
        }
        return text.toString();
    }

    /// @param words texts that mean something to what reads it
    /// @return the JSON with one to three changes to values, keys and lists, at times as [#bytes]
    public byte[] json(JsonNode intact, List<String> words) {
        JsonNode root = intact.deepCopy();
        for (int i = below(3); i >= 0; i--) {
            change(root, words);
        }
        byte[] bytes = JSON.writeValueAsString(root).replace(TWICE, "").getBytes(StandardCharsets.UTF_8);
        return below(4) == 0 ? bytes(bytes) : bytes;
    }

    /// Finds its place from the root on, so that what there is little of is changed as often as lists of thousands.
    private void change(JsonNode root, List<String> words) {
        JsonNode at = root;
        while (true) {
            List<JsonNode> inner = at.valueStream()
                    .filter(v -> v.isContainer() && !v.isEmpty())
                    .toList();
            if (inner.isEmpty() || below(3) == 0) {
                break;
            }
            at = oneOf(inner);
        }
        switch (at) {
            case ObjectNode object when !object.isEmpty() -> change(object, words);
            case ArrayNode array when !array.isEmpty() -> change(array, words);
            default -> {}
        }
    }

    private void change(ObjectNode object, List<String> words) {
        List<String> keys = new ArrayList<>(object.propertyNames());
        String key = oneOf(keys);
        String other = oneOf(keys);
        switch (below(8)) {
            case 0 -> object.remove(key);
            case 1 -> object.set(oneOf(key + "x", "", other, oneOf(words), "k".repeat(3000)), object.remove(key));
            case 2 -> object.set(key + TWICE, object.get(other).deepCopy());
            case 3 -> {
                JsonNode value = object.get(key);
                object.set(key, object.get(other));
                object.set(other, value);
            }
            default -> object.set(key, value(object.get(key), words));
        }
    }

    private void change(ArrayNode array, List<String> words) {
        int i = below(array.size());
        int other = below(array.size());
        switch (below(8)) {
            case 0 -> array.remove(i);
            case 1 -> array.insert(other, array.get(i).deepCopy());
            case 2 -> {
                JsonNode value = array.get(i);
                array.set(i, array.get(other));
                array.set(other, value);
            }
            case 3 -> {
                JsonNode value = array.get(i);
                for (int n = value.size() > 10 ? 2 : oneOf(2, 30, 1000); n > 0; n--) {
                    array.add(value.deepCopy());
                }
            }
            default -> array.set(i, value(array.get(i), words));
        }
    }

    private JsonNode value(JsonNode old, List<String> words) {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        return switch (below(4)) {
            case 0 -> nodes.rawValueNode(new RawValue(oneOf(VALUES)));
            case 1 -> nodes.numberNode(number());
            case 2 -> nodes.stringNode(oneOf(words));
            default ->
                switch (old.getNodeType()) {
                    case STRING -> nodes.stringNode(text(old.stringValue(), words));
                    case NUMBER -> nodes.numberNode(old.asLong(0) * oneOf(1, 2, -1, 1000) + below(5) - 2);
                    case BOOLEAN -> nodes.booleanNode(!old.booleanValue());
                    case ARRAY -> nodes.arrayNode().add(old.deepCopy());
                    default -> nodes.numberNode(number());
                };
        };
    }
}
