package dev.wok.generate.json;

import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.exc.JsonNodeException;
import tools.jackson.databind.json.JsonMapper;

/// What others say about a text and a schema.
final class Oracle {
    static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();
    private static final SchemaRegistry REGISTRY =
            SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);

    /// Of e-mail addresses the validator wants to know the last part of the domain.
    private static final String EMAIL = "\"format\":\"email\"";

    private static final String LIKE_EMAIL = "\"pattern\":\"^[\\\\w.+-]{1,64}@([A-Za-z0-9-]{1,63}[.])+[A-Za-z]+$\"";

    private final Schema schema;

    Oracle(String schema) {
        this.schema = REGISTRY.getSchema(
                JSON.readTree(JSON.readTree(schema).toString().replace(EMAIL, LIKE_EMAIL)));
    }

    /// @return what is wrong with a text; nothing where all is well
    String wrong(byte[] text) {
        String read;
        JsonNode value;
        try {
            read = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(text))
                    .toString();
            value = JSON.readTree(read);
        } catch (CharacterCodingException | JacksonException e) {
            return e.toString();
        }
        return holdsHalfPairs(value) ? "half a surrogate pair" : wrong(value);
    }

    private String wrong(JsonNode value) {
        try {
            List<Error> errors = schema.validate(
                    value, context -> context.executionConfig(config -> config.formatAssertionsEnabled(true)));
            return errors.stream().map(Error::toString).collect(Collectors.joining("; "));
        } catch (JsonNodeException e) {
            // It cannot compare numbers of more than 64 bits with bounds for integers.
            return "";
        }
    }

    private static boolean holdsHalfPairs(JsonNode value) {
        return value.isString() && !StandardCharsets.UTF_8.newEncoder().canEncode(value.stringValue())
                || value.propertyNames().stream()
                        .anyMatch(name -> !StandardCharsets.UTF_8.newEncoder().canEncode(name))
                || value.valueStream().anyMatch(Oracle::holdsHalfPairs);
    }
}
