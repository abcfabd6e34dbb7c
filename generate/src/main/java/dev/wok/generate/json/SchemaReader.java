package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.math.BigDecimal;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.Set;
import java.util.function.Function;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonPointer;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Reads the schemas of one document (JSON Schema, draft 2020-12), each at its place when it is asked for.
/// What is not supported is refused by its name.
final class SchemaReader {
    private static final int LONGEST = 1 << 20;
    private static final int DEEPEST = 200;
    static final int MOST = 20_000;
    private static final int LONGEST_PATH = 2000;

    /// The formats of OpenAPI for numbers.
    private static final Map<String, Range> NUMBERS = Map.of(
            "int32",
            Range.of(BigDecimal.valueOf(Integer.MIN_VALUE), BigDecimal.valueOf(Integer.MAX_VALUE)),
            "int64",
            Range.of(BigDecimal.valueOf(Long.MIN_VALUE), BigDecimal.valueOf(Long.MAX_VALUE)),
            "float",
            Range.ALL,
            "double",
            Range.ALL);

    private static final Set<String> ANNOTATIONS = Set.of(
            "title",
            "description",
            "default",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "$comment",
            "$schema",
            "$defs",
            "definitions",
            "contentEncoding",
            "contentMediaType",
            "contentSchema");
    private static final Set<String> READ = Set.of(
            "type",
            "enum",
            "const",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minLength",
            "maxLength",
            "pattern",
            "format",
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "properties",
            "required",
            "additionalProperties",
            "minProperties",
            "maxProperties",
            "$ref",
            "allOf",
            "anyOf",
            "oneOf");

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();

    private final JsonNode document;
    private final Map<String, Schema> read = new HashMap<>();
    private int numbers;

    private SchemaReader(JsonNode document) {
        this.document = document;
    }

    static SchemaReader of(String json) {
        if (json.length() > LONGEST) {
            throw new BadInput("the schema has %d characters, expected at most %d.".formatted(json.length(), LONGEST));
        }
        try {
            JsonNode document = JSON.readTree(json);
            if (document.isMissingNode()) {
                throw new BadInput("the schema is empty, expected a JSON object, true or false.");
            }
            return new SchemaReader(document);
        } catch (JacksonException | NumberFormatException e) {
            throw BadInput.notJson("the schema", e);
        }
    }

    Schema root() {
        return read("", document);
    }

    /// @return what a schema's reference means
    Schema referred(Schema from, String ref) {
        String fragment = ref.startsWith("#") ? decoded(ref.substring(1)) : ref;
        if (!fragment.isEmpty() && !fragment.startsWith("/") || !ref.startsWith("#")) {
            throw new BadInput("%s has the $ref '%s', expected # or one that begins with #/.".formatted(from, ref));
        }
        Schema known = read.get(fragment);
        if (known != null) {
            return known;
        }
        JsonNode target;
        try {
            target = document.at(JsonPointer.compile(fragment));
        } catch (IllegalArgumentException e) {
            throw new BadInput("%s has the $ref '%s', which is no JSON pointer.".formatted(from, ref), e);
        }
        if (target.isMissingNode()) {
            throw new BadInput("%s has the $ref '%s', where there is nothing.".formatted(from, ref));
        }
        return read(fragment, target);
    }

