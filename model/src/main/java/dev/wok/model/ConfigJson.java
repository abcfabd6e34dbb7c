package dev.wok.model;

import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Routing;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// config.json, in the two spellings that are about: as the models were released (`rope_scaling`, `torch_dtype`) and
/// as transformers 5 writes it (`rope_parameters`, `dtype`).
final class ConfigJson {
    static final String FILE = "config.json";
    static final String GENERATION = "generation_config.json";
    private static final String QUANTIZATION = "quantization_config";
    private static final String WOK = "wok";

    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(tools.jackson.databind.SerializationFeature.INDENT_OUTPUT)
            .build();

    private final Path file;
    private final JsonFields root;

    private ConfigJson(Path file, JsonFields root) {
        this.file = file;
        this.root = root;
    }

    static ConfigJson open(Path folder) {
        Path file = folder.resolve(FILE);
        JsonNode root = tree(file);
        if (!root.isObject()) {
            throw new BadInput("%s is no JSON object, expected a model's configuration.".formatted(file));
        }
        return new ConfigJson(file, new JsonFields(root));
    }

    /// @return what the model is; generation_config.json may name further ids that end a text
    ModelConfig model() {
        Path generation = file.resolveSibling(GENERATION);
        JsonFields further = new JsonFields(Files.exists(generation) ? tree(generation) : JSON.createObjectNode());
        return named(() -> config(further.ids("eos_token_id")));
    }

    /// @return how the weights of E4M3 tensors are scaled, or null where they are not
    Floats.@Nullable Blocks blocks() {
        return root.has(QUANTIZATION) ? named(() -> Floats.Blocks.of(root.child(QUANTIZATION))) : null;
    }

    /// @return how the folder holds its weights where Wok converted it, else null
    @Nullable
    Storage storage() {
        JsonFields how = root.child(QUANTIZATION);
        return how.text("quant_method", "").equals(WOK) ? named(() -> storage(how)) : null;
    }

    private static Storage storage(JsonFields how) {
        Packed.Element element = named(how, "element", Packed.Element.values());
        Activations activations = named(how, "activations", Activations.values());
        return new Storage(element, how.whole("group_size"), activations);
    }

    private static <E extends Enum<E>> E named(JsonFields how, String field, E[] values) {
        return Arrays.stream(values)
                .filter(value -> value.name().toLowerCase(Locale.ROOT).equals(how.text(field, "")))
                .findFirst()
                .orElseThrow(() -> new BadInput("%s is %s, supported are %s."
                        .formatted(
                                field,
                                how.given(field),
                                Arrays.stream(values)
                                        .map(value -> value.name().toLowerCase(Locale.ROOT))
                                        .collect(Collectors.joining(", ")))));
    }

    /// Says in which file the trouble is.
    private <T> T named(Supplier<T> part) {
        try {
            return part.get();
        } catch (BadInput e) {
            throw new BadInput(file + ": " + e.getMessage(), e);
        }
    }

    /// @return what a JSON file holds
    /// @throws BadInput where it cannot be read
    static JsonNode tree(Path file) {
        try {
            JsonNode tree = JSON.readTree(Files.readAllBytes(file));
            return tree == null ? JSON.nullNode() : tree;
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            throw BadInput.notJson(file, e);
        }
    }

    private ModelConfig config(List<Integer> furtherEos) {
        ModelConfig.Family family = family();
        root.refuse("mlp_bias", root.flag("mlp_bias", false), "false");
        root.refuse("hidden_act", !root.text("hidden_act", "silu").equals("silu"), "silu");
        int heads = root.whole("num_attention_heads");
        AttentionConfig attention = family.isDeepseek() ? latent(heads) : grouped(family, heads);
        MoeConfig moe = family.isDeepseek() ? deepseekMoe(family) : qwenMoe(family);
        int layers = root.whole("num_hidden_layers");
        int usuallyDense = family == ModelConfig.Family.DEEPSEEK_V3 ? 3 : 0;
        int dense = family.isDeepseek() ? root.whole("first_k_dense_replace", usuallyDense) : 0;
        List<Integer> eos = Stream.concat(root.ids("eos_token_id").stream(), furtherEos.stream())
                .distinct()
                .toList();
        return new ModelConfig(
                family,
                root.whole("vocab_size"),
                root.whole("hidden_size"),
                layers,
                heads,
                attention,
                root.whole("intermediate_size"),
                moe == null ? layers : dense,
                family.isDeepseek() ? root.whole("moe_layer_freq", 1) : 1,
                moe == null || family.isDeepseek() ? List.of() : mlpOnlyLayers(layers),
                moe,
                rope(family),
                root.whole("max_position_embeddings"),
                root.number("rms_norm_eps", 1e-6),
                root.number("initializer_range", 0.02),
                root.flag("tie_word_embeddings", false),
                family.isDeepseek() ? root.whole("num_nextn_predict_layers", 0) : 0,
                root.ids("bos_token_id").stream().findFirst().orElse(-1),
                eos);
    }

