package dev.wok.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The files of a trained tokenizer, as the Hugging Face libraries read them.
final class TrainedFiles {
    private static final long NO_LIMIT = 1L << 30;

    private TrainedFiles() {}

    /// @param special begin, end and padding
    /// @param patterns expressions that cut text into words, one after the other
    static Map<String, Object> tokenizer(
            Map<String, Integer> vocab, List<String[]> merges, List<String> special, List<String> patterns) {
        List<Object> added = new ArrayList<>();
        for (String token : special) {
            added.add(row(
                    "id", vocab.getOrDefault(token, -1),
                    "content", token,
                    "single_word", false,
                    "lstrip", false,
                    "rstrip", false,
                    "normalized", false,
                    "special", true));
        }
        List<Object> splitters = new ArrayList<>();
        for (String pattern : patterns) {
            splitters.add(
                    row("type", "Split", "pattern", Map.of("Regex", pattern), "behavior", "Isolated", "invert", false));
        }
        splitters.add(byteLevel());
        String bos = special.getFirst();
        Object begin = row("SpecialToken", row("id", bos, "type_id", 0));
        Object text = row("Sequence", row("id", "A", "type_id", 0));
        Object secondBegin = row("SpecialToken", row("id", bos, "type_id", 1));
        Object secondText = row("Sequence", row("id", "B", "type_id", 1));
        Map<String, Object> root = row("version", "1.0", "added_tokens", added);
        root.put("truncation", null);
        root.put("padding", null);
        root.put("normalizer", null);
        root.put("pre_tokenizer", row("type", "Sequence", "pretokenizers", splitters));
        root.put(
                "post_processor",
                row(
                        "type", "TemplateProcessing",
                        "single", List.of(begin, text),
                        "pair", List.of(begin, text, secondBegin, secondText),
                        "special_tokens",
                                Map.of(
                                        bos,
                                        row(
                                                "id",
                                                bos,
                                                "ids",
                                                List.of(vocab.getOrDefault(bos, -1)),
                                                "tokens",
                                                List.of(bos)))));
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
                        false,
                        "vocab",
                        vocab,
                        "merges",
                        merges));
        return root;
    }

    private static Map<String, Object> byteLevel() {
        return row("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", false);
    }

    static Map<String, Object> config(List<String> special) {
        return row(
                "tokenizer_class",
                "PreTrainedTokenizerFast",
                "bos_token",
                special.get(0),
                "eos_token",
                special.get(1),
                "pad_token",
                special.get(2),
                "add_bos_token",
                true,
                "add_eos_token",
                false,
                "clean_up_tokenization_spaces",
                false,
                "model_max_length",
                NO_LIMIT);
    }

    private static Map<String, Object> row(Object... keysAndValues) {
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            row.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return row;
    }
}