    private static String decoded(String fragment) {
        try {
            return URLDecoder.decode(fragment.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            return fragment;
        }
    }

    /// @return a schema that stands nowhere, for given values
    Schema listing(String place, List<JsonNode> values) {
        return Schema.plain(number(), place, Type.ALL, Optional.of(values));
    }

    /// @return a schema that nothing satisfies
    Schema nothing(String place) {
        return Schema.plain(number(), place, Set.of(), Optional.empty());
    }

    int number() {
        if (numbers == MOST) {
            throw new BadInput("the schema has more than %d parts.".formatted(MOST));
        }
        return numbers++;
    }

    private Schema read(String pointer, JsonNode node) {
        Schema known = read.get(pointer);
        if (known != null) {
            return known;
        }
        String place = pointer.isEmpty() ? "the schema" : "the schema's " + pointer;
        if (pointer.chars().filter(c -> c == '/').count() > DEEPEST) {
            throw new BadInput("%s has a path of more than %d parts.".formatted(place, DEEPEST));
        }
        if (pointer.length() > LONGEST_PATH) {
            throw new BadInput("%s has a path of more than %d characters.".formatted(place, LONGEST_PATH));
        }
        Schema schema;
        if (node.isBoolean()) {
            schema = Schema.plain(number(), place, node.booleanValue() ? Type.ALL : Set.of(), Optional.empty());
        } else if (node.isObject()) {
            schema = new Reading(pointer, place, node).schema();
        } else {
            throw new BadInput("%s is %s, expected an object, true or false.".formatted(place, shown(node)));
        }
        read.put(pointer, schema);
        return schema;
    }

    private static String shown(JsonNode node) {
        String text = node.isContainer() ? node.isArray() ? "an array" : "an object" : node.toString();
        return text.length() > 60 ? text.substring(0, 60) + "..." : text;
    }

    /// One schema while it is read.
    private final class Reading {
        private final String pointer;
        private final String place;
        private final JsonNode node;

        Reading(String pointer, String place, JsonNode node) {
            this.pointer = pointer;
            this.place = place;
            this.node = node;
        }

        Schema schema() {
            for (String keyword : node.propertyNames()) {
                requireSupported(keyword);
            }
            return new Schema(
                    number(),
                    place,
                    types(),
                    values(),
                    range(),
                    text(),
                    items(),
                    members(),
                    string("$ref"),
                    schemas("allOf"),
                    choices("anyOf"),
                    choices("oneOf"));
        }

        private void requireSupported(String keyword) {
            boolean fine = READ.contains(keyword)
                    || ANNOTATIONS.contains(keyword)
                    || keyword.equals("uniqueItems")
                            && node.path(keyword).isBoolean()
                            && !node.path(keyword).booleanValue()
                    || keyword.equals("$id") && pointer.isEmpty();
            if (!fine) {
                throw new BadInput("%s has the keyword '%s', which is not supported.".formatted(place, keyword));
            }
        }

        private BadInput refusal(String keyword, JsonNode given, String expected) {
            return new BadInput("%s has %s %s, expected %s.".formatted(place, keyword, shown(given), expected));
        }

        private <T> T read(String keyword, T absent, Function<JsonNode, T> reader) {
            JsonNode value = node.get(keyword);
            return value == null ? absent : reader.apply(value);
        }

        private Set<Type> types() {
            return read("type", Type.ALL, value -> {
                Set<Type> types = new HashSet<>();
                for (JsonNode name : value.isArray() ? value : List.of(value)) {
                    Set<Type> named = name.isString() ? Type.named(name.stringValue()) : Set.of();
                    if (named.isEmpty()) {
                        throw refusal("the type", name, "a type's name or an array of these");
                    }
                    types.addAll(named);
                }
                return Set.copyOf(types);
            });
        }

        private Optional<List<JsonNode>> values() {
            Optional<List<JsonNode>> listed = read("enum", Optional.empty(), value -> {
                if (!value.isArray()) {
                    throw refusal("the enum", value, "an array");
                }
                return Optional.of(List.copyOf(value.values()));
            });
            Optional<List<JsonNode>> constant = read("const", Optional.empty(), value -> Optional.of(List.of(value)));
            listed.ifPresent(values -> values.forEach(this::requireText));
            constant.ifPresent(values -> values.forEach(this::requireText));
            return Values.both(listed, constant);
        }

        /// Half a surrogate pair has no UTF-8.
        private void requireText(JsonNode value) {
            if (value.isString()) {
                requireText(value.stringValue());
            }
            value.propertyNames().forEach(this::requireText);
            value.values().forEach(this::requireText);
        }

        private String requireText(String text) {
            if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
                throw new BadInput("%s has a string with half a surrogate pair.".formatted(place));
            }
            return text;
        }

        private Range range() {
            return read("minimum", Range.ALL, value -> Range.from(bound("minimum", value), false))
                    .and(read("exclusiveMinimum", Range.ALL, v -> Range.from(bound("exclusiveMinimum", v), true)))
                    .and(read("maximum", Range.ALL, value -> Range.to(bound("maximum", value), false)))
                    .and(read("exclusiveMaximum", Range.ALL, v -> Range.to(bound("exclusiveMaximum", v), true)))
                    .and(string("format").map(NUMBERS::get).orElse(Range.ALL));
        }

        private BigDecimal bound(String keyword, JsonNode value) {
            if (!value.isNumber()) {
                throw refusal(keyword, value, "a number");
            }
            return value.decimalValue();
        }

        private int count(String keyword, int absent) {
            return read(keyword, absent, value -> {
                if (!value.isNumber()
                        || Type.of(value) != Type.INTEGER
                        || value.decimalValue().signum() < 0) {
                    throw refusal(keyword, value, "an integer from 0 on");
                }
                boolean huge = value.decimalValue().compareTo(BigDecimal.valueOf(Integer.MAX_VALUE)) >= 0;
                if (huge && keyword.startsWith("min")) {
                    throw refusal(keyword, value, "less than " + Integer.MAX_VALUE);
                }
                return huge ? Integer.MAX_VALUE : value.decimalValue().intValue();
            });
        }

        private Text text() {
            Set<String> patterns = string("pattern").map(Set::of).orElse(Set.of());
            patterns.forEach(pattern -> Strings.read(place, pattern));
            Set<String> formats = string("format")
                    .filter(format -> !NUMBERS.containsKey(format))
                    .map(Set::of)
                    .orElse(Set.of());
            for (String format : formats) {
                if (!Formats.isKnown(format)) {
                    throw new BadInput("%s has the format '%s', which is not supported.".formatted(place, format));
                }
            }
            return new Text(count("minLength", 0), count("maxLength", StringFrame.MANY), patterns, formats);
        }

        private Optional<String> string(String keyword) {
            return read(keyword, Optional.empty(), value -> {
                if (!value.isString()) {
                    throw refusal(keyword, value, "a string");
                }
                return Optional.of(value.stringValue());
            });
        }

        private Items items() {
            List<Both> first = new ArrayList<>();
            schemas("prefixItems").forEach(schema -> first.add(Both.of(schema)));
            return new Items(first, inner("items"), count("minItems", 0), count("maxItems", ArrayShape.MANY));
        }

        private Both inner(String keyword) {
            return read(keyword, Both.ALL, value -> Both.of(SchemaReader.this.read(pointer + "/" + keyword, value)));
        }

        private Members members() {
            SequencedMap<String, Both> declared = read("properties", new LinkedHashMap<>(), value -> {
                if (!value.isObject()) {
                    throw refusal("properties", value, "an object");
                }
                SequencedMap<String, Both> found = new LinkedHashMap<>();
                value.properties().forEach(entry -> {
                    String name = requireText(entry.getKey());
                    String escaped = name.replace("~", "~0").replace("/", "~1");
                    Schema schema = SchemaReader.this.read(pointer + "/properties/" + escaped, entry.getValue());
                    found.put(name, Both.of(schema));
                });
                return found;
            });
            return new Members(
                    declared,
                    required(),
                    inner("additionalProperties"),
                    count("minProperties", 0),
                    count("maxProperties", ArrayShape.MANY));
        }

        private SequencedSet<String> required() {
            return read("required", new LinkedHashSet<>(), value -> {
                if (!value.isArray() || !value.values().stream().allMatch(JsonNode::isString)) {
                    throw refusal("required", value, "an array of strings");
                }
                SequencedSet<String> names = new LinkedHashSet<>();
                value.forEach(name -> names.add(requireText(name.stringValue())));
                return names;
            });
        }

        private List<Schema> schemas(String keyword) {
            return read(keyword, List.of(), value -> {
                if (!value.isArray() || value.isEmpty()) {
                    throw refusal(keyword, value, "an array of schemas");
                }
                List<Schema> schemas = new ArrayList<>();
                for (int i = 0; i < value.size(); i++) {
                    schemas.add(SchemaReader.this.read("%s/%s/%d".formatted(pointer, keyword, i), value.get(i)));
                }
                return schemas;
            });
        }

        private List<List<Schema>> choices(String keyword) {
            List<Schema> schemas = schemas(keyword);
            return schemas.isEmpty() ? List.of() : List.of(schemas);
        }
    }
}
