package dev.wok.model;

import dev.wok.kernel.Routing;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Gguf;
import dev.wok.tensor.GgufType;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The configuration that a GGUF file's metadata stands for, in the keys and with the defaults of
/// llama.cpp.
final class GgufConfig {
    private static final String ARCHITECTURE = "general.architecture";
    private static final String DEEPSEEK = "deepseek2";
    private static final String QWEN2 = "qwen2";
    private static final String LLAMA = "llama";
    private static final String QWEN3_MOE = "qwen3moe";
    private static final List<String> ARCHITECTURES = List.of(DEEPSEEK, QWEN2, LLAMA, QWEN3_MOE);
    private static final String TOKENS = "tokenizer.ggml.tokens";
    private static final int SOFTMAX = 1;
    private static final int SIGMOID = 2;
    private static final double INITIALIZER_RANGE = 0.02;

    /// What Llama 3's stretched frequencies are made with; the file has only what they are divided by.
    private static final RopeConfig.Llama3 LLAMA3 = new RopeConfig.Llama3(8, 1, 4, 8192);

    private static final double FACTOR_TOLERANCE = 1e-4;

    private final Gguf gguf;
    private final String architecture;
    private final JsonFields fields;

    private GgufConfig(Gguf gguf) {
        this.gguf = gguf;
        this.fields = fields(gguf.metadata());
        this.architecture = fields.text(ARCHITECTURE, "");
        if (!ARCHITECTURES.contains(architecture)) {
            throw new BadInput("%s is %s, supported are %s."
                    .formatted(ARCHITECTURE, fields.given(ARCHITECTURE), String.join(", ", ARCHITECTURES)));
        }
    }

    /// @param file for messages
    static ModelConfig of(Path file, Gguf gguf) {
        try {
            return new GgufConfig(gguf).model();
        } catch (BadInput e) {
            throw new BadInput(file + ": " + e.getMessage(), e);
        }
    }

