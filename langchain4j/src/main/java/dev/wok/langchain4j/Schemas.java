package dev.wok.langchain4j;

import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.json.JsonAnyOfSchema;
import dev.langchain4j.model.chat.request.json.JsonArraySchema;
import dev.langchain4j.model.chat.request.json.JsonBooleanSchema;
import dev.langchain4j.model.chat.request.json.JsonEnumSchema;
import dev.langchain4j.model.chat.request.json.JsonIntegerSchema;
import dev.langchain4j.model.chat.request.json.JsonNullSchema;
import dev.langchain4j.model.chat.request.json.JsonNumberSchema;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.request.json.JsonReferenceSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.langchain4j.model.chat.request.json.JsonStringSchema;
import dev.wok.notice.BadInput;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// LangChain4j's schemas as JSON schemas in text.
///
/// An object that names its properties and does not say whether there may be others has no others: they
/// would not be heard of. One that names none may have any.
final class Schemas {
    static final String ANY_OBJECT = "{\"type\":\"object\"}";
    static final String NOTHING = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}";

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private Schemas() {}

    static String json(JsonSchemaElement element) {
        return node(element).toString();
    }

    private static JsonNode node(JsonSchemaElement element) {
        return switch (element) {
            case JsonObjectSchema object -> object(object);
            case JsonArraySchema array -> {
                ObjectNode node = typed("array", array.description());
                yield array.items() == null ? node : node.set("items", node(array.items()));
            }
            case JsonEnumSchema values -> {
                ObjectNode node = typed("string", values.description());
                values.enumValues().forEach(node.withArray("enum")::add);
                yield node;
            }
            case JsonStringSchema string -> typed("string", string.description());
            case JsonIntegerSchema integer -> typed("integer", integer.description());
            case JsonNumberSchema number -> typed("number", number.description());
            case JsonBooleanSchema flag -> typed("boolean", flag.description());
            case JsonNullSchema _ -> typed("null", null);
            case JsonReferenceSchema reference ->
                JsonNodeFactory.instance.objectNode().put("$ref", "#/$defs/" + reference.reference());
            case JsonAnyOfSchema any -> {
                ObjectNode node = described(any.description());
                any.anyOf().forEach(one -> node.withArray("anyOf").add(node(one)));
                yield node;
            }
            case JsonRawSchema raw -> raw(raw.schema());
            default ->
                throw new UnsupportedFeatureException(
                        "a schema of %s is not supported; give it as a JsonRawSchema.".formatted(element.getClass()));
        };
    }

    private static ObjectNode object(JsonObjectSchema object) {
        ObjectNode node = typed("object", object.description());
        members(node, "properties", object.properties());
        if (object.required() != null && !object.required().isEmpty()) {
            object.required().forEach(node.withArray("required")::add);
        }
        if (object.additionalProperties() != null) {
            node.put("additionalProperties", object.additionalProperties());
        } else if (!object.properties().isEmpty()) {
            node.put("additionalProperties", false);
        }
        members(node, "$defs", object.definitions());
        return node;
    }

    private static void members(ObjectNode node, String name, @Nullable Map<String, JsonSchemaElement> elements) {
        if (elements != null && !elements.isEmpty()) {
            ObjectNode members = node.putObject(name);
            elements.forEach((member, element) -> members.set(member, node(element)));
        }
    }

    private static ObjectNode typed(String type, @Nullable String description) {
        ObjectNode node = JsonNodeFactory.instance.objectNode().put("type", type);
        return description == null ? node : node.put("description", description);
    }

    private static ObjectNode described(@Nullable String description) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        return description == null ? node : node.put("description", description);
    }

    private static JsonNode raw(String schema) {
        try {
            return JSON.readTree(schema);
        } catch (JacksonException e) {
            throw BadInput.notJson("the raw schema", e);
        }
    }
}
