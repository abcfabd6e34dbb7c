package dev.wok.api;

import dev.wok.text.Tokenizer;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// The tokens with which a model learnt to fill gaps: BEFORE prefix BETWEEN suffix AFTER, and then what
/// is missing.
record Gap(int before, int between, int after, Set<Integer> stopIds) {
    /// As families spell them: DeepSeek; Qwen and CodeGemma; StarCoder and Granite.
    private static final List<List<String>> SPELLINGS = List.of(
            List.of("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
            List.of("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
            List.of("<fim_prefix>", "<fim_suffix>", "<fim_middle>"));

    /// What else ends a file in texts for training.
    private static final List<String> ENDS = List.of(
            "<|endoftext|>",
            "<|fim_pad|>",
            "<|file_sep|>",
            "<|file_separator|>",
            "<|repo_name|>",
            "<fim_pad>",
            "<file_sep>");

    /// @return the tokens, where a tokenizer has them
    static Optional<Gap> of(Tokenizer tokenizer) {
        for (List<String> spelling : SPELLINGS) {
            List<Integer> ids = spelling.stream()
                    .flatMap(token -> tokenizer.id(token).stream().boxed())
                    .toList();
            if (ids.size() == spelling.size()) {
                Set<Integer> stops = Stream.concat(spelling.stream(), ENDS.stream())
                        .flatMap(token -> tokenizer.id(token).stream().boxed())
                        .collect(Collectors.toSet());
                return Optional.of(new Gap(ids.get(0), ids.get(1), ids.get(2), stops));
            }
        }
        return Optional.empty();
    }

    /// @return one token of these, for a refusal
    static String example() {
        return SPELLINGS.getFirst().getFirst();
    }

    int[] prompt(int[] prefix, int[] suffix) {
        return Stream.of(new int[] {before}, prefix, new int[] {between}, suffix, new int[] {after})
                .flatMapToInt(IntStream::of)
                .toArray();
    }
}
