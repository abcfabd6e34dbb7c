package dev.wok.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/// What the converter to GGUF makes of the fixtures' tokenizers.
final class GgufMetadata {
    private GgufMetadata() {}

    static String pre(String name) {
        if (name.contains("qwen")) {
            return "qwen2";
        }
        if (name.contains("llama")) {
            return "llama-bpe";
        }
        return name.contains("ds3") || name.contains("v3") ? "deepseek-v3" : "deepseek-llm";
    }

    static Map<String, Object> of(String name) {
        JsonNode json = Fixtures.read(name, Tokenizer.FILE);
        JsonNode config = Fixtures.read(name, Tokenizer.CONFIG_FILE);
        int size = Fixtures.expected(name).path("vocab_size_with_added").asInt();
        String[] tokens = new String[size];
        Long[] types = new Long[size];
        Arrays.fill(types, 1L);
        json.at("/model/vocab").properties().forEach(e -> tokens[e.getValue().asInt()] = e.getKey());
        for (JsonNode added : json.path("added_tokens").values()) {
            int id = added.path("id").asInt();
            tokens[id] = added.path("content").asString();
            types[id] = added.path("special").asBoolean() ? 3L : 4L;
        }
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : json.at("/model/merges").values()) {
            merges.add(
                    merge.isString()
                            ? merge.asString()
                            : merge.values().stream().map(JsonNode::asString).collect(Collectors.joining(" ")));
        }
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("tokenizer.ggml.model", "gpt2");
        metadata.put("tokenizer.ggml.pre", pre(name));
        metadata.put("tokenizer.ggml.tokens", List.of(tokens));
        metadata.put("tokenizer.ggml.token_type", List.of(types));
        metadata.put("tokenizer.ggml.merges", merges);
        Map.of("bos", "bos", "eos", "eos", "pad", "padding").forEach((theirs, ours) -> {
            JsonNode token = config.path(theirs + "_token");
            String content =
                    token.isString() ? token.asString() : token.path("content").asString("");
            // The converter finds Qwen2's in the model's configuration.
            String found = content.isEmpty() && theirs.equals("bos") ? "<|endoftext|>" : content;
            metadata.put("tokenizer.ggml.%s_token_id".formatted(ours), (long)
                    Arrays.asList(tokens).indexOf(found));
        });
        if (pre(name).startsWith("deepseek")) {
            // The fixtures ask for none, as transformers 5 does.
            metadata.put("tokenizer.ggml.add_bos_token", false);
        }
        metadata.put("tokenizer.chat_template", config.path("chat_template").asString());
        return metadata;
    }
}
