package dev.wok.cli;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The JSON that commands read and write.
final class Json {
    private static final JsonMapper MAPPER = new JsonMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(Integer.MAX_VALUE)
                    .build())
            .build());

    private Json() {}

    static String text(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /// @return one or more token sequences, none of them empty
    /// @throws BadInput where the file is no list of such lists
    static List<int[]> idsOf(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            List<int[]> lists = ids(in, file.toString());
            if (lists.isEmpty()) {
                throw new BadInput("%s holds no sequence, expected one or more.".formatted(file));
            }
            for (int i = 0; i < lists.size(); i++) {
                if (lists.get(i).length == 0) {
                    throw new BadInput("%s: element %d is empty, expected one or more token ids.".formatted(file, i));
                }
            }
            return lists;
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    /// @param source what the input is called in a refusal
    /// @throws BadInput where the input is no list of lists of token ids
    static List<int[]> ids(InputStream in, String source) {
        List<int[]> lists = new ArrayList<>();
        for (JsonNode list : array(in, source, "an array of arrays of token ids")) {
            int number = lists.size();
            if (!list.isArray()) {
                throw refusal(source, number, "an array of token ids", list);
            }
            int[] ids = new int[list.size()];
            for (int i = 0; i < ids.length; i++) {
                JsonNode id = list.get(i);
                if (!id.canConvertToInt() || !id.isIntegralNumber()) {
                    throw refusal(source, number, "an array of token ids", id);
                }
                ids[i] = id.asInt();
            }
            lists.add(ids);
        }
        return lists;
    }

    /// @param source what the input is called in a refusal
    /// @throws BadInput where the input is no list of strings
    static List<String> strings(InputStream in, String source) {
        List<String> strings = new ArrayList<>();
        for (JsonNode string : array(in, source, "an array of strings")) {
            if (!string.isString()) {
                throw refusal(source, strings.size(), "a string", string);
            }
            strings.add(string.asString());
        }
        return strings;
    }

    /// @param source what the text is called in a refusal
    /// @throws BadInput where the text is no JSON object
    static JsonNode object(String text, String source) {
        JsonNode root = tree(() -> MAPPER.readTree(text), source);
        if (!root.isObject()) {
            throw new BadInput("%s holds %s, expected an object.".formatted(source, kind(root)));
        }
        return root;
    }

    private static JsonNode array(InputStream in, String source, String expected) {
        JsonNode root = tree(() -> MAPPER.readTree(in), source);
        if (!root.isArray()) {
            throw new BadInput("%s holds %s, expected %s.".formatted(source, kind(root), expected));
        }
        return root;
    }

    private static JsonNode tree(Supplier<JsonNode> reading, String source) {
        try {
            return reading.get();
        } catch (JacksonException e) {
            throw BadInput.notJson(source, e);
        }
    }

    private static BadInput refusal(String source, int number, String expected, JsonNode found) {
        return new BadInput("%s: element %d holds %s, expected %s.".formatted(source, number, kind(found), expected));
    }

    private static String kind(JsonNode node) {
        if (node.isMissingNode()) {
            return "nothing";
        }
        return node.isContainer() ? node.isArray() ? "an array" : "an object" : node.toString();
    }
}
