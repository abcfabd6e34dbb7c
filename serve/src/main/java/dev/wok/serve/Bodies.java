package dev.wok.serve;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// Bodies of requests, which may hold anything, as JSON.
final class Bodies {
    private static final int MAX_DEPTH = 100;
    private static final int MAX_NUMBER = 100;
    private static final int MAX_NAME = 10_000;

    /// Where the parser speaks of its settings and of bytes.
    private static final Pattern INTERNALS = Pattern.compile(",? from `[^`]*`| \\(start marker at .*");

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MAX_DEPTH)
                            .maxNumberLength(MAX_NUMBER)
                            .maxNameLength(MAX_NAME)
                            .maxStringLength(Integer.MAX_VALUE)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
                    .build())
            .build();

    private Bodies() {}

    /// @throws Refusal where that is no JSON object in UTF-8
    static ObjectNode read(byte[] body) {
        if (body.length == 0) {
            throw Refusal.badRequest(400, "the request has no body; expected a JSON object.");
        }
        JsonNode root = parse(text(body));
        if (!(root instanceof ObjectNode object)) {
            throw Refusal.badRequest(
                    400,
                    "the body is %s; expected a JSON object."
                            .formatted(root.isArray() ? "a list" : root.isMissingNode() ? "empty" : "no object"));
        }
        return object;
    }

    private static String text(byte[] body) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
        } catch (CharacterCodingException e) {
            throw Refusal.badRequest(400, "the body is not UTF-8; encode the JSON in UTF-8.");
        }
    }

    private static JsonNode parse(String text) {
        try {
            return MAPPER.readTree(text);
        } catch (JacksonException e) {
            String said =
                    String.valueOf(e.getOriginalMessage()).lines().findFirst().orElse("");
            TokenStreamLocation at = e.getLocation();
            throw Refusal.badRequest(
                    400,
                    "the body is not JSON that is read here: %s%s."
                            .formatted(
                                    INTERNALS.matcher(said).replaceAll(""),
                                    at == null
                                            ? ""
                                            : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr())));
        }
    }
}
