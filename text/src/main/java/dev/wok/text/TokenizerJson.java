package dev.wok.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.ObjectMapper;

/// A byte-level BPE tokenizer to be written as `tokenizer.json`, as the Hugging Face libraries read it.
///
/// @param vocab ids by token
/// @param merges pairs, or strings with a blank between the two
/// @param ignoreMerges whether a word that is a token becomes it whatever the merges say
/// @param added tokens that are recognised as a whole, as [#added] makes them
/// @param normalizer the form that text is brought to
/// @param splitters what cuts text into words, one after the other; [#byteLevel] is added to them
/// @param before tokens to put before a text
/// @param after tokens to put after a text
record TokenizerJson(
        Map<String, Integer> vocab,
        List<?> merges,
        boolean ignoreMerges,
        List<Map<String, Object>> added,
        Optional<String> normalizer,
        List<Map<String, Object>> splitters,
        List<String> before,
        List<String> after) {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Map<String, Object> added(String token, int id, boolean special) {
        return row(
                "id", id,
                "content", token,
                "single_word", false,
                "lstrip", false,
                "rstrip", false,
                "normalized", false,
                "special", special);
    }

    static Map<String, Object> split(String pattern) {
        return row("type", "Split", "pattern", Map.of("Regex", pattern), "behavior", "Isolated", "invert", false);
    }

    static Map<String, Object> singleDigits() {
        return row("type", "Digits", "individual_digits", true);
    }

    private static Map<String, Object> byteLevel() {
        return row("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", false);
    }

    static Map<String, Object> row(Object... keysAndValues) {
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            row.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return row;
    }

    static byte[] bytes(Map<String, Object> root) {
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root);
    }

    Map<String, Object> root() {
        List<Object> preTokenizers = new ArrayList<>(splitters);
        preTokenizers.add(byteLevel());
        Map<String, Object> root = row("version", "1.0", "added_tokens", added);
        root.put("truncation", null);
        root.put("padding", null);
        root.put("normalizer", normalizer.map(form -> row("type", form)).orElse(null));
        root.put("pre_tokenizer", row("type", "Sequence", "pretokenizers", preTokenizers));
        root.put("post_processor", before.isEmpty() && after.isEmpty() ? byteLevel() : around());
        root.put("decoder", byteLevel());
        root.put(
                "model",
                row(
                        "type",
                        "BPE",
                        "fuse_unk",
                        false,
                        "byte_fallback",
                        false,
                        "ignore_merges",
                        ignoreMerges,
                        "vocab",
                        vocab,
                        "merges",
                        merges));
        return root;
    }

    private Map<String, Object> around() {
        List<Object> single = around("A", 0);
        List<Object> pair = new ArrayList<>(single);
        pair.addAll(around("B", 1));
        Map<String, Object> special = new LinkedHashMap<>();
        for (List<String> tokens : List.of(before, after)) {
            for (String token : tokens) {
                List<Integer> ids = List.of(vocab.getOrDefault(token, -1));
                special.put(token, row("id", token, "ids", ids, "tokens", List.of(token)));
            }
        }
        return row("type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens", special);
    }

    private List<Object> around(String sequence, int type) {
        List<Object> parts = new ArrayList<>();
        before.forEach(token -> parts.add(row("SpecialToken", row("id", token, "type_id", type))));
        parts.add(row("Sequence", row("id", sequence, "type_id", type)));
        after.forEach(token -> parts.add(row("SpecialToken", row("id", token, "type_id", type))));
        return parts;
    }
}
