package dev.wok.model;

import dev.wok.kernel.Routing;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// config.json, in the two spellings that are about: as the models were released (`rope_scaling`, `torch_dtype`) and
/// as transformers 5 writes it (`rope_parameters`, `dtype`).
final class ConfigJson {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(tools.jackson.databind.SerializationFeature.INDENT_OUTPUT)
            .build();

    private final JsonNode root;

    private ConfigJson(JsonNode root) {
        this.root = root;
    }

    static ModelConfig read(Path file) {
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            throw BadInput.notJson(file, e);
        }
        if (root == null || !root.isObject()) {
            throw new BadInput("%s is no JSON object, expected a model's configuration.".formatted(file));
        }
        try {
            return new ConfigJson(root).config();
        } catch (BadInput e) {
            throw new BadInput(file + ": " + e.getMessage(), e);
        }
    }

    private ModelConfig config() {
        ModelConfig.Family family = family();
        refuse("attention_bias", flag(root, "attention_bias", false), "false");
        refuse("mlp_bias", flag(root, "mlp_bias", false), "false");
        refuse("hidden_act", !text(root, "hidden_act", "silu").equals("silu"), "silu");
        int heads = whole("num_attention_heads");
        int keyHeads = whole("num_key_value_heads", heads);
        refuse("num_key_value_heads", keyHeads != heads, "num_attention_heads (%d)".formatted(heads));
        refuse("rope_interleave", !flag(root, "rope_interleave", true), "true");
        int headDim = whole("qk_nope_head_dim") + whole("qk_rope_head_dim");
        refuse(
                "qk_head_dim",
                whole("qk_head_dim", headDim) != headDim,
                "qk_nope_head_dim + qk_rope_head_dim (%d)".formatted(headDim));
        MoeConfig moe = moe(family);
        int layers = whole("num_hidden_layers");
        return new ModelConfig(
                family,
                whole("vocab_size"),
                whole("hidden_size"),
                layers,
                heads,
                new MlaConfig(
                        whole("q_lora_rank", 0),
                        whole("kv_lora_rank"),
                        whole("qk_nope_head_dim"),
                        whole("qk_rope_head_dim"),
                        whole("v_head_dim")),
                whole("intermediate_size"),
                moe == null ? layers : whole("first_k_dense_replace", isV3(family) ? 3 : 0),
                whole("moe_layer_freq", 1),
                moe,
                rope(),
                whole("max_position_embeddings"),
                number(root, "rms_norm_eps", 1e-6),
                number(root, "initializer_range", 0.02),
                flag(root, "tie_word_embeddings", false),
                whole("num_nextn_predict_layers", 0),
                firstId("bos_token_id"),
                firstId("eos_token_id"));
    }

    private ModelConfig.Family family() {
        String type = text(root, "model_type", "");
        return Arrays.stream(ModelConfig.Family.values())
                .filter(f -> f.modelType().equals(type))
                .findFirst()
                .orElseThrow(() -> new BadInput("model_type is %s, supported are %s."
                        .formatted(
                                given(root.path("model_type")),
                                Arrays.stream(ModelConfig.Family.values())
                                        .map(ModelConfig.Family::modelType)
                                        .collect(Collectors.joining(", ")))));
    }

    /// What is missing has the value that transformers gives it.
    private @Nullable MoeConfig moe(ModelConfig.Family family) {
        if (whole("n_routed_experts", 0) == 0) {
            return null;
        }
        boolean v3 = isV3(family);
        String method = text(root, "topk_method", v3 ? "noaux_tc" : "greedy");
        refuse("topk_method", v3 && !method.equals("noaux_tc"), "noaux_tc with this model_type");
        refuse(
                "topk_method",
                !v3 && !method.equals("greedy") && !method.equals("group_limited_greedy"),
                "greedy or group_limited_greedy with this model_type");
        boolean grouped = !method.equals("greedy");
        String scoring = v3 ? "sigmoid" : "softmax";
        refuse("scoring_func", !text(root, "scoring_func", scoring).equals(scoring), scoring + " with this model_type");
        // transformers does not normalise in V2, whatever is written; no released model of it asks for that.
        boolean normalize = flag(root, "norm_topk_prob", v3) && v3;
        return new MoeConfig(
                whole("n_routed_experts"),
                whole("n_shared_experts", v3 ? 1 : 2),
                whole("num_experts_per_tok"),
                whole("moe_intermediate_size"),
                grouped ? whole("n_group", v3 ? 8 : 1) : 1,
                grouped ? whole("topk_group", v3 ? 4 : 1) : 1,
                normalize,
                number(root, "routed_scaling_factor", v3 ? 2.5 : 1),
                v3 ? Routing.Scoring.SIGMOID : Routing.Scoring.SOFTMAX,
                v3);
    }

    private static boolean isV3(ModelConfig.Family family) {
        return family == ModelConfig.Family.DEEPSEEK_V3;
    }

    private RopeConfig rope() {
        JsonNode rope =
                root.path("rope_parameters").isObject() ? root.path("rope_parameters") : root.path("rope_scaling");
        double theta = number(rope, "rope_theta", number(root, "rope_theta", 10000));
        String type = text(rope, "rope_type", text(rope, "type", "default"));
        return switch (type) {
            case "default" -> new RopeConfig(theta, null);
            case "yarn" -> new RopeConfig(theta, yarn(rope));
            default ->
                throw new BadInput("rope_type is %s, supported for this model_type are default and yarn."
                        .formatted(rope.path(rope.path("rope_type").isString() ? "rope_type" : "type")));
        };
    }

    private RopeConfig.Yarn yarn(JsonNode rope) {
        int longest = whole("max_position_embeddings");
        int original = whole(rope, "original_max_position_embeddings", longest);
        return new RopeConfig.Yarn(
                number(rope, "factor", longest / (double) original),
                original,
                number(rope, "beta_fast", 32),
                number(rope, "beta_slow", 1),
                number(rope, "mscale", 0),
                number(rope, "mscale_all_dim", 0),
                isGiven(rope, "attention_factor") ? (Double) number(rope, "attention_factor", 1) : null,
                flag(rope, "truncate", true));
    }

    private void refuse(String key, boolean when, String supported) {
        if (when) {
            throw new BadInput("%s is %s, supported is %s.".formatted(key, root.path(key), supported));
        }
    }

    private int whole(String key) {
        return whole(root.path(key), key);
    }

    private int whole(String key, int otherwise) {
        return whole(root, key, otherwise);
    }

    private static int whole(JsonNode parent, String key, int otherwise) {
        return isGiven(parent, key) ? whole(parent.path(key), key) : otherwise;
    }

    private static int whole(JsonNode node, String key) {
        if (!node.isIntegralNumber() || !node.canConvertToInt()) {
            String below = node.isIntegralNumber() ? " within 2^31" : "";
            throw new BadInput("%s is %s, expected a whole number%s.".formatted(key, given(node), below));
        }
        return node.asInt();
    }

    private static double number(JsonNode parent, String key, double otherwise) {
        JsonNode node = parent.path(key);
        if (!isGiven(parent, key)) {
            return otherwise;
        }
        if (!node.isNumber() || !Double.isFinite(node.asDouble())) {
            throw new BadInput("%s is %s, expected a number.".formatted(key, given(node)));
        }
        return node.asDouble();
    }

    private static boolean flag(JsonNode parent, String key, boolean otherwise) {
        JsonNode node = parent.path(key);
        if (isGiven(parent, key) && !node.isBoolean()) {
            throw new BadInput("%s is %s, expected true or false.".formatted(key, given(node)));
        }
        return node.isBoolean() ? node.asBoolean() : otherwise;
    }

    private static String text(JsonNode parent, String key, String otherwise) {
        JsonNode node = parent.path(key);
        if (isGiven(parent, key) && !node.isString()) {
            throw new BadInput("%s is %s, expected a text.".formatted(key, given(node)));
        }
        return node.isString() ? node.asString() : otherwise;
    }

    private static boolean isGiven(JsonNode parent, String key) {
        return !parent.path(key).isMissingNode() && !parent.path(key).isNull();
    }

    /// As JSON, so on one line.
    private static String given(JsonNode node) {
        return node.isMissingNode() ? "missing" : node.toString();
    }

    private int firstId(String key) {
        JsonNode node = root.path(key);
        if (node.isArray() && !node.isEmpty()) {
            node = node.get(0);
        }
        return node.isIntegralNumber() && node.canConvertToInt() ? Math.max(-1, node.asInt()) : -1;
    }

    /// @return the configuration as the released models spell it
    static byte[] write(ModelConfig c) {
        ObjectNode root = JSON.createObjectNode();
        root.putArray("architectures").add(c.family().architecture());
        root.put("model_type", c.family().modelType());
        root.put("attention_bias", false).put("attention_dropout", 0.0);
        putId(root, "bos_token_id", c.bosTokenId());
        putId(root, "eos_token_id", c.eosTokenId());
        root.put("first_k_dense_replace", c.moe() == null ? c.numHiddenLayers() : c.firstKDenseReplace());
        root.put("hidden_act", "silu");
        root.put("hidden_size", c.hiddenSize());
        root.put("initializer_range", c.initializerRange());
        root.put("intermediate_size", c.intermediateSize());
        root.put("kv_lora_rank", c.mla().kvLoraRank());
        root.put("max_position_embeddings", c.maxPositionEmbeddings());
        MoeConfig moe = c.moe();
        if (moe != null) {
            putMoe(root, moe);
        }
        root.put("moe_layer_freq", c.moeLayerFreq());
        root.put("num_attention_heads", c.numAttentionHeads());
        root.put("num_hidden_layers", c.numHiddenLayers());
        root.put("num_key_value_heads", c.numAttentionHeads());
        root.put("num_nextn_predict_layers", c.numNextnPredictLayers());
        if (c.mla().qLoraRank() == 0) {
            root.putNull("q_lora_rank");
        } else {
            root.put("q_lora_rank", c.mla().qLoraRank());
        }
        root.put("qk_nope_head_dim", c.mla().qkNopeHeadDim());
        root.put("qk_rope_head_dim", c.mla().qkRopeHeadDim());
        root.put("rms_norm_eps", c.rmsNormEps());
        putRope(root, c.rope());
        root.put("tie_word_embeddings", c.tieWordEmbeddings());
        root.put("torch_dtype", "float32");
        root.put("use_cache", true);
        root.put("v_head_dim", c.mla().vHeadDim());
        root.put("vocab_size", c.vocabSize());
        return JSON.writeValueAsBytes(root);
    }

    private static void putMoe(ObjectNode root, MoeConfig moe) {
        root.put("moe_intermediate_size", moe.moeIntermediateSize());
        root.put("n_group", moe.nGroup()).put("topk_group", moe.topkGroup());
        root.put("n_routed_experts", moe.nRoutedExperts());
        root.put("n_shared_experts", moe.nSharedExperts());
        root.put("norm_topk_prob", moe.normTopkProb());
        root.put("num_experts_per_tok", moe.numExpertsPerTok());
        root.put("routed_scaling_factor", moe.routedScalingFactor());
        root.put("scoring_func", moe.scoringFunc() == Routing.Scoring.SIGMOID ? "sigmoid" : "softmax");
        String uncorrected = moe.nGroup() > 1 ? "group_limited_greedy" : "greedy";
        root.put("topk_method", moe.correctionBias() ? "noaux_tc" : uncorrected);
    }

    private static void putRope(ObjectNode root, RopeConfig rope) {
        root.put("rope_theta", rope.theta());
        RopeConfig.Yarn yarn = rope.yarn();
        if (yarn == null) {
            root.putNull("rope_scaling");
            return;
        }
        ObjectNode scaling = root.putObject("rope_scaling");
        scaling.put("type", "yarn").put("rope_type", "yarn").put("rope_theta", rope.theta());
        scaling.put("factor", yarn.factor());
        scaling.put("original_max_position_embeddings", yarn.originalMaxPositionEmbeddings());
        scaling.put("beta_fast", yarn.betaFast()).put("beta_slow", yarn.betaSlow());
        if (yarn.mscale() != 0) {
            scaling.put("mscale", yarn.mscale());
        }
        if (yarn.mscaleAllDim() != 0) {
            scaling.put("mscale_all_dim", yarn.mscaleAllDim());
        }
        if (yarn.attentionFactor() != null) {
            scaling.put("attention_factor", yarn.attentionFactor());
        }
        if (!yarn.truncate()) {
            scaling.put("truncate", false);
        }
    }

    private static void putId(ObjectNode root, String key, int id) {
        if (id < 0) {
            root.putNull(key);
        } else {
            root.put(key, id);
        }
    }

    /// @return generation_config.json: which ids begin and end a text
    static byte[] generation(ModelConfig c) {
        ObjectNode root = JSON.createObjectNode();
        root.put("_from_model_config", true);
        putId(root, "bos_token_id", c.bosTokenId());
        putId(root, "eos_token_id", c.eosTokenId());
        return JSON.writeValueAsBytes(root);
    }
}
