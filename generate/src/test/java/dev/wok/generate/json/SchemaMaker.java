package dev.wok.generate.json;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Schemas at random, each with values at random that it allows, in the order of its members.
final class SchemaMaker {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final List<String> NAMES = List.of(
            "a",
            "b",
            "ab",
            "name",
            "id",
            "kind",
            "x\"y",
            "tab\there",
            "größe",
            "😀",
            "",
            "back\\slash",
            "long name",
            "v");

    private final Random random;
    private final ValueMaker values;

    /// A schema and values that it allows.
    record Made(JsonNode schema, Supplier<JsonNode> value) {}

    SchemaMaker(Random random) {
        this.random = random;
        values = new ValueMaker(random);
    }

    /// @return a document, at times with definitions
    Made document() {
        if (random.nextInt(6) == 0) {
            return switch (random.nextInt(5)) {
                case 0, 1 -> list();
                case 2, 3 -> tree();
                default -> ambiguous();
            };
        }
        if (random.nextInt(5) == 0) {
            Made inner = schema(3);
            ObjectNode document = NODES.objectNode();
            document.put("$ref", "#/$defs/in~1ner").putObject("$defs").set("in/ner", inner.schema);
            return new Made(annotated(document), inner.value);
        }
        return schema(4);
    }

    /// A list that refers to itself by the root.
    private Made list() {
        Made element = schema(2);
        ObjectNode document = NODES.objectNode().put("type", "object");
        ObjectNode properties = document.putObject("properties");
        properties.set("element", element.schema);
        properties
                .putObject("next")
                .putArray("anyOf")
                .add(type("null"))
                .add(NODES.objectNode().put("$ref", "#"));
        document.putArray("required").add("element").add("next");
        return new Made(document, () -> {
            JsonNode list = NODES.nullNode();
            for (int i = random.nextInt(4); i >= 0; i--) {
                ObjectNode longer = NODES.objectNode();
                longer.set("element", element.value.get());
                list = longer.set("next", list);
            }
            return list;
        });
    }

    /// A tree that refers to itself by a definition.
    private Made tree() {
        ObjectNode document = NODES.objectNode().put("$ref", "#/$defs/tree");
        ObjectNode tree = document.putObject("$defs").putObject("tree").put("type", "object");
        tree.put("additionalProperties", false);
        ObjectNode properties = tree.putObject("properties");
        properties.set("v", type("integer"));
        properties
                .putObject("inner")
                .put("type", "array")
                .put("maxItems", 3)
                .putObject("items")
                .put("$ref", "#/$defs/tree");
        tree.putArray("required").add("v");
        return new Made(document, () -> tree(3));
    }

    private ObjectNode tree(int depth) {
        ObjectNode tree = NODES.objectNode();
        tree.set("v", values.integer(-9, 9));
        if (depth > 0 && random.nextBoolean()) {
            ArrayNode inner = tree.putArray("inner");
            for (int i = random.nextInt(4); i > 0; i--) {
                inner.add(tree(depth - 1));
            }
        }
        return tree;
    }

    /// Arrays of which each can be read in two ways.
    private Made ambiguous() {
        ObjectNode document = NODES.objectNode();
        ArrayNode branches = document.putArray("anyOf").add(type("boolean"));
        branches.addObject()
                .put("type", "array")
                .put("maxItems", 3)
                .putObject("items")
                .put("$ref", "#");
        branches.addObject()
                .put("type", "array")
                .put("minItems", 2)
                .putObject("items")
                .put("$ref", "#");
        return new Made(document, () -> arrays(3));
    }

    private JsonNode arrays(int depth) {
        if (depth == 0) {
            return NODES.booleanNode(random.nextBoolean());
        }
        ArrayNode array = NODES.arrayNode();
        for (int i = random.nextInt(5); i > 0; i--) {
            array.add(arrays(depth - 1));
        }
        return array;
    }