    private ModelConfig.Family family() {
        String type = root.text("model_type", "");
        return Arrays.stream(ModelConfig.Family.values())
                .filter(f -> f.modelType().equals(type))
                .findFirst()
                .orElseThrow(() -> new BadInput("model_type is %s, supported are %s."
                        .formatted(
                                root.given("model_type"),
                                Arrays.stream(ModelConfig.Family.values())
                                        .map(ModelConfig.Family::modelType)
                                        .collect(Collectors.joining(", ")))));
    }

    private MlaConfig latent(int heads) {
        root.refuse("attention_bias", root.flag("attention_bias", false), "false");
        int keyHeads = root.whole("num_key_value_heads", heads);
        root.refuse("num_key_value_heads", keyHeads != heads, "num_attention_heads (%d)".formatted(heads));
        root.refuse("rope_interleave", !root.flag("rope_interleave", true), "true");
        int headDim = root.whole("qk_nope_head_dim") + root.whole("qk_rope_head_dim");
        root.refuse(
                "qk_head_dim",
                root.whole("qk_head_dim", headDim) != headDim,
                "qk_nope_head_dim + qk_rope_head_dim (%d)".formatted(headDim));
        return new MlaConfig(
                root.whole("q_lora_rank", 0),
                root.whole("kv_lora_rank"),
                root.whole("qk_nope_head_dim"),
                root.whole("qk_rope_head_dim"),
                root.whole("v_head_dim"));
    }

    /// What is missing has the value that transformers gives it.
    private GqaConfig grouped(ModelConfig.Family family, int heads) {
        boolean slides = root.flag("use_sliding_window", false) && root.has("sliding_window");
        root.refuse("use_sliding_window", slides, "false: attention to all that came before");
        for (JsonNode type : root.node().path("layer_types")) {
            root.refuse("layer_types", !type.asString("").equals("full_attention"), "full_attention in every layer");
        }
        int keyHeads = switch (family) {
            case QWEN2 -> 32;
            case QWEN3_MOE -> 4;
            case LLAMA, DEEPSEEK_V2, DEEPSEEK_V3 -> heads;
        };
        boolean bias = root.flag("attention_bias", false);
        boolean qwen2 = family == ModelConfig.Family.QWEN2;
        return new GqaConfig(
                root.whole("num_key_value_heads", keyHeads),
                root.whole("head_dim", root.whole("hidden_size") / Math.max(1, heads)),
                qwen2 || bias,
                !qwen2 && bias,
                family == ModelConfig.Family.QWEN3_MOE);
    }

    private @Nullable MoeConfig qwenMoe(ModelConfig.Family family) {
        int experts = root.whole("num_experts", root.whole("num_local_experts", 128));
        if (family != ModelConfig.Family.QWEN3_MOE || experts == 0) {
            return null;
        }
        return new MoeConfig(
                experts,
                0,
                root.whole("num_experts_per_tok", 8),
                root.whole("moe_intermediate_size", 768),
                1,
                1,
                root.flag("norm_topk_prob", false),
                1,
                Routing.Scoring.SOFTMAX,
                false);
    }

    /// Those that Qwen3 names, and those that its step leaves out.
    private List<Integer> mlpOnlyLayers(int layers) {
        int step = root.whole("decoder_sparse_step", 1);
        ModelConfig.require("decoder_sparse_step", step, step >= 1, "1 or more");
        ModelConfig.requireLayers(layers);
        Stream<Integer> between =
                IntStream.range(0, layers).filter(i -> (i + 1) % step != 0).boxed();
        return Stream.concat(root.wholes("mlp_only_layers").stream(), between).toList();
    }

