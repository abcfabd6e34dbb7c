package dev.wok.text;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The files of a trained tokenizer, as the Hugging Face libraries read them.
final class TrainedFiles {
    private static final long NO_LIMIT = 1L << 30;

    private TrainedFiles() {}

    /// @param special begin, end and padding
    /// @param patterns expressions that cut text into words, one after the other
    static Map<String, Object> tokenizer(
            Map<String, Integer> vocab, List<String[]> merges, List<String> special, List<String> patterns) {
        return new TokenizerJson(
                        vocab,
                        merges,
                        false,
                        special.stream()
                                .map(token -> TokenizerJson.added(token, vocab.getOrDefault(token, -1), true))
                                .toList(),
                        Optional.empty(),
                        patterns.stream().map(TokenizerJson::split).toList(),
                        List.of(special.getFirst()),
                        List.of())
                .root();
    }

    static Map<String, Object> config(List<String> special) {
        return TokenizerJson.row(
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
}