    private static ObjectNode type(String name) {
        return NODES.objectNode().put("type", name);
    }

    private ObjectNode annotated(ObjectNode schema) {
        switch (random.nextInt(8)) {
            case 0 -> schema.put("title", "minLength").put("deprecated", true);
            case 1 ->
                schema.put("description", "what it is").putArray("examples").add(1);
            case 2 -> schema.put("$comment", "type").set("default", NODES.nullNode());
            default -> {}
        }
        return schema;
    }

    Made schema(int depth) {
        return switch (random.nextInt(depth > 0 ? 15 : 8)) {
            case 0 -> anything();
            case 1 -> new Made(type("null"), NODES::nullNode);
            case 2 -> new Made(type("boolean"), () -> NODES.booleanNode(random.nextBoolean()));
            case 3 -> number(true);
            case 4 -> number(false);
            case 5 -> string();
            case 6 -> pattern();
            case 7 -> listed();
            case 8, 9 -> array(depth - 1);
            case 10, 11 -> object(depth - 1);
            case 12 -> either("anyOf", depth - 1);
            case 13 -> apart(depth - 1);
            default -> mixed(depth - 1);
        };
    }

    private Made anything() {
        return new Made(
                random.nextBoolean() ? NODES.booleanNode(true) : annotated(NODES.objectNode()), () -> values.any(2));
    }

    private Made number(boolean integer) {
        ObjectNode schema = type(integer ? "integer" : "number");
        int scale = integer ? 0 : random.nextInt(4);
        long low = random.nextInt(2001) - 1000L;
        long high = low + random.nextInt(random.nextBoolean() ? 30 : 5000);
        int bounds = random.nextInt(4);
        boolean strict = random.nextBoolean() && high - low > 2;
        if ((bounds & 1) != 0) {
            schema.put(strict ? "exclusiveMinimum" : "minimum", BigDecimal.valueOf(strict ? low - 1 : low, scale));
        }
        if ((bounds & 2) != 0) {
            schema.put(strict ? "exclusiveMaximum" : "maximum", BigDecimal.valueOf(strict ? high + 1 : high, scale));
        }
        return new Made(
                annotated(schema),
                () -> NODES.numberNode(
                        BigDecimal.valueOf(low + (long) (random.nextDouble() * (high - low + 1)), scale)));
    }

    private Made string() {
        ObjectNode schema = type("string");
        int min = random.nextInt(4);
        int max = min + random.nextInt(6);
        int bounds = random.nextInt(4);
        if ((bounds & 1) != 0) {
            schema.put("minLength", min);
        }
        if ((bounds & 2) != 0) {
            schema.put("maxLength", max);
        }
        return new Made(annotated(schema), () -> NODES.stringNode(values.text(min + random.nextInt(max - min + 1))));
    }

    private Made pattern() {
        ObjectNode schema = type("string");
        Strings strings = Strings.all()[random.nextInt(Strings.all().length)];
        schema.put(strings.isFormat ? "format" : "pattern", strings.rule);
        return new Made(annotated(schema), () -> NODES.stringNode(strings.made(random)));
    }

