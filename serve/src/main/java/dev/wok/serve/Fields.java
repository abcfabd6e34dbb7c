package dev.wok.serve;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The fields of a JSON object, of which each has the type that it is asked for, or is refused by its
/// path. A field that is null counts as absent.
final class Fields {
    private static final int SHOWN = 60;

    private final ObjectNode node;
    private final String path;

    private Fields(ObjectNode node, String path) {
        this.node = node;
        this.path = path;
    }

    /// @param body of a request
    static Fields of(ObjectNode body) {
        return new Fields(body, "");
    }

    /// @return the path of a field, such as `messages[2].content`
    String path(String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    /// @return the names of all fields
    List<String> names() {
        return List.copyOf(node.propertyNames());
    }

    boolean has(String name) {
        return any(name).isPresent();
    }

    /// @return the first of these fields that is there
    Optional<String> firstOf(String... names) {
        return List.of(names).stream().filter(this::has).findFirst();
    }

    Optional<JsonNode> any(String name) {
        return Optional.ofNullable(node.get(name)).filter(value -> !value.isNull());
    }

    /// @return what an answer may repeat
    Optional<JsonNode> copy(String name) {
        return any(name).map(JsonNode::deepCopy);
    }

    Optional<String> text(String name) {
        return any(name).map(value -> {
            if (!value.isString()) {
                throw wrong(name, "text");
            }
            return value.stringValue();
        });
    }

    String requireText(String name) {
        return text(name).orElseThrow(() -> missing(name, "text"));
    }

    /// @return one of some words
    Optional<String> word(String name, Set<String> words) {
        Optional<String> given = text(name);
        if (given.isPresent() && !words.contains(given.get())) {
            throw wrong(name, oneOf(words));
        }
        return given;
    }

    static String oneOf(Set<String> words) {
        return words.size() == 1
                ? "\"" + words.iterator().next() + "\""
                : "one of " + String.join(", ", words.stream().sorted().toList());
    }

    OptionalLong integer(String name, long least, long most) {
        Optional<JsonNode> given = any(name);
        if (given.isEmpty()) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(integer(given.get(), least, most)
                .orElseThrow(() -> wrong(name, "an integer of %d to %d".formatted(least, most))));
    }

    private static Optional<Long> integer(JsonNode value, long least, long most) {
        if (!value.isNumber()) {
            return Optional.empty();
        }
        boolean whole = value.isIntegralNumber()
                ? value.canConvertToLong()
                : Math.rint(value.doubleValue()) == value.doubleValue() && Math.abs(value.doubleValue()) < 1L << 53;
        return Optional.of(value)
                .filter(_ -> whole)
                .map(number -> number.isIntegralNumber() ? number.longValue() : (long) number.doubleValue())
                .filter(number -> least <= number && number <= most);
    }

    OptionalInt count(String name, int least, int most) {
        OptionalLong given = integer(name, least, most);
        return given.isPresent() ? OptionalInt.of((int) given.getAsLong()) : OptionalInt.empty();
    }

    OptionalDouble number(String name, double least, double most) {
        Optional<JsonNode> given = any(name);
        if (given.isEmpty()) {
            return OptionalDouble.empty();
        }
        double value = given.get().isNumber() ? given.get().doubleValue() : Double.NaN;
        if (!(value >= least && value <= most)) {
            throw wrong(name, "a number of %s to %s".formatted(shown(least), shown(most)));
        }
        return OptionalDouble.of(value);
    }

    private static String shown(double bound) {
        return bound == Math.rint(bound) ? String.valueOf((long) bound) : String.valueOf(bound);
    }

    Optional<Boolean> flag(String name) {
        return any(name).map(value -> {
            if (!value.isBoolean()) {
                throw wrong(name, "true or false");
            }
            return value.booleanValue();
        });
    }

    boolean flag(String name, boolean usual) {
        return flag(name).orElse(usual);
    }

    Optional<Fields> object(String name) {
        return any(name).map(value -> {
            if (!(value instanceof ObjectNode object)) {
                throw wrong(name, "an object");
            }
            return new Fields(object, path(name));
        });
    }

    Fields requireObject(String name) {
        return object(name).orElseThrow(() -> missing(name, "an object"));
    }

    /// @return the objects of a list; none where it is absent
    List<Fields> objects(String name) {
        List<Fields> objects = new ArrayList<>();
        for (JsonNode value : list(name)) {
            if (!(value instanceof ObjectNode object)) {
                throw wrong(name, objects.size(), value, "an object");
            }
            objects.add(new Fields(object, "%s[%d]".formatted(path(name), objects.size())));
        }
        return objects;
    }

    /// @return the texts of a list; none where it is absent
    List<String> texts(String name) {
        List<String> texts = new ArrayList<>();
        for (JsonNode value : list(name)) {
            if (!value.isString()) {
                throw wrong(name, texts.size(), value, "text");
            }
            texts.add(value.stringValue());
        }
        return texts;
    }

    /// @return a text or the texts of a list; none where it is absent
    List<String> textOrTexts(String name) {
        Optional<JsonNode> given = any(name);
        if (given.isPresent() && !given.get().isString() && !given.get().isArray()) {
            throw wrong(name, "text or a list of texts");
        }
        return given.isPresent() && given.get().isArray()
                ? texts(name)
                : text(name).stream().toList();
    }

    /// @return the token ids of a list; none where it is absent
    int[] ids(String name) {
        return ids(name, path(name), list(name));
    }

    /// @return the token ids of each list in a list
    List<int[]> listsOfIds(String name) {
        List<int[]> lists = new ArrayList<>();
        for (JsonNode value : list(name)) {
            if (!value.isArray()) {
                throw wrong(name, lists.size(), value, "a list of token ids");
            }
            lists.add(ids(name, "%s[%d]".formatted(path(name), lists.size()), value));
        }
        return lists;
    }

    private int[] ids(String name, String at, Iterable<JsonNode> values) {
        List<Integer> ids = new ArrayList<>();
        for (JsonNode value : values) {
            int index = ids.size();
            long id = integer(value, 0, Integer.MAX_VALUE)
                    .orElseThrow(() -> Refusal.badField(
                            path(name), "%s[%d] is %s, expected a token id.".formatted(at, index, shown(value))));
            ids.add((int) id);
        }
        return ids.stream().mapToInt(id -> id).toArray();
    }

    private Iterable<JsonNode> list(String name) {
        Optional<JsonNode> given = any(name);
        if (given.isPresent() && !given.get().isArray()) {
            throw wrong(name, "a list");
        }
        return given.isPresent() ? given.get().values() : List.of();
    }

    Refusal missing(String name, String expected) {
        return Refusal.badField(path(name), "%s is missing, expected %s.".formatted(path(name), expected));
    }

    /// @return the refusal of a field that is there
    Refusal wrong(String name, String expected) {
        return Refusal.badField(
                path(name),
                "%s is %s, expected %s.".formatted(path(name), shown(any(name).orElseThrow()), expected));
    }

    private Refusal wrong(String name, int index, JsonNode value, String expected) {
        String at = "%s[%d]".formatted(path(name), index);
        return Refusal.badField(at, "%s is %s, expected %s.".formatted(at, shown(value), expected));
    }

    private static String shown(JsonNode value) {
        return switch (value.getNodeType()) {
            case OBJECT -> "an object";
            case ARRAY -> "a list of " + value.size();
            case STRING -> "\"" + cut(value.stringValue()) + "\"";
            default -> cut(value.toString());
        };
    }

    private static String cut(String text) {
        return text.codePointCount(0, text.length()) <= SHOWN
                ? text
                : text.substring(0, text.offsetByCodePoints(0, SHOWN)) + "...";
    }
}
