package dev.wok.model;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What the tensors of a checkpoint are called in GGUF files.
final class GgufNames {
    static final String EMBEDDING = "token_embd.weight";
    static final String HEAD = "output.weight";
    static final String ROPE_FACTORS = "rope_freqs.weight";

    private static final String UP = "self_attn.kv_b_proj.weight";
    private static final Pattern IN_LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)\\.(weight|bias)");
    private static final Pattern OF_EXPERT =
            Pattern.compile("model\\.layers\\.(\\d+)\\.mlp\\.experts\\.(\\d+)\\.(gate|up|down)_proj\\.weight");
    private static final Pattern CORRECTION =
            Pattern.compile("model\\.layers\\.(\\d+)\\.mlp\\.gate\\.e_score_correction_bias");
    private static final Pattern BLOCK = Pattern.compile("blk\\.(\\d{1,6})\\..+");

    private static final Map<String, String> STEMS = Map.ofEntries(
            Map.entry("input_layernorm", "attn_norm"),
            Map.entry("post_attention_layernorm", "ffn_norm"),
            Map.entry("self_attn.q_proj", "attn_q"),
            Map.entry("self_attn.k_proj", "attn_k"),
            Map.entry("self_attn.v_proj", "attn_v"),
            Map.entry("self_attn.o_proj", "attn_output"),
            Map.entry("self_attn.q_norm", "attn_q_norm"),
            Map.entry("self_attn.k_norm", "attn_k_norm"),
            Map.entry("self_attn.q_a_proj", "attn_q_a"),
            Map.entry("self_attn.q_a_layernorm", "attn_q_a_norm"),
            Map.entry("self_attn.q_b_proj", "attn_q_b"),
            Map.entry("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"),
            Map.entry("self_attn.kv_a_layernorm", "attn_kv_a_norm"),
            Map.entry("self_attn.kv_b_proj", "attn_kv_b"),
            Map.entry("mlp.gate_proj", "ffn_gate"),
            Map.entry("mlp.up_proj", "ffn_up"),
            Map.entry("mlp.down_proj", "ffn_down"),
            Map.entry("mlp.gate", "ffn_gate_inp"),
            Map.entry("mlp.shared_experts.gate_proj", "ffn_gate_shexp"),
            Map.entry("mlp.shared_experts.up_proj", "ffn_up_shexp"),
            Map.entry("mlp.shared_experts.down_proj", "ffn_down_shexp"));

    private GgufNames() {}

    /// One of a layer's experts, which lie in one tensor, `[experts, n, k]`.
    record Expert(String tensor, int index) {}

    /// @return which expert's a checkpoint's tensor is, or null where it is no expert's
    static @Nullable Expert expert(String name) {
        Matcher expert = OF_EXPERT.matcher(name);
        return expert.matches()
                ? new Expert(
                        "blk.%s.ffn_%s_exps.weight".formatted(expert.group(1), expert.group(3)),
                        Integer.parseInt(expert.group(2)))
                : null;
    }

    /// @return what a checkpoint's tensor is called that is no expert's
    static String of(String name) {
        Matcher correction = CORRECTION.matcher(name);
        if (correction.matches()) {
            return "blk.%s.exp_probs_b.bias".formatted(correction.group(1));
        }
        Matcher part = IN_LAYER.matcher(name);
        if (part.matches() && STEMS.containsKey(part.group(2))) {
            return "blk.%s.%s.%s".formatted(part.group(1), STEMS.get(part.group(2)), part.group(3));
        }
        return switch (name) {
            case "model.embed_tokens.weight" -> EMBEDDING;
            case "model.norm.weight" -> "output_norm.weight";
            case "lm_head.weight" -> HEAD;
            default -> throw new IllegalArgumentException(name);
        };
    }

    /// @return whether a checkpoint's tensor expands latents: of newer files it is two, see [#keys] and
    ///     [#values]
    static boolean isUp(String name) {
        return name.endsWith(UP);
    }

    /// @param name of what expands latents, in a checkpoint
    static String keys(String name) {
        return of(name).replace("attn_kv_b", "attn_k_b");
    }

    /// @param name of what expands latents, in a checkpoint
    static String values(String name) {
        return of(name).replace("attn_kv_b", "attn_v_b");
    }

    /// @return the layer that a tensor of a GGUF file belongs to, or -1
    static int layer(String tensor) {
        Matcher block = BLOCK.matcher(tensor);
        return block.matches() ? Integer.parseInt(block.group(1)) : -1;
    }
}
