package dev.wok.parrot;

import dev.wok.parrot.Talk.Call;
import dev.wok.parrot.Talk.Turn;
import java.util.Locale;
import java.util.stream.Collectors;

/// How a [Parrot] is built and in which format it speaks.
public enum Family {
    /// Qwen2: dense, grouped-query attention. Thoughts where it has any, between tags that it writes itself; calls in
    /// the form of Hermes; `enable_thinking` of the chat template.
    QWEN("qwen2_tiny", "enable_thinking", "<|im_end|>", """
            {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
             "bos_token_id": 493, "eos_token_id": 495, "vocab_size": 500, "hidden_size": 64,
             "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "initializer_range": 0.06, "max_position_embeddings": 65536,
             "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "tie_word_embeddings": false,
             "torch_dtype": "float32", "use_sliding_window": false}
            """) {
        @Override
        String answer(Turn turn, boolean thinks) {
            String thought = thinks && !turn.thought().isEmpty() ? "<think>\n" + turn.thought() + "\n</think>\n\n" : "";
            return thought
                    + turn.content()
                    + turn.calls().stream().map(Family::hermes).collect(Collectors.joining("\n"));
        }
    },

    /// DeepSeek V3 and R1: latent attention and experts. The chat template opens the thoughts (`thinking`), calls are
    /// fenced JSON between special tokens.
    DEEPSEEK("deepseek_v3_tiny", "thinking", "<｜end▁of▁sentence｜>", """
            {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "hidden_act": "silu",
             "attention_bias": false, "bos_token_id": 0, "eos_token_id": 1, "vocab_size": 500,
             "hidden_size": 64, "intermediate_size": 192, "first_k_dense_replace": 1, "num_hidden_layers": 3,
             "num_attention_heads": 4, "num_key_value_heads": 4, "q_lora_rank": 48, "kv_lora_rank": 32,
             "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 16, "n_group": 2, "topk_group": 1,
             "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
             "moe_intermediate_size": 48, "moe_layer_freq": 1, "norm_topk_prob": true,
             "routed_scaling_factor": 1.0, "scoring_func": "sigmoid", "topk_method": "noaux_tc",
             "num_nextn_predict_layers": 0, "initializer_range": 0.06, "max_position_embeddings": 65536,
             "rms_norm_eps": 1e-06, "rope_theta": 10000, "tie_word_embeddings": false, "torch_dtype": "float32"}
            """) {
        @Override
        String answer(Turn turn, boolean thinks) {
            String thought = turn.thought().isEmpty() ? "" : turn.thought() + "\n";
            return (thinks ? thought + "</think>\n\n" : "") + turn.content() + fenced(turn);
        }
    };

    private final String tokenizer;
    private final String thinking;
    private final String end;
    private final String config;

    Family(String tokenizer, String thinking, String end, String config) {
        this.tokenizer = tokenizer;
        this.thinking = thinking;
        this.end = end;
        this.config = config;
    }

    /// @return what the model writes for a turn, without the token that ends it
    abstract String answer(Turn turn, boolean thinks);

    String tokenizer() {
        return tokenizer;
    }

    /// The variable of the chat template that says whether to think.
    String thinking() {
        return thinking;
    }

    /// The token that ends a turn.
    String end() {
        return end;
    }

    /// `config.json`
    String config() {
        return config;
    }

    String template() {
        return name().toLowerCase(Locale.ROOT) + ".jinja";
    }

    private static String hermes(Call call) {
        return "<tool_call>\n{\"name\": \"%s\", \"arguments\": %s}\n</tool_call>"
                .formatted(call.tool(), call.arguments());
    }

    private static String fenced(Turn turn) {
        return turn.calls().stream()
                .map(call -> "<｜tool▁call▁begin｜>function<｜tool▁sep｜>%s\n```json\n%s\n```<｜tool▁call▁end｜>"
                        .formatted(call.tool(), call.arguments()))
                .collect(Collectors.collectingAndThen(
                        Collectors.joining("\n"),
                        calls -> calls.isEmpty() ? "" : "<｜tool▁calls▁begin｜>" + calls + "<｜tool▁calls▁end｜>"));
    }
}
