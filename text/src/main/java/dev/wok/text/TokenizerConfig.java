package dev.wok.text;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/// What `tokenizer_config.json` says that matters here: special tokens by name, and the chat template.
final class TokenizerConfig {
    private static final String TOOL_USE = "tool_use";
    private static final String DEFAULT = "default";

    private final String file;
    private final JsonNode root;
    private final @Nullable String templateFile;
    /// Token objects or contents by name, in the order of the file.
    private final Map<String, JsonNode> named = new LinkedHashMap<>();

    private TokenizerConfig(String file, JsonNode root, @Nullable String templateFile) {
        this.file = file;
        this.root = root;
        this.templateFile = templateFile;
        for (Map.Entry<String, JsonNode> entry : root.properties()) {
            if (entry.getKey().endsWith("_token") && !content(entry.getValue()).isEmpty()) {
                named.put(entry.getKey(), entry.getValue());
            }
        }
        if (extra().isObject()) {
            for (Map.Entry<String, JsonNode> entry : extra().properties()) {
                named.putIfAbsent(entry.getKey(), entry.getValue());
            }
        }
    }

    /// @param file of `tokenizer_config.json`, for messages
    /// @param files contents by file name; `chat_template.jinja` goes before the template in the configuration
    static TokenizerConfig read(String file, Map<String, byte[]> files) {
        byte[] json = files.get(Tokenizer.CONFIG_FILE);
        byte[] template = files.get(Tokenizer.TEMPLATE_FILE);
        JsonNode root = json == null ? MissingNode.getInstance() : TokenizerReader.parse(file, json);
        if (root.path("added_tokens_decoder").isMissingNode()) {
            root = withOlderFiles(root, files);
        }
        return new TokenizerConfig(file, root, template == null ? null : new String(template, StandardCharsets.UTF_8));
    }

    /// Older folders name their tokens in files of their own.
    private static JsonNode withOlderFiles(JsonNode config, Map<String, byte[]> files) {
        ObjectNode root =
                config instanceof ObjectNode object ? object.deepCopy() : JsonNodeFactory.instance.objectNode();
        byte[] specials = files.get(Tokenizer.SPECIAL_TOKENS_FILE);
        if (specials != null) {
            root.setAll((ObjectNode) TokenizerReader.parse(Tokenizer.SPECIAL_TOKENS_FILE, specials));
        }
        byte[] added = files.get(Tokenizer.ADDED_TOKENS_FILE);
        if (added != null) {
            ObjectNode decoder = root.putObject("added_tokens_decoder");
            List<String> special = new TokenizerConfig("", root, null)
                    .named.values().stream().map(TokenizerConfig::content).toList();
            for (Map.Entry<String, JsonNode> token :
                    TokenizerReader.parse(Tokenizer.ADDED_TOKENS_FILE, added).properties()) {
                boolean isSpecial = special.contains(token.getKey());
                decoder.putObject(token.getValue().toString())
                        .put("content", token.getKey())
                        .put("special", isSpecial)
                        .put("normalized", !isSpecial);
            }
        }
        return root;
    }

    private static String content(JsonNode token) {
        return token.isString() ? token.asString() : token.path("content").asString("");
    }

    private JsonNode extra() {
        JsonNode extra = root.path("extra_special_tokens");
        return extra.isEmpty() ? root.path("additional_special_tokens") : extra;
    }

    /// @param key `bos_token`, `eos_token`, ...
    Optional<String> named(String key) {
        return Optional.ofNullable(named.get(key)).map(TokenizerConfig::content);
    }

    /// Adds and changes tokens in the order of transformers.
    void addTo(AddedVocabulary added) {
        Set<String> specials =
                named.values().stream().map(TokenizerConfig::content).collect(Collectors.toSet());
        List<Map.Entry<String, JsonNode>> listed =
                new ArrayList<>(root.path("added_tokens_decoder").properties());
        listed.sort(Comparator.comparingLong(e -> number(e.getKey())));
        for (Map.Entry<String, JsonNode> entry : listed) {
            JsonNode token = entry.getValue();
            added.add(token, token.path("special").asBoolean(false) || specials.contains(content(token)));
        }
        for (JsonNode token : named.values()) {
            if (!added.has(content(token))) {
                added.add(token, true);
            }
            added.makeSpecial(content(token));
        }
        for (JsonNode token : extra().isArray() ? extra().values() : List.<JsonNode>of()) {
            if (!added.has(content(token))) {
                added.add(token, true);
            }
        }
    }

    private static long number(String id) {
        try {
            return Long.parseLong(id);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    Optional<ChatTemplate> template() {
        JsonNode node = root.path("chat_template");
        String usual = templateFile;
        String withTools = null;
        if (usual == null && node.isString()) {
            usual = node.asString();
        } else if (usual == null) {
            for (JsonNode one : node.values()) {
                String source = one.path("template").asString("");
                switch (one.path("name").asString("")) {
                    case DEFAULT -> usual = source;
                    case TOOL_USE -> withTools = source;
                    default -> {}
                }
            }
        }
        if (usual == null) {
            return Optional.empty();
        }
        Map<String, Object> variables = new LinkedHashMap<>();
        named.forEach((key, token) -> variables.put(key, content(token)));
        return Optional.of(new ChatTemplate(file, usual, withTools == null ? usual : withTools, variables));
    }
}
