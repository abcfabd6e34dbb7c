package dev.wok.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What a GGUF file says of a tokenizer by naming its `tokenizer.ggml.pre`: all that the
/// `tokenizer.json` of that family says and the other keys do not.
///
/// @param normalizer the form that text is brought to
/// @param splitters what cuts text into words
/// @param ignoreMerges whether a word that is a token becomes it whatever the merges say
/// @param begins whether texts begin with a token where the file does not say
/// @param namesBegin whether the tokenizer has such a token even where texts do not begin with it; Qwen's
///     has none, and the id in its files is the model's
record GgufStyle(
        Optional<String> normalizer,
        List<Map<String, Object>> splitters,
        boolean ignoreMerges,
        boolean begins,
        boolean namesBegin) {
    private static final Map<String, GgufStyle> BY_NAME = new LinkedHashMap<>();

    static {
        GgufStyle llama = new GgufStyle(Optional.empty(), splits(Patterns.LLAMA3), true, true, true);
        Optional<String> nfc = Optional.of("NFC");
        BY_NAME.put("deepseek-llm", digits(Patterns.DEEPSEEK_LLM));
        BY_NAME.put("deepseek-coder", digits(Patterns.DEEPSEEK_CODER));
        BY_NAME.put("deepseek-v3", new GgufStyle(Optional.empty(), splits(Patterns.DEEPSEEK_V3), false, true, true));
        BY_NAME.put("deepseek-r1-qwen", new GgufStyle(nfc, splits(Patterns.QWEN2), false, true, true));
        BY_NAME.put("qwen2", new GgufStyle(nfc, splits(Patterns.QWEN2), false, false, false));
        BY_NAME.put("llama-bpe", llama);
        BY_NAME.put("llama3", llama);
        BY_NAME.put("llama-v3", llama);
        BY_NAME.put("smaug-bpe", new GgufStyle(Optional.empty(), splits(Patterns.LLAMA3), false, true, true));
        BY_NAME.put("gpt-2", new GgufStyle(Optional.empty(), splits(Patterns.GPT2), false, false, true));
        BY_NAME.put("default", new GgufStyle(Optional.empty(), splits(Patterns.GGUF_DEFAULT), false, false, true));
    }

    private static List<Map<String, Object>> splits(String pattern) {
        return splits(List.of(pattern));
    }

    private static List<Map<String, Object>> splits(List<String> patterns) {
        return patterns.stream().map(TokenizerJson::split).toList();
    }

    private static GgufStyle digits(List<String> patterns) {
        List<Map<String, Object>> splitters = new ArrayList<>(splits(patterns));
        splitters.add(TokenizerJson.singleDigits());
        return new GgufStyle(Optional.empty(), List.copyOf(splitters), false, true, true);
    }

    static Optional<GgufStyle> named(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }

    static Set<String> names() {
        return BY_NAME.keySet();
    }
}
