package dev.wok.train;

import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A run that takes a second: a model of two layers on a made-up text.
final class TinyRun {
    static final Map<String, String> OPTIONS = options();

    private TinyRun() {}

    private static Map<String, String> options() {
        Map<String, String> options = new LinkedHashMap<>();
        String text = """
                vocab_size=300 hidden_size=16 intermediate_size=32 moe_intermediate_size=8 num_hidden_layers=2 \
                num_attention_heads=2 q_lora_rank=8 kv_lora_rank=8 qk_nope_head_dim=8 qk_rope_head_dim=4 v_head_dim=8 \
                n_routed_experts=4 num_experts_per_tok=2 num_nextn_predict_layers=1 max_position_embeddings=64 \
                steps=12 sequence_length=32 batch_sequences=4 micro_batch_sequences=2 learning_rate=1e-2 \
                min_learning_rate=1e-3 corpus_bytes=0 tokenizer_bytes=0 evaluate_bytes=2000 held_out=0.2 \
                checkpoint_every=4 keep_checkpoints=2 evaluate_every=6 sample_every=6 sample_tokens=4""";
        for (String pair : text.split("\\s+")) {
            options.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
        }
        return options;
    }

    /// @return a folder of forty short texts
    static Path corpus(Path folder) throws IOException {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        for (int i = 0; i < 40; i++) {
            StringBuilder text = new StringBuilder();
            for (int j = 0; j < 30; j++) {
                text.append("int value%d = compute(%d, \"%s\");%n".formatted((i * j) % 7, i + j, "abc".repeat(j % 3)));
            }
            Files.writeString(corpus.resolve("Text%02d.java".formatted(i)), text);
        }
        return corpus;
    }

    static Trainer start(Path out, Path corpus, Map<String, String> changes) {
        return start(out, corpus, changes, Progress.silent());
    }

    static Trainer start(Path out, Path corpus, Map<String, String> changes, Progress progress) {
        return start(out, corpus, changes, progress, TinyRun::sample);
    }

    static Trainer start(
            Path out, Path corpus, Map<String, String> changes, Progress progress, Trainer.Sampler sampler) {
        Map<String, String> options = new LinkedHashMap<>(OPTIONS);
        options.putAll(changes);
        return Trainer.start(out, "nano", Settings.of("nano", options), List.of(corpus), null, progress, sampler);
    }

    static Trainer resume(Path out, Map<String, String> options) {
        return resume(out, options, Progress.silent());
    }

    static Trainer resume(Path out, Map<String, String> options, Progress progress) {
        return Trainer.resume(out, null, options, List.of(), null, progress, TinyRun::sample);
    }

    private static String sample(
            dev.wok.model.Model model, dev.wok.text.Tokenizer tokenizer, String prompt, int tokens) {
        return prompt + tokens;
    }

    /// @return the run's records without what time alone decides
    static List<String> metrics(Path out) throws IOException {
        return Files.readAllLines(out.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll(",\"timeline\":\\[[^\\]]*\\]", ""))
                .map(line -> line.replaceAll("\"(tokens_per_second|seconds|rank_load)\":[0-9.Ee+-]+,?", ""))
                .toList();
    }
}