    /// Rules and texts that satisfy them.
    private record Strings(boolean isFormat, String rule, String... texts) {
        static Strings[] all() {
            return new Strings[] {
                new Strings(false, "^[a-z]{2,5}$", "ab", "hello", "cat"),
                new Strings(false, "^(cat|dog|c[ao]w)s?$", "cat", "dogs", "cow", "caw"),
                new Strings(false, "^\\d+(\\.\\d{1,2})?$", "1", "10.5", "123.25"),
                new Strings(false, "[0-9]", "a1", "2", "größe 3 😀", "x\"9"),
                new Strings(false, "^[^a-z\"]*$", "", "ABC", "ÄÖ 😀", "12\\"),
                new Strings(false, "^.{1,3}$", "a", "äö", "😀😀😀", "\"\\\""),
                new Strings(false, "^[A-Z]{2}-[0-9]{3}$", "AB-123", "ZZ-000"),
                new Strings(false, "^\\S+@\\S+$", "a@b", "ü@😀"),
                new Strings(false, "ab|^c|d$", "xxabxx", "cat", "end", "ab"),
                new Strings(false, "^(?:[\\u4e00-\\u9fff]|x)+$", "你好", "x世x"),
                new Strings(true, "date", "2024-02-29", "2023-12-31", "1999-01-01"),
                new Strings(true, "time", "23:59:59Z", "08:15:00.125+02:00"),
                new Strings(true, "date-time", "2024-02-29T23:59:59.125Z", "2000-01-01T00:00:00-01:30"),
                new Strings(true, "uuid", "550e8400-e29b-41d4-a716-446655440000"),
                new Strings(true, "email", "someone@example.com", "a.b-c@d-e.co.uk"),
                new Strings(true, "ipv4", "192.168.1.255", "0.0.0.0")
            };
        }

        String made(Random random) {
            return texts[random.nextInt(texts.length)];
        }
    }

    private Made listed() {
        List<JsonNode> allowed = new ArrayList<>();
        for (int i = random.nextInt(5); i >= 0; i--) {
            allowed.add(values.any(1));
        }
        ObjectNode schema = NODES.objectNode();
        if (allowed.size() == 1) {
            schema.set("const", allowed.getFirst());
        } else {
            schema.putArray("enum").addAll(allowed);
        }
        return new Made(annotated(schema), () -> allowed.get(random.nextInt(allowed.size())));
    }

    private Made array(int depth) {
        ObjectNode schema = type("array");
        List<Made> first = new ArrayList<>();
        for (int i = random.nextInt(3) == 0 ? random.nextInt(4) : 0; i > 0; i--) {
            first.add(schema(depth));
        }
        if (!first.isEmpty()) {
            ArrayNode prefix = schema.putArray("prefixItems");
            first.forEach(made -> prefix.add(made.schema));
        }
        boolean none = !first.isEmpty() && random.nextInt(3) == 0;
        Made rest = schema(depth);
        schema.set("items", none ? NODES.booleanNode(false) : rest.schema);
        int min = random.nextInt(none ? first.size() + 1 : 4);
        int max = none ? first.size() : min + random.nextInt(4);
        int bounds = random.nextInt(4);
        if ((bounds & 1) != 0) {
            schema.put("minItems", min);
        }
        if ((bounds & 2) != 0) {
            schema.put("maxItems", max);
        }
        return new Made(annotated(schema), () -> {
            ArrayNode array = NODES.arrayNode();
            for (int i = 0, size = min + random.nextInt(max - min + 1); i < size; i++) {
                array.add((i < first.size() ? first.get(i) : rest).value.get());
            }
            return array;
        });
    }

    private record Member(String name, Made made, boolean required) {}

    private Made object(int depth) {
        ObjectNode schema = type("object");
        List<String> names = new ArrayList<>(NAMES);
        List<Member> members = new ArrayList<>();
        for (int i = random.nextInt(6); i > 0; i--) {
            String name = names.remove(random.nextInt(names.size()));
            members.add(new Member(name, schema(depth), random.nextBoolean()));
        }
        ObjectNode properties = schema.putObject("properties");
        members.forEach(member -> properties.set(member.name, member.made.schema));
        ArrayNode required = NODES.arrayNode();
        members.stream()
                .filter(Member::required)
                .map(Member::name)
                .toList()
                .reversed()
                .forEach(required::add);
        schema.set("required", required);
        Made other = schema(depth);
        boolean open = random.nextBoolean();
        if (!open) {
            schema.put("additionalProperties", false);
        } else {
            schema.set("additionalProperties", other.schema);
        }
        int others = open ? random.nextInt(3) : 0;
        int needed = required.size();
        int bounds = random.nextInt(6);
        if (bounds == 0) {
            schema.put("minProperties", open ? random.nextInt(members.size() + 2) : needed);
        } else if (bounds == 1) {
            schema.put("maxProperties", needed + random.nextInt(3));
        }
        int min = schema.path("minProperties").asInt(0);
        int max = schema.path("maxProperties").asInt(Integer.MAX_VALUE);
        return new Made(annotated(schema), () -> {
            ObjectNode object = NODES.objectNode();
            int left = needed;
            for (Member member : members) {
                if (member.required || random.nextBoolean() && object.size() + left < max) {
                    object.set(member.name, member.made.value.get());
                    left -= member.required ? 1 : 0;
                }
            }
            for (int i = 0; object.size() < min || i < others && object.size() < max; i++) {
                object.set("other " + i, other.value.get());
            }
            return object;
        });
    }

