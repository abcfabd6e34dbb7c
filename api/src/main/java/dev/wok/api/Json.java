package dev.wok.api;

import dev.wok.notice.BadInput;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// JSON as it stands in messages and answers.
final class Json {
    private static final TypeReference<Map<String, Object>> MEMBERS = new TypeReference<>() {};
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private Json() {}

    /// @throws JacksonException where it is none
    static JsonNode read(String text) {
        return MAPPER.readTree(text);
    }

    /// @param what of whom the object is, for a refusal
    /// @return the members of an object in their order
    /// @throws BadInput where it is none
    static Map<String, Object> members(String text, String what) {
        try {
            return MAPPER.readValue(text, MEMBERS);
        } catch (JacksonException e) {
            throw new BadInput(
                    "%s: expected a JSON object, found %s."
                            .formatted(what, text.isBlank() ? "nothing" : shortened(text)),
                    e);
        }
    }

    static String write(Map<String, Object> members) {
        return MAPPER.writeValueAsString(members);
    }

    private static String shortened(String text) {
        String line = text.strip().lines().findFirst().orElse("");
        return line.length() > 60 ? line.substring(0, 60) + "..." : line;
    }
}