    /// What is missing has the value that transformers gives it.
    private @Nullable MoeConfig deepseekMoe(ModelConfig.Family family) {
        if (root.whole("n_routed_experts", 0) == 0) {
            return null;
        }
        boolean v3 = family == ModelConfig.Family.DEEPSEEK_V3;
        String method = root.text("topk_method", v3 ? "noaux_tc" : "greedy");
        root.refuse("topk_method", v3 && !method.equals("noaux_tc"), "noaux_tc with this model_type");
        root.refuse(
                "topk_method",
                !v3 && !method.equals("greedy") && !method.equals("group_limited_greedy"),
                "greedy or group_limited_greedy with this model_type");
        boolean grouped = !method.equals("greedy");
        String scoring = v3 ? "sigmoid" : "softmax";
        root.refuse(
                "scoring_func", !root.text("scoring_func", scoring).equals(scoring), scoring + " with this model_type");
        // transformers does not normalise in V2, whatever is written; no released model of it asks for that.
        boolean normalize = root.flag("norm_topk_prob", v3) && v3;
        return new MoeConfig(
                root.whole("n_routed_experts"),
                root.whole("n_shared_experts", v3 ? 1 : 2),
                root.whole("num_experts_per_tok"),
                root.whole("moe_intermediate_size"),
                grouped ? root.whole("n_group", v3 ? 8 : 1) : 1,
                grouped ? root.whole("topk_group", v3 ? 4 : 1) : 1,
                normalize,
                root.number("routed_scaling_factor", v3 ? 2.5 : 1),
                v3 ? Routing.Scoring.SIGMOID : Routing.Scoring.SOFTMAX,
                v3);
    }

    private RopeConfig rope(ModelConfig.Family family) {
        JsonFields rope =
                root.child(root.node().path("rope_parameters").isObject() ? "rope_parameters" : "rope_scaling");
        double theta = rope.number("rope_theta", root.number("rope_theta", 10000));
        String key = rope.node().path("rope_type").isString() ? "rope_type" : "type";
        String type = rope.text("rope_type", rope.text("type", "default"));
        boolean known = type.equals("default")
                || type.equals("yarn")
                || !family.isDeepseek() && (type.equals("linear") || type.equals("llama3"));
        if (!known) {
            throw new BadInput("rope_type is %s, supported for this model_type are %s."
                    .formatted(
                            rope.given(key),
                            family.isDeepseek() ? "default and yarn" : "default, yarn, linear and llama3"));
        }
        return new RopeConfig(
                theta,
                switch (type) {
                    case "yarn" -> yarn(rope);
                    case "linear" -> new RopeConfig.Linear(rope.number("factor"));
                    case "llama3" ->
                        new RopeConfig.Llama3(
                                rope.number("factor"),
                                rope.number("low_freq_factor"),
                                rope.number("high_freq_factor"),
                                rope.whole("original_max_position_embeddings"));
                    default -> null;
                });
    }

    private RopeConfig.Yarn yarn(JsonFields rope) {
        int longest = root.whole("max_position_embeddings");
        int original = rope.whole("original_max_position_embeddings", longest);
        return new RopeConfig.Yarn(
                rope.number("factor", longest / (double) original),
                original,
                rope.number("beta_fast", 32),
                rope.number("beta_slow", 1),
                rope.number("mscale", 0),
                rope.number("mscale_all_dim", 0),
                rope.has("attention_factor") ? (Double) rope.number("attention_factor") : null,
                rope.flag("truncate", true));
    }

    /// @return the configuration as the released models spell it
    static byte[] write(ModelConfig c) {
        return JSON.writeValueAsBytes(tree(c));
    }

    /// @return the configuration of a folder whose weights are held in such a way
    static byte[] write(ModelConfig c, Storage storage) {
        ObjectNode root = tree(c);
        ObjectNode how = root.putObject(QUANTIZATION);
        how.put("quant_method", WOK);
        how.put("element", storage.matrices().name().toLowerCase(Locale.ROOT));
        how.put("group_size", storage.group());
        how.put("activations", storage.activations().name().toLowerCase(Locale.ROOT));
        return JSON.writeValueAsBytes(root);
    }

    private static ObjectNode tree(ModelConfig c) {
        ObjectNode root = JSON.createObjectNode();
        root.putArray("architectures").add(c.family().architecture());
        root.put("model_type", c.family().modelType());
        root.put("attention_dropout", 0.0);
        putIds(root, c);
        root.put("hidden_act", "silu");
        root.put("hidden_size", c.hiddenSize());
        root.put("initializer_range", c.initializerRange());
        root.put("intermediate_size", c.intermediateSize());
        root.put("max_position_embeddings", c.maxPositionEmbeddings());
        root.put("num_attention_heads", c.numAttentionHeads());
        root.put("num_hidden_layers", c.numHiddenLayers());
        switch (c.attention()) {
            case MlaConfig mla -> putLatent(root, c, mla);
            case GqaConfig gqa -> putGrouped(root, c, gqa);
        }
        root.put("rms_norm_eps", c.rmsNormEps());
        putRope(root, c.rope());
        root.put("tie_word_embeddings", c.tieWordEmbeddings());
        root.put("torch_dtype", "float32");
        root.put("use_cache", true);
        root.put("vocab_size", c.vocabSize());
        return root;
    }

