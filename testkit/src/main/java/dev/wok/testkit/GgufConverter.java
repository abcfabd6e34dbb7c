package dev.wok.testkit;

import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.GgufType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// Turns a small model folder into what llama.cpp's converter makes of it: names, order of rows, stacked
/// experts, and metadata. Vectors and routers stay float32; matrices whose rows are no whole blocks
/// become binary16.
public final class GgufConverter {
    private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)");
    private static final Pattern EXPERT = Pattern.compile("mlp\\.experts\\.(\\d+)\\.(gate|up|down)_proj\\.weight");
    private static final int BLOCK = 32;

    private final JsonNode config;
    private final GgufType type;
    private final boolean apart;
    private final GgufWriter writer = new GgufWriter();
    private final Map<String, Tensor> values = new LinkedHashMap<>();

    private GgufConverter(JsonNode config, GgufType type, boolean apart) {
        this.config = config;
        this.type = type;
        this.apart = apart;
    }

    /// @param writer has all values and tensors
    /// @param values what the tensors are then, by their names in the folder
    public record Converted(GgufWriter writer, Map<String, Tensor> values) {}

    /// Converts a folder with config.json and model.safetensors, without its tokenizer.
    ///
    /// @param type of matrices: F32, F16, BF16, Q8_0 or Q4_0
    /// @param apart whether what expands latents is two tensors, as in files of 2025 and later
    public static Converted convert(Path folder, GgufType type, boolean apart) throws IOException {
        JsonNode config = new ObjectMapper().readTree(Files.readAllBytes(folder.resolve("config.json")));
        GgufConverter converter = new GgufConverter(config, type, apart);
        converter.metadata();
        try (Safetensors tensors = Safetensors.open(folder.resolve("model.safetensors"))) {
            converter.tensors(tensors);
        }
        return new Converted(converter.writer, converter.values);
    }

    /// Adds what tokenizer.json and the chat template say.
    ///
    /// @param pre how text is cut
    public static void addTokenizer(Path folder, String pre, GgufWriter writer) throws IOException {
        JsonNode json = new ObjectMapper().readTree(Files.readAllBytes(folder.resolve("tokenizer.json")));
        SequencedMap<Integer, String> tokens = new LinkedHashMap<>();
        SequencedMap<Integer, Integer> types = new LinkedHashMap<>();
        json.at("/model/vocab")
                .properties()
                .forEach(e -> tokens.put(e.getValue().asInt(), e.getKey()));
        for (JsonNode added : json.path("added_tokens")) {
            tokens.put(added.path("id").asInt(), added.path("content").asString());
            types.put(added.path("id").asInt(), added.path("special").asBoolean() ? 3 : 4);
        }
        List<String> texts = new ArrayList<>();
        List<Integer> kinds = new ArrayList<>();
        for (int id = 0; id < tokens.size(); id++) {
            texts.add(tokens.getOrDefault(id, ""));
            kinds.add(types.getOrDefault(id, 1));
        }
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : json.at("/model/merges")) {
            merges.add(merge.path(0).asString() + " " + merge.path(1).asString());
        }
        writer.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", pre);
        writer.texts("tokenizer.ggml.tokens", texts).wholes("tokenizer.ggml.token_type", kinds);
        writer.texts("tokenizer.ggml.merges", merges);
        JsonNode settings = new ObjectMapper().readTree(Files.readAllBytes(folder.resolve("tokenizer_config.json")));
        for (String token : List.of("bos", "eos")) {
            String content = settings.path(token + "_token").asString("");
            writer.whole("tokenizer.ggml.%s_token_id".formatted(token), texts.indexOf(content));
        }
        writer.text("tokenizer.chat_template", settings.path("chat_template").asString(""));
    }

    private boolean isDeepseek() {
        return config.path("model_type").asString().startsWith("deepseek");
    }

    private String architecture() {
        String modelType = config.path("model_type").asString();
        return isDeepseek() ? "deepseek2" : modelType.equals("qwen3_moe") ? "qwen3moe" : modelType;
    }

    private int heads() {
        return config.path("num_attention_heads").asInt();
    }

    private void whole(String key, String from) {
        JsonNode value = config.path(from);
        if (value.isIntegralNumber()) {
            writer.whole(architecture() + "." + key, value.asInt());
        }
    }

    private void number(String key, JsonNode value) {
        if (value.isNumber()) {
            writer.number(architecture() + "." + key, value.asDouble());
        }
    }

    private void metadata() {
        String prefix = architecture() + ".";
        writer.text("general.architecture", architecture());
        whole("block_count", "num_hidden_layers");
        whole("context_length", "max_position_embeddings");
        whole("embedding_length", "hidden_size");
        whole("feed_forward_length", "intermediate_size");
        whole("attention.head_count", "num_attention_heads");
        whole("attention.head_count_kv", "num_key_value_heads");
        number("attention.layer_norm_rms_epsilon", config.path("rms_norm_eps"));
        number("rope.freq_base", config.path("rope_theta"));
        whole("vocab_size", "vocab_size");
        whole("attention.key_length", "head_dim");
        whole("attention.value_length", "head_dim");
        whole("expert_count", "n_routed_experts");
        whole("expert_count", "num_experts");
        whole("expert_used_count", "num_experts_per_tok");
        whole("expert_group_count", "n_group");
        whole("expert_group_used_count", "topk_group");
        whole("expert_feed_forward_length", "moe_intermediate_size");
        String scoring = config.path("scoring_func").asString("");
        if (!scoring.isEmpty()) {
            writer.whole(prefix + "expert_gating_func", scoring.equals("sigmoid") ? 2 : 1);
        }
        if (isDeepseek()) {
            latent(prefix);
        } else {
            int headDim =
                    config.path("head_dim").asInt(config.path("hidden_size").asInt() / heads());
            writer.whole(prefix + "rope.dimension_count", headDim);
        }
        scaling(prefix);
        ids("bos", config.path("bos_token_id"));
        ids("eos", config.path("eos_token_id"));
    }

    private void latent(String prefix) {
        int rotated = config.path("qk_rope_head_dim").asInt();
        int key = config.path("qk_nope_head_dim").asInt() + rotated;
        int value = config.path("v_head_dim").asInt();
        int rank = config.path("kv_lora_rank").asInt();
        writer.whole(prefix + "attention.key_length", apart ? rank + rotated : key);
        writer.whole(prefix + "attention.value_length", apart ? rank : value);
        if (apart) {
            writer.whole(prefix + "attention.head_count_kv", 1);
            writer.whole(prefix + "attention.key_length_mla", key);
            writer.whole(prefix + "attention.value_length_mla", value);
        }
        writer.whole(prefix + "rope.dimension_count", rotated);
        whole("attention.q_lora_rank", "q_lora_rank");
        whole("attention.kv_lora_rank", "kv_lora_rank");
        whole("leading_dense_block_count", "first_k_dense_replace");
        whole("expert_shared_count", "n_shared_experts");
        number("expert_weights_scale", config.path("routed_scaling_factor"));
        if (config.path("norm_topk_prob").asBoolean(false)) {
            writer.flag(prefix + "expert_weights_norm", true);
        }
    }

    private void scaling(String prefix) {
        JsonNode rope = config.path("rope_scaling");
        if (!rope.path("rope_type").asString("").equals("yarn")) {
            return;
        }
        writer.text(prefix + "rope.scaling.type", "yarn");
        number("rope.scaling.factor", rope.path("factor"));
        writer.whole(
                prefix + "rope.scaling.original_context_length",
                rope.path("original_max_position_embeddings").asInt());
        number("rope.scaling.yarn_beta_fast", rope.path("beta_fast"));
        number("rope.scaling.yarn_beta_slow", rope.path("beta_slow"));
        if (isDeepseek() && rope.path("mscale_all_dim").isNumber()) {
            double tenth = 0.1 * rope.path("mscale_all_dim").asDouble();
            writer.number(prefix + "rope.scaling.yarn_log_multiplier", tenth);
        }
    }

    private void ids(String token, JsonNode id) {
        if (id.isArray()) {
            writer.whole("tokenizer.ggml.eos_token_id", id.get(0).asInt());
            writer.whole("tokenizer.ggml.eot_token_id", id.get(1).asInt());
        } else if (id.isIntegralNumber()) {
            writer.whole("tokenizer.ggml.%s_token_id".formatted(token), id.asInt());
        }
    }

    private void tensors(Safetensors file) {
        SequencedMap<String, List<Tensor>> experts = new LinkedHashMap<>();
        for (String name : file.names()) {
            Tensor tensor = file.tensor(name);
            Matcher layer = LAYER.matcher(name);
            String rest = layer.matches() ? layer.group(2) : name;
            String block = layer.matches() ? "blk.%s.".formatted(layer.group(1)) : "";
            Matcher expert = EXPERT.matcher(rest);
            if (expert.matches()) {
                List<Tensor> stack = experts.computeIfAbsent(
                        "%sffn_%s_exps.weight".formatted(block, expert.group(2)), _ -> new ArrayList<>());
                int index = Integer.parseInt(expert.group(1));
                while (stack.size() <= index) {
                    stack.add(tensor);
                }
                stack.set(index, tensor);
                values.put(name, values(tensor, Encoded.of(typeOf(tensor, rest), tensor.toFloats())));
            } else if (rest.equals("self_attn.kv_b_proj.weight") && apart) {
                addApart(block, name, tensor);
            } else if (tensor.elements() > 0) {
                add(block + renamed(rest), name, rest, tensor);
            }
        }
        experts.forEach(this::stack);
        factors();
    }

    private GgufType typeOf(Tensor tensor, String rest) {
        if (tensor.rank() < 2 || rest.equals("mlp.gate.weight")) {
            return GgufType.F32;
        }
        return tensor.size(tensor.rank() - 1) % type.blockElements() == 0 ? type : GgufType.F16;
    }

    private void add(String ggufName, String name, String rest, Tensor tensor) {
        GgufType own = typeOf(tensor, rest);
        values.put(name, values(tensor, Encoded.of(own, tensor.toFloats())));
        boolean queries = rest.startsWith("self_attn.q_proj");
        Tensor ordered = architecture().equals("llama") && (queries || rest.startsWith("self_attn.k_proj"))
                ? permuted(
                        tensor,
                        queries ? heads() : config.path("num_key_value_heads").asInt())
                : tensor;
        writer.tensor(ggufName, own, Encoded.of(own, ordered.toFloats()).bytes, tensor.shape());
    }

    /// Puts elements that rotate together beside each other.
    private static Tensor permuted(Tensor tensor, int heads) {
        Tensor to = Tensors.zeros(DType.F32, tensor.shape());
        int half = tensor.size(0) / heads / 2;
        for (int row = 0; row < tensor.size(0); row++) {
            int head = row / (2 * half);
            int part = row / half % 2;
            int target = head * 2 * half + row % half * 2 + part;
            if (tensor.rank() == 1) {
                to.set(target, tensor.get(row));
            } else {
                to.select(0, target).copyFrom(tensor.select(0, row));
            }
        }
        return to;
    }

    private void addApart(String block, String name, Tensor tensor) {
        int nope = config.path("qk_nope_head_dim").asInt();
        int value = config.path("v_head_dim").asInt();
        int rank = tensor.size(1);
        Tensor keys = Tensors.zeros(DType.F32, heads(), rank, nope);
        Tensor rows = Tensors.zeros(DType.F32, heads(), value, rank);
        Tensor whole = Tensors.zeros(DType.F32, tensor.shape());
        for (int head = 0; head < heads(); head++) {
            for (int i = 0; i < nope + value; i++) {
                for (int r = 0; r < rank; r++) {
                    double element = tensor.get(tensor.offset((long) head * (nope + value) + i, r));
                    if (i < nope) {
                        keys.set(keys.offset(head, r, i), element);
                    } else {
                        rows.set(rows.offset(head, i - nope, r), element);
                    }
                }
            }
        }
        Encoded k = Encoded.of(typeOf(keys, ""), keys.toFloats());
        Encoded v = Encoded.of(typeOf(rows, ""), rows.toFloats());
        for (int row = 0; row < whole.size(0); row++) {
            int head = row / (nope + value);
            int i = row % (nope + value);
            for (int r = 0; r < rank; r++) {
                whole.set(
                        whole.offset(row, r),
                        i < nope
                                ? k.values[(head * rank + r) * nope + i]
                                : v.values[(head * value + i - nope) * rank + r]);
            }
        }
        values.put(name, whole);
        writer.tensor(block + "attn_k_b.weight", typeOf(keys, ""), k.bytes, keys.shape());
        writer.tensor(block + "attn_v_b.weight", typeOf(rows, ""), v.bytes, rows.shape());
    }

    private void stack(String name, List<Tensor> experts) {
        Tensor first = experts.getFirst();
        GgufType own = typeOf(first, "");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        experts.forEach(expert -> bytes.writeBytes(Encoded.of(own, expert.toFloats()).bytes));
        writer.tensor(name, own, bytes.toByteArray(), experts.size(), first.dim(0), first.dim(1));
    }

    /// What Llama 3 divides frequencies by.
    private void factors() {
        JsonNode rope = config.path("rope_scaling");
        if (!rope.path("rope_type").asString("").equals("llama3")) {
            return;
        }
        int dim = config.path("head_dim").asInt();
        double factor = rope.path("factor").asDouble();
        double low = rope.path("low_freq_factor").asDouble();
        double high = rope.path("high_freq_factor").asDouble();
        double original = rope.path("original_max_position_embeddings").asDouble();
        float[] factors = new float[dim / 2];
        for (int i = 0; i < factors.length; i++) {
            double frequency = Math.pow(config.path("rope_theta").asDouble(), -2.0 * i / dim);
            double turns = original * frequency / (2 * Math.PI);
            double kept = Math.clamp((turns - low) / (high - low), 0, 1);
            factors[i] = (float) (1 / ((1 - kept) / factor + kept));
        }
        writer.tensor("rope_freqs.weight", GgufType.F32, Encoded.of(GgufType.F32, factors).bytes, factors.length);
    }

    private static String renamed(String rest) {
        return switch (rest) {
            case "model.embed_tokens.weight" -> "token_embd.weight";
            case "model.norm.weight" -> "output_norm.weight";
            case "lm_head.weight" -> "output.weight";
            case "mlp.gate.weight" -> "ffn_gate_inp.weight";
            case "mlp.gate.e_score_correction_bias" -> "exp_probs_b.bias";
            default ->
                rest.replace("input_layernorm", "attn_norm")
                        .replace("post_attention_layernorm", "ffn_norm")
                        .replace("kv_a_proj_with_mqa", "kv_a_mqa")
                        .replace("_layernorm", "_norm")
                        .replaceFirst("self_attn\\.o_proj", "attn_output")
                        .replaceFirst("self_attn\\.", "attn_")
                        .replaceFirst("mlp\\.shared_experts\\.(gate|up|down)_proj", "ffn_$1_shexp")
                        .replaceFirst("mlp\\.", "ffn_")
                        .replace("_proj", "");
        };
    }

    private static Tensor values(Tensor like, Encoded encoded) {
        return Tensors.of(i -> encoded.values[(int) i], DType.F32, like.shape());
    }

    /// Elements as a file has them, and what they are.
    private record Encoded(byte[] bytes, float[] values) {
        static Encoded of(GgufType type, float[] source) {
            ByteBuffer bytes = ByteBuffer.allocate(source.length / type.blockElements() * type.blockBytes())
                    .order(ByteOrder.LITTLE_ENDIAN);
            float[] values = new float[source.length];
            switch (type) {
                case F32, F16, BF16 -> {
                    for (int i = 0; i < source.length; i++) {
                        values[i] = plain(type, source[i], bytes);
                    }
                }
                case Q8_0 -> {
                    for (int i = 0; i < source.length; i += BLOCK) {
                        q8(source, i, bytes, values);
                    }
                }
                case Q4_0 -> {
                    for (int i = 0; i < source.length; i += BLOCK) {
                        q4(source, i, bytes, values);
                    }
                }
                case Q4_K, Q5_K, Q6_K -> throw new IllegalArgumentException(type.name());
            }
            return new Encoded(bytes.array(), values);
        }

        private static float plain(GgufType type, float value, ByteBuffer bytes) {
            switch (type) {
                case F16 -> {
                    bytes.putShort(Float.floatToFloat16(value));
                    return Float.float16ToFloat(Float.floatToFloat16(value));
                }
                case BF16 -> {
                    bytes.putShort(Bf16.bits(value));
                    return Bf16.round(value);
                }
                default -> {
                    bytes.putFloat(value);
                    return value;
                }
            }
        }

        /// The scale makes the largest 127.
        private static void q8(float[] source, int from, ByteBuffer bytes, float[] values) {
            float largest = 0;
            for (int i = from; i < from + BLOCK; i++) {
                largest = Math.max(largest, Math.abs(source[i]));
            }
            float scale = largest / 127;
            short half = Float.floatToFloat16(scale);
            bytes.putShort(half);
            for (int i = from; i < from + BLOCK; i++) {
                byte whole = (byte) (scale == 0 ? 0 : Math.round(source[i] / scale));
                bytes.put(whole);
                values[i] = Float.float16ToFloat(half) * whole;
            }
        }

        /// The scale makes the element of the largest magnitude -8.
        private static void q4(float[] source, int from, ByteBuffer bytes, float[] values) {
            float furthest = 0;
            for (int i = from; i < from + BLOCK; i++) {
                furthest = Math.abs(source[i]) > Math.abs(furthest) ? source[i] : furthest;
            }
            float scale = furthest / -8;
            short half = Float.floatToFloat16(scale);
            bytes.putShort(half);
            int[] whole = new int[BLOCK];
            for (int i = 0; i < BLOCK; i++) {
                whole[i] = scale == 0 ? 8 : (int) Math.min(15, source[from + i] / scale + 8.5f);
                values[from + i] = Float.float16ToFloat(half) * (whole[i] - 8);
            }
            for (int i = 0; i < BLOCK / 2; i++) {
                bytes.put((byte) (whole[i] | whole[i + BLOCK / 2] << 4));
            }
        }
    }
}