    private static JsonFields fields(Map<String, Object> metadata) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        metadata.forEach((key, value) -> {
            switch (value) {
                case Long whole -> node.put(key, whole);
                case Double number -> node.put(key, shortest(number));
                case Boolean flag -> node.put(key, flag);
                case String text -> node.put(key, text);
                case List<?> list -> node.put(key, "a list of " + list.size());
                default -> throw new IllegalStateException(key);
            }
        });
        return new JsonFields(node);
    }

    /// The number that was meant: float32 in the file, decimal where it comes from.
    private static double shortest(double number) {
        float narrow = (float) number;
        return narrow == number ? Double.parseDouble(Float.toString(narrow)) : number;
    }

    private String key(String name) {
        return architecture + "." + name;
    }

    private int whole(String name) {
        return fields.whole(key(name));
    }

    private int whole(String name, int otherwise) {
        return fields.whole(key(name), otherwise);
    }

    private double number(String name, double otherwise) {
        return fields.number(key(name), otherwise);
    }

    private boolean has(String name) {
        return fields.has(key(name));
    }

    private void refuse(String name, boolean when, String supported) {
        fields.refuse(key(name), when, supported);
    }

    private ModelConfig model() {
        MoeConfig moe = moe();
        ModelConfig.Family family = family(moe);
        int heads = whole("attention.head_count");
        int hidden = whole("embedding_length");
        int layers = whole("block_count") - whole("nextn_predict_layers", 0);
        AttentionConfig attention = family.isDeepseek() ? latent() : grouped(family, hidden, heads);
        int dense = family.isDeepseek() ? whole("leading_dense_block_count", 0) : 0;
        return new ModelConfig(
                family,
                vocabulary(),
                hidden,
                layers,
                heads,
                attention,
                whole("feed_forward_length"),
                moe == null ? layers : dense,
                1,
                List.of(),
                moe,
                rope(family, attention.rotaryDim()),
                whole("context_length"),
                fields.number(key("attention.layer_norm_rms_epsilon")),
                INITIALIZER_RANGE,
                !gguf.names().contains(GgufNames.HEAD),
                0,
                ids("bos").findFirst().orElse(-1),
                Stream.of("eos", "eot", "eom").flatMap(this::ids).distinct().toList());
    }

    private Stream<Integer> ids(String token) {
        return fields.ids("tokenizer.ggml.%s_token_id".formatted(token)).stream();
    }

    private int vocabulary() {
        return !has("vocab_size") && gguf.metadata().get(TOKENS) instanceof List<?> tokens
                ? tokens.size()
                : whole("vocab_size");
    }

    private ModelConfig.Family family(@Nullable MoeConfig moe) {
        return switch (architecture) {
            case DEEPSEEK ->
                moe == null || moe.scoringFunc() == Routing.Scoring.SIGMOID
                        ? ModelConfig.Family.DEEPSEEK_V3
                        : ModelConfig.Family.DEEPSEEK_V2;
            case QWEN2 -> ModelConfig.Family.QWEN2;
            case LLAMA -> ModelConfig.Family.LLAMA;
            default -> ModelConfig.Family.QWEN3_MOE;
        };
    }

    /// Older files say how long expanded keys and values are, newer ones under these names how long
    /// latents are.
    private MlaConfig latent() {
        refuse("attention.temperature_scale", number("attention.temperature_scale", 0) != 0, "0");
        int rotated = whole("rope.dimension_count");
        int key = whole(has("attention.key_length_mla") ? "attention.key_length_mla" : "attention.key_length");
        int value = whole(has("attention.value_length_mla") ? "attention.value_length_mla" : "attention.value_length");
        return new MlaConfig(
                whole("attention.q_lora_rank", 0), whole("attention.kv_lora_rank"), key - rotated, rotated, value);
    }

    private GqaConfig grouped(ModelConfig.Family family, int hidden, int heads) {
        int headDim = whole("attention.key_length", hidden / Math.max(1, heads));
        String all = "a head's length (%d)".formatted(headDim);
        refuse("attention.value_length", whole("attention.value_length", headDim) != headDim, all);
        refuse("rope.dimension_count", whole("rope.dimension_count", headDim) != headDim, all);
        int window = whole("attention.sliding_window", 0);
        refuse(
                "attention.sliding_window",
                window > 0 && window < whole("context_length"),
                "attention to all that came before");
        boolean qwen2 = family == ModelConfig.Family.QWEN2;
        return new GqaConfig(
                whole("attention.head_count_kv", heads),
                headDim,
                qwen2 || gguf.names().contains("blk.0.attn_q.bias"),
                gguf.names().contains("blk.0.attn_output.bias"),
                family == ModelConfig.Family.QWEN3_MOE);
    }

    private @Nullable MoeConfig moe() {
        int experts = whole("expert_count", 0);
        boolean deepseek = architecture.equals(DEEPSEEK);
        refuse("expert_count", experts != 0 && !deepseek && !architecture.equals(QWEN3_MOE), "0");
        if (experts == 0) {
            return null;
        }
        int gating = whole("expert_gating_func", SOFTMAX);
        refuse(
                "expert_gating_func",
                gating != SOFTMAX && !(deepseek && gating == SIGMOID),
                deepseek ? "1 (softmax) or 2 (sigmoid)" : "1 (softmax)");
        boolean sigmoid = gating == SIGMOID;
        double scale = number("expert_weights_scale", 0);
        refuse("expert_weights_scale", !deepseek && scale != 0 && scale != 1, "1");
        boolean grouped = has("expert_group_count");
        int groups = grouped ? whole("expert_group_count") : releasedGroups(experts, sigmoid);
        return new MoeConfig(
                experts,
                whole("expert_shared_count", 0),
                whole("expert_used_count"),
                whole("expert_feed_forward_length"),
                Math.max(1, groups),
                groups <= 1 ? 1 : grouped ? whole("expert_group_used_count") : releasedChoice(sigmoid),
                fields.flag(key("expert_weights_norm"), !deepseek),
                scale == 0 ? 1 : scale,
                sigmoid ? Routing.Scoring.SIGMOID : Routing.Scoring.SOFTMAX,
                sigmoid);
    }

    /* Files from before September 2025 do not say how experts are grouped. Of the released models only V3 (256 experts) and
     * V2 (160) have groups, both eight, of which a token chooses from four or three.
     */
    private static int releasedGroups(int experts, boolean sigmoid) {
        return experts == (sigmoid ? 256 : 160) ? 8 : 1;
    }

    private static int releasedChoice(boolean sigmoid) {
        return sigmoid ? 4 : 3;
    }

    private RopeConfig rope(ModelConfig.Family family, int dim) {
        double theta = number("rope.freq_base", 10000);
        RopeConfig.Scaling scaling = scaling(family);
        if (family != ModelConfig.Family.LLAMA || !gguf.names().contains(GgufNames.ROPE_FACTORS)) {
            return new RopeConfig(theta, scaling);
        }
        refuse("rope.scaling.type", scaling != null, "none beside " + GgufNames.ROPE_FACTORS);
        return new RopeConfig(theta, llama3(theta, dim));
    }

    private RopeConfig.@Nullable Scaling scaling(ModelConfig.Family family) {
        String type = fields.text(key("rope.scaling.type"), "linear").toLowerCase(Locale.ROOT);
        return switch (type) {
            case "none" -> null;
            case "linear" -> linear(family);
            case "yarn" -> yarn(family);
            default ->
                throw new BadInput("%s is %s, supported are none, linear and yarn."
                        .formatted(key("rope.scaling.type"), fields.given(key("rope.scaling.type"))));
        };
    }

    private RopeConfig.@Nullable Linear linear(ModelConfig.Family family) {
        String name = has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
        double factor = number(name, 1);
        refuse(name, family.isDeepseek() && factor != 0 && factor != 1, "1, or yarn as rope.scaling.type");
        return factor == 0 || factor == 1 ? null : new RopeConfig.Linear(factor);
    }

    /// DeepSeek's files have a tenth of `mscale_all_dim`, and leave `mscale`, which is the same in all
    /// models of it, out. Those of others have it as it is, and mean 1 by `mscale`.
    private RopeConfig.Yarn yarn(ModelConfig.Family family) {
        refuse("rope.scaling.attn_factor", number("rope.scaling.attn_factor", 1) != 1, "1");
        double mixed = number("rope.scaling.yarn_ext_factor", 1);
        refuse("rope.scaling.yarn_ext_factor", mixed >= 0 && mixed != 1, "1");
        String attentionFactor = "rope.scaling.yarn_attn_factor";
        double log = number("rope.scaling.yarn_log_multiplier", 0);
        double allDim =
                family.isDeepseek() ? BigDecimal.valueOf(log).movePointRight(1).doubleValue() : log;
        return new RopeConfig.Yarn(
                fields.number(key("rope.scaling.factor")),
                whole("rope.scaling.original_context_length", whole("context_length")),
                number("rope.scaling.yarn_beta_fast", 32),
                number("rope.scaling.yarn_beta_slow", 1),
                family.isDeepseek() || allDim == 0 ? allDim : 1,
                allDim,
                has(attentionFactor) ? (Double) number(attentionFactor, 1) : null,
                true);
    }

    private RopeConfig.@Nullable Llama3 llama3(double theta, int dim) {
        String name = GgufNames.ROPE_FACTORS;
        long[] shape = gguf.shape(name);
        if (gguf.type(name) != GgufType.F32 || shape.length != 1 || shape[0] != dim / 2) {
            throw new BadInput("tensor %s is %s, expected F32[%d], a factor for each pair of a head."
                    .formatted(name, new GgufRows(gguf.type(name), gguf.data(name), shape), dim / 2));
        }
        float[] factors = new float[dim / 2];
        gguf.type(name).dequantize(gguf.data(name), 0, factors, factors.length);
        float largest = factors[factors.length - 1];
        if (!(largest > 1)) {
            requireFactors(name, factors, new RopeConfig(theta, null), dim);
            return null;
        }
        RopeConfig.Llama3 scaling = new RopeConfig.Llama3(
                shortest(largest),
                LLAMA3.lowFreqFactor(),
                LLAMA3.highFreqFactor(),
                LLAMA3.originalMaxPositionEmbeddings());
        requireFactors(name, factors, new RopeConfig(theta, scaling), dim);
        return scaling;
    }

    private static void requireFactors(String name, float[] factors, RopeConfig found, int dim) {
        float[] plain = new RopeConfig(found.theta(), null).frequencies(dim);
        float[] stretched = found.frequencies(dim);
        for (int i = 0; i < factors.length; i++) {
            double expected = plain[i] / (double) stretched[i];
            if (!(Math.abs(factors[i] - expected) <= FACTOR_TOLERANCE * expected)) {
                throw new BadInput("tensor %s divides frequency %d by %s, expected %s, as Llama 3 does."
                        .formatted(name, i, factors[i], (float) expected));
            }
        }
    }
}