    private static void putLatent(ObjectNode root, ModelConfig c, MlaConfig mla) {
        root.put("attention_bias", false);
        root.put("first_k_dense_replace", c.moe() == null ? c.numHiddenLayers() : c.firstKDenseReplace());
        root.put("kv_lora_rank", mla.kvLoraRank());
        root.put("moe_layer_freq", c.moeLayerFreq());
        root.put("num_key_value_heads", c.numAttentionHeads());
        root.put("num_nextn_predict_layers", c.numNextnPredictLayers());
        if (mla.qLoraRank() == 0) {
            root.putNull("q_lora_rank");
        } else {
            root.put("q_lora_rank", mla.qLoraRank());
        }
        root.put("qk_nope_head_dim", mla.qkNopeHeadDim());
        root.put("qk_rope_head_dim", mla.qkRopeHeadDim());
        root.put("v_head_dim", mla.vHeadDim());
        MoeConfig moe = c.moe();
        if (moe != null) {
            putMoe(root, moe);
        }
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

    private static void putGrouped(ObjectNode root, ModelConfig c, GqaConfig gqa) {
        root.put("head_dim", gqa.headDim());
        root.put("num_key_value_heads", gqa.numKeyValueHeads());
        if (c.family() != ModelConfig.Family.QWEN2) {
            root.put("attention_bias", gqa.inputBias());
        }
        if (c.family() == ModelConfig.Family.LLAMA) {
            root.put("mlp_bias", false);
        }
        if (c.family() == ModelConfig.Family.QWEN3_MOE) {
            MoeConfig moe = c.moe();
            root.put("num_experts", moe == null ? 0 : moe.nRoutedExperts());
            root.put("decoder_sparse_step", 1);
            ArrayNode dense = root.putArray("mlp_only_layers");
            if (moe != null) {
                IntStream.range(0, c.numHiddenLayers())
                        .filter(layer -> !c.isMoe(layer))
                        .forEach(dense::add);
                root.put("moe_intermediate_size", moe.moeIntermediateSize());
                root.put("norm_topk_prob", moe.normTopkProb());
                root.put("num_experts_per_tok", moe.numExpertsPerTok());
            }
        }
    }

    private static void putRope(ObjectNode root, RopeConfig rope) {
        root.put("rope_theta", rope.theta());
        if (rope.scaling() == null) {
            root.putNull("rope_scaling");
            return;
        }
        ObjectNode scaling = root.putObject("rope_scaling");
        switch (rope.scaling()) {
            case RopeConfig.Yarn yarn -> putYarn(scaling, rope, yarn);
            case RopeConfig.Linear(double factor) ->
                scaling.put("type", "linear").put("rope_type", "linear").put("factor", factor);
            case RopeConfig.Llama3 llama -> {
                scaling.put("rope_type", "llama3").put("factor", llama.factor());
                scaling.put("low_freq_factor", llama.lowFreqFactor());
                scaling.put("high_freq_factor", llama.highFreqFactor());
                scaling.put("original_max_position_embeddings", llama.originalMaxPositionEmbeddings());
            }
        }
    }

    private static void putYarn(ObjectNode scaling, RopeConfig rope, RopeConfig.Yarn yarn) {
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

    private static void putIds(ObjectNode root, ModelConfig c) {
        if (c.bosTokenId() < 0) {
            root.putNull("bos_token_id");
        } else {
            root.put("bos_token_id", c.bosTokenId());
        }
        switch (c.eosTokenIds().size()) {
            case 0 -> root.putNull("eos_token_id");
            case 1 -> root.put("eos_token_id", c.eosTokenId());
            default -> {
                ArrayNode ids = root.putArray("eos_token_id");
                c.eosTokenIds().forEach(ids::add);
            }
        }
    }

    /// @return generation_config.json: which ids begin and end a text
    static byte[] generation(ModelConfig c) {
        ObjectNode root = JSON.createObjectNode();
        root.put("_from_model_config", true);
        putIds(root, c);
        return JSON.writeValueAsBytes(root);
    }
}