    private Made either(String keyword, int depth) {
        List<Made> made = new ArrayList<>();
        ObjectNode schema = NODES.objectNode();
        ArrayNode branches = schema.putArray(keyword);
        for (int i = 1 + random.nextInt(3); i >= 0; i--) {
            Made branch = schema(depth);
            made.add(branch);
            branches.add(branch.schema);
        }
        return new Made(
                annotated(schema),
                () -> made.get(random.nextInt(made.size())).value.get());
    }

    /// Branches that differ in a required constant.
    private Made apart(int depth) {
        List<Made> made = new ArrayList<>();
        ObjectNode schema = NODES.objectNode().put("type", "object");
        ArrayNode branches = schema.putArray("oneOf");
        for (int i = random.nextInt(3); i >= 0; i--) {
            Made value = schema(depth);
            int number = i;
            ObjectNode branch = branches.addObject();
            ObjectNode properties = branch.putObject("properties");
            properties.putObject("kind").put("const", "k" + i);
            properties.set("value", value.schema);
            branch.putArray("required").add("kind").add("value");
            made.add(new Made(branch, () -> {
                ObjectNode object = NODES.objectNode().put("kind", "k" + number);
                return object.set("value", value.value.get());
            }));
        }
        return new Made(
                schema, () -> made.get(random.nextInt(made.size())).value.get());
    }

    /// Keywords of several types, with none that is named or with two; parts that hold together.
    private Made mixed(int depth) {
        ObjectNode schema = NODES.objectNode();
        switch (random.nextInt(3)) {
            case 0 -> {
                schema.put("minLength", 2).put("maximum", 5).put("maxItems", 1).put("minProperties", 1);
                return new Made(annotated(schema), () -> switch (random.nextInt(4)) {
                    case 0 -> NODES.booleanNode(true);
                    case 1 -> NODES.stringNode(values.text(2 + random.nextInt(3)));
                    case 2 -> values.integer(-50, 5);
                    default -> NODES.objectNode().set("a", values.any(1));
                });
            }
            case 1 -> {
                schema.putArray("type").add("string").add("integer");
                ArrayNode parts = schema.putArray("allOf");
                parts.addObject().put("minLength", 1).put("minimum", -3);
                parts.addObject().put("maxLength", 4).put("maximum", 12);
                return new Made(
                        schema,
                        () -> random.nextBoolean()
                                ? NODES.stringNode(values.text(1 + random.nextInt(4)))
                                : values.integer(-3, 12));
            }
            default -> {
                Made a = schema(depth);
                Made b = schema(depth);
                ArrayNode parts = schema.put("type", "object").putArray("allOf");
                parts.addObject().putObject("properties").set("a", a.schema);
                parts.addObject().putArray("required").add("a");
                schema.putObject("properties").set("b", b.schema);
                return new Made(schema, () -> {
                    ObjectNode object = NODES.objectNode();
                    if (random.nextBoolean()) {
                        object.set("b", b.value.get());
                    }
                    return object.set("a", a.value.get());
                });
            }
        }
    }
}
