package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/// config.json files that contradict themselves, ask for what is not supported, or are noise.
class ModelConfigTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private static ObjectNode fixture(String name) {
        Path file = Fixture.all()
                .filter(f -> f.toString().equals(name))
                .findFirst()
                .orElseThrow()
                .folder()
                .resolve("config.json");
        try {
            return (ObjectNode) JSON.readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private ModelConfig load(String text) throws IOException {
        Files.writeString(folder.resolve("config.json"), text);
        return ModelConfig.load(folder);
    }

    private String refusal(String text) {
        String message = Thrown.message(BadInput.class, () -> load(text));
        String prefix = folder.resolve("config.json") + ": ";
        assertTrue(message.startsWith(prefix), message);
        return message.substring(prefix.length());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            hidden_size                |0             |hidden_size is 0, expected 1 or more.
            hidden_size                |-128          |hidden_size is -128, expected 1 or more.
            hidden_size                |128.5         |hidden_size is 128.5, expected a whole number.
            hidden_size                |"128"         |hidden_size is "128", expected a whole number.
            hidden_size                |4294967296    |hidden_size is 4294967296, expected a whole number within 2^31.
            hidden_size                |null          |hidden_size is null, expected a whole number.
            vocab_size                 |-1            |vocab_size is -1, expected 1 or more.
            num_hidden_layers          |0             |num_hidden_layers is 0, expected 1 to 4096.
            num_attention_heads        |0             |num_key_value_heads is 4, supported is num_attention_heads (0).
            num_key_value_heads        |2             |num_key_value_heads is 2, supported is num_attention_heads (4).
            intermediate_size          |0             |intermediate_size is 0, expected 1 or more.
            intermediate_size          |2147483647    |2 * intermediate_size is 4294967294, expected a number below 2^31.
            kv_lora_rank               |0             |kv_lora_rank is 0, expected 1 or more.
            kv_lora_rank               |2147483647    |kv_lora_rank + qk_rope_head_dim is 2147483655, expected a number below 2^31.
            q_lora_rank                |-1            |q_lora_rank is -1, expected 0 (or null) or more.
            qk_rope_head_dim           |7             |qk_rope_head_dim is 7, expected an even number, 2 or more: rotary embedding turns pairs.
            qk_rope_head_dim           |0             |qk_rope_head_dim is 0, expected an even number, 2 or more: rotary embedding turns pairs.
            qk_nope_head_dim           |0             |qk_nope_head_dim is 0, expected 1 or more.
            qk_nope_head_dim           |2147483647    |qk_nope_head_dim + qk_rope_head_dim is 2147483655, expected a number below 2^31.
            v_head_dim                 |0             |v_head_dim is 0, expected 1 or more.
            v_head_dim                 |2000000000    |num_attention_heads * (qk_nope_head_dim + v_head_dim) is 8000000064, expected a number below 2^31.
            n_routed_experts           |-4            |n_routed_experts is -4, expected 1 to 65536.
            n_group                    |3             |n_group is 3, expected a number that divides n_routed_experts (16).
            n_group                    |0             |n_group is 0, expected a number that divides n_routed_experts (16).
            n_group                    |16            |num_experts_per_tok is 4, but topk_group 2 of n_group 16 leaves only 2 experts to choose from.
            topk_group                 |5             |topk_group is 5, expected 1 to n_group (4).
            topk_group                 |0             |topk_group is 0, expected 1 to n_group (4).
            num_experts_per_tok        |17            |num_experts_per_tok is 17, expected 1 to n_routed_experts (16).
            num_experts_per_tok        |0             |num_experts_per_tok is 0, expected 1 to n_routed_experts (16).
            num_experts_per_tok        |9             |num_experts_per_tok is 9, but topk_group 2 of n_group 4 leaves only 8 experts to choose from.
            n_shared_experts           |-1            |n_shared_experts is -1, expected 0 or more.
            n_shared_experts           |100000000     |2 * n_shared_experts * moe_intermediate_size is 4800000000, expected a number below 2^31.
            moe_intermediate_size      |0             |moe_intermediate_size is 0, expected 1 or more.
            moe_intermediate_size      |1500000000    |2 * moe_intermediate_size is 3000000000, expected a number below 2^31.
            routed_scaling_factor      |0             |routed_scaling_factor is 0.0, expected a positive number.
            routed_scaling_factor      |1e400         |routed_scaling_factor is "Infinity", expected a number.
            scoring_func               |"softmax"     |scoring_func is "softmax", supported is sigmoid with this model_type.
            topk_method                |"greedy"      |topk_method is "greedy", supported is noaux_tc with this model_type.
            first_k_dense_replace      |-1            |first_k_dense_replace is -1, expected 0 or more.
            moe_layer_freq             |0             |moe_layer_freq is 0, expected 1 or more.
            num_nextn_predict_layers   |-1            |num_nextn_predict_layers is -1, expected 0 to 4096.
            max_position_embeddings    |0             |max_position_embeddings is 0, expected 1 or more.
            rms_norm_eps               |0             |rms_norm_eps is 0.0, expected a positive number.
            rms_norm_eps               |"small"       |rms_norm_eps is "small", expected a number.
            num_hidden_layers          |2147483647    |num_hidden_layers is 2147483647, expected 1 to 4096.
            attention_bias             |"no"          |attention_bias is "no", expected true or false.
            topk_method                |3             |topk_method is 3, expected a text.
            initializer_range          |-0.02         |initializer_range is -0.02, expected a positive number.
            bos_token_id               |512           |bos_token_id is 512, expected an id below vocab_size (512).
            model_type                 |"mistral"     |model_type is "mistral", supported are deepseek_v3, deepseek_v2, qwen2, llama, qwen3_moe.
            model_type                 |"a\\nb"       |model_type is "a\\nb", supported are deepseek_v3, deepseek_v2, qwen2, llama, qwen3_moe.
            model_type                 |null          |model_type is null, supported are deepseek_v3, deepseek_v2, qwen2, llama, qwen3_moe.
            attention_bias             |true          |attention_bias is true, supported is false.
            rope_scaling               |{"type": 3}   |type is 3, expected a text.
            hidden_act                 |"gelu"        |hidden_act is "gelu", supported is silu.
            rope_scaling               |{"type": "longrope"} |rope_type is "longrope", supported for this model_type are default and yarn.
            rope_scaling               |{"type": "yarn", "factor": 0.5} |rope_scaling factor is 0.5, expected a number from 1.0 to 1000000.0.
            rope_scaling               |{"type": "yarn", "original_max_position_embeddings": 0} |rope_scaling original_max_position_embeddings is 0, expected 1 or more.
            rope_scaling               |{"type": "yarn", "original_max_position_embeddings": 99999999999} |original_max_position_embeddings is 99999999999, expected a whole number within 2^31.
            rope_scaling               |{"type": "yarn", "factor": 4, "beta_fast": 0} |rope_scaling beta_fast is 0.0, expected a number from 1.0E-6 to 1000000.0.
            rope_scaling               |{"type": "yarn", "factor": 4, "beta_slow": -1} |rope_scaling beta_slow is -1.0, expected a number from 1.0E-6 to 1000000.0.
            """)
    void contradictions(String key, String value, String expected) {
        ObjectNode root = fixture("deepseek_v3_tiny");
        assertTrue(root.has(key));
        root.set(key, JSON.readTree(value));
        assertEquals(expected, refusal(JSON.writeValueAsString(root)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            qwen2     |use_sliding_window  |true   |use_sliding_window is true, supported is false: attention to all that came before.
            qwen2     |layer_types         |["full_attention", "sliding_attention"] |layer_types is ["full_attention","sliding_attention"], supported is full_attention in every layer.
            qwen2     |num_key_value_heads |3      |num_attention_heads 4 is no multiple of num_key_value_heads 3.
            qwen2     |num_key_value_heads |0      |num_key_value_heads is 0, expected 1 or more.
            llama     |head_dim            |15     |head_dim is 15, expected an even number, 2 or more: rotary embedding turns pairs.
            llama     |head_dim            |1073741824 |2 * num_key_value_heads * head_dim is 4294967296, expected a number below 2^31.
            llama     |mlp_bias            |true   |mlp_bias is true, supported is false.
            llama     |eos_token_id        |[1, 512] |eos_token_id is 512, expected an id below vocab_size (512).
            llama     |rope_scaling        |{"rope_type": "dynamic"} |rope_type is "dynamic", supported for this model_type are default, yarn, linear and llama3.
            llama     |rope_scaling        |{"rope_type": "linear"} |factor is missing, expected a number.
            llama     |rope_scaling        |{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 16} |rope_scaling high_freq_factor is 4.0, expected more than low_freq_factor (4.0).
            llama     |rope_scaling        |{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4} |original_max_position_embeddings is missing, expected a whole number.
            qwen3_moe |mlp_only_layers     |[3]    |mlp_only_layers is 3, expected indices below num_hidden_layers (3).
            qwen3_moe |mlp_only_layers     |[1.5]  |mlp_only_layers is [1.5], expected a list of whole numbers.
            qwen3_moe |decoder_sparse_step |0      |decoder_sparse_step is 0, expected 1 or more.
            qwen3_moe |num_experts_per_tok |9      |num_experts_per_tok is 9, expected 1 to n_routed_experts (8).
            """)
    void contradictionsOfGroupedAttention(String family, String key, String value, String expected) throws IOException {
        ObjectNode root = fixture(family + "_tiny");
        root.set(key, JSON.readTree(value));
        assertEquals(expected, refusal(JSON.writeValueAsString(root)));
    }

    @Test
    void layersOfQwenWithoutExperts() throws IOException {
        ObjectNode root = fixture("qwen3_moe_tiny");
        root.put("num_hidden_layers", 8)
                .put("decoder_sparse_step", 2)
                .putArray("mlp_only_layers")
                .add(3);
        ModelConfig config = load(root.toString());
        assertArrayEquals(new int[] {1, 5, 7}, config.moeLayers());
        assertEquals(config, load(new String(ConfigJson.write(config), StandardCharsets.UTF_8)));
        root.put("num_experts", 0);
        assertEquals(0, load(root.toString()).moeLayers().length);
    }

    @Test
    void everyIdThatEndsAText() throws IOException {
        ObjectNode root = fixture("llama_tiny");
        assertEquals(List.of(499, 496), load(root.toString()).eosTokenIds());
        Path generation = folder.resolve("generation_config.json");
        Files.writeString(generation, "{\"eos_token_id\": [496, 7, -1]}");
        assertEquals(List.of(499, 496, 7), load(root.toString()).eosTokenIds());
        root.putNull("eos_token_id");
        assertEquals(496, load(root.toString()).eosTokenId());
        Files.writeString(generation, "{");
        String message = Thrown.message(BadInput.class, () -> load(root.toString()));
        assertTrue(message.startsWith(generation + " is no"), message);
    }

    @Test
    void severalSizesTogether() {
        ObjectNode root = fixture("deepseek_v3_tiny");
        root.put("n_group", 16).put("topk_group", 16);
        assertEquals(
                "n_group is 16 of 16 experts: a group's score is the sum of its best two experts, so groups need two or"
                        + " more.",
                refusal(root.toString()));
        root = fixture("deepseek_v3_tiny");
        root.put("hidden_size", 1 << 30).put("vocab_size", 1 << 30);
        assertEquals(
                "hidden_size * vocab_size is 1152921504606846976, expected a number below 2^45.",
                refusal(root.toString()));
        root = fixture("deepseek_v3_tiny");
        root.put("hidden_size", 1 << 20).put("moe_intermediate_size", 1 << 20).put("n_routed_experts", 64);
        assertEquals(
                "hidden_size * moe_intermediate_size * n_routed_experts is 70368744177664, expected a number below"
                        + " 2^45.",
                refusal(root.toString()));
    }

    @Test
    void aHeadIsTheSumOfItsParts() throws IOException {
        ObjectNode root = fixture("deepseek_v3_tiny");
        root.put("qk_head_dim", 24);
        load(root.toString());
        root.put("qk_head_dim", 20);
        assertEquals(
                "qk_head_dim is 20, supported is qk_nope_head_dim + qk_rope_head_dim (24).", refusal(root.toString()));
    }

    @Test
    void asTransformersHasIt() throws IOException {
        ObjectNode v2 = fixture("deepseek_v2_tiny");
        v2.put("norm_topk_prob", true);
        MoeConfig moe = Objects.requireNonNull(load(v2.toString()).moe());
        assertFalse(moe.normTopkProb());
        v2.put("hidden_size", 130);
        assertEquals(
                "hidden_size 130 is no multiple of num_attention_heads 4, as transformers demands it.",
                refusal(v2.toString()));
        ObjectNode v3 = fixture("deepseek_v3_tiny");
        v3.put("hidden_size", 130);
        assertEquals(130, load(v3.toString()).hiddenSize());
    }

    @ParameterizedTest
    @ValueSource(strings = {"vocab_size", "hidden_size", "num_attention_heads", "kv_lora_rank", "v_head_dim"})
    void missingSizes(String key) {
        ObjectNode root = fixture("deepseek_v3_tiny");
        root.remove(key);
        assertEquals(key + " is missing, expected a whole number.", refusal(JSON.writeValueAsString(root)));
    }

    @Test
    void whatIsNotAskedForHasItsUsualValue() throws IOException {
        ObjectNode root = fixture("deepseek_v3_tiny");
        for (String key : List.of("rms_norm_eps", "scoring_func", "topk_method", "rope_theta", "tie_word_embeddings")) {
            root.remove(key);
        }
        assertEquals(load(fixture("deepseek_v3_tiny").toString()), load(root.toString()));
        for (String key : List.of(
                "n_group", "topk_group", "first_k_dense_replace", "n_shared_experts", "routed_scaling_factor")) {
            root.remove(key);
        }
        ModelConfig usual = load(root.toString());
        MoeConfig moe = Objects.requireNonNull(usual.moe());
        assertEquals(
                List.of(8, 4, 3, 1),
                List.of(moe.nGroup(), moe.topkGroup(), usual.firstKDenseReplace(), moe.nSharedExperts()));
        assertEquals(2.5, moe.routedScalingFactor());
        root.putNull("rope_scaling");
        assertEquals(new RopeConfig(10000, null), load(root.toString()).rope());
        root.remove("n_routed_experts");
        assertEquals(0, load(root.toString()).moeLayers().length);
    }

    @Test
    void whatIsNoConfiguration() throws IOException {
        Path file = folder.resolve("config.json");
        assertEquals(
                "there is no file %s.".formatted(file), Thrown.message(BadInput.class, () -> ModelConfig.load(folder)));
        for (String text :
                List.of("", " ", "{", "[]", "3", "null", "{\"hidden_size\": 1,}", "\u0000", "[".repeat(5000))) {
            String message = Thrown.message(BadInput.class, () -> load(text));
            assertTrue(message.startsWith(file + " is no"), message);
            assertFalse(message.contains("\n"), message);
        }
        Files.write(file, new byte[] {'{', '"', (byte) 0xff, (byte) 0xfe, '"', ':', '1', '}'});
        Thrown.message(BadInput.class, () -> ModelConfig.load(folder));
        Files.delete(file);
        Files.createDirectory(file);
        Thrown.message(BadInput.class, () -> ModelConfig.load(folder));
    }

    /// Values of every kind at any place give a configuration that can be built and written again, or a refusal.
    @Test
    void noise() throws IOException {
        List<String> values = List.of(
                "null",
                "true",
                "false",
                "-1",
                "0",
                "1",
                "2",
                "3",
                "7",
                "16",
                "65536",
                "2147483647",
                "-2147483648",
                "2147483648",
                "9223372036854775807",
                "123456789012345678901234567890",
                "0.5",
                "-0.5",
                "1e-320",
                "1e308",
                "1e999",
                "\"\"",
                "\"yarn\"",
                "\"default\"",
                "\"sigmoid\"",
                "\"a\\nb\"",
                "\"3\"",
                "[]",
                "[1]",
                "[0, 2]",
                "{}",
                "{\"a\": []}");
        Rng rng = Seeds.rng("ModelConfigTest.noise");
        List<ObjectNode> fixtures = fixtures();
        int accepted = 0;
        for (int i = 0; i < 1000; i++) {
            Rng own = rng.split(i);
            ObjectNode root = fixtures.get(i % fixtures.size()).deepCopy();
            for (int m = 0; m <= own.below(0, 3); m++) {
                ObjectNode parent = own.below(10 + m, 3) == 0 ? nested(root) : root;
                List<String> keys = List.copyOf(parent.propertyNames());
                if (!keys.isEmpty()) {
                    String value = values.get(own.below(30 + m, values.size()));
                    parent.set(keys.get(own.below(20 + m, keys.size())), JSON.readTree(value));
                }
            }
            accepted += attempt(root.toString()) ? 1 : 0;
        }
        assertTrue(accepted > 100 && accepted < 900, "accepted %d of 1000".formatted(accepted));
    }

    private static List<ObjectNode> fixtures() {
        List<ObjectNode> roots = new ArrayList<>();
        for (String name : List.of(
                "deepseek_v3_tiny",
                "deepseek_v2_tiny",
                "deepseek_v2_grouped_tiny",
                "qwen2_tiny",
                "llama_tiny",
                "qwen3_moe_tiny")) {
            roots.add(fixture(name));
        }
        return roots;
    }

    private static ObjectNode nested(ObjectNode root) {
        JsonNode rope = root.path("rope_scaling");
        return rope instanceof ObjectNode object ? object : root;
    }

    private boolean attempt(String text) throws IOException {
        ModelConfig config;
        try {
            config = load(text);
        } catch (BadInput e) {
            String message = String.valueOf(e.getMessage());
            assertTrue(message.endsWith(".") && !message.contains("\n"), message);
            return false;
        }
        assertTrue(config.parameters() > 0, text);
        assertTrue(config.activeMatmulParameters() > 0, text);
        if (config.attention().rotaryDim() < 1 << 16) {
            for (float frequency : config.rope().frequencies(config.attention().rotaryDim())) {
                assertTrue(Float.isFinite(frequency), text);
            }
        }
        assertTrue(Double.isFinite(config.rope().softmaxScale(config.attention().qkHeadDim())), text);
        assertTrue(Double.isFinite(config.rope().attentionScaling()), text);
        assertEquals(config, load(new String(ConfigJson.write(config), StandardCharsets.UTF_8)), text);
        return true;
    }

    @Test
    void layersWithExperts() {
        ModelConfig config = Models.config(0, Models.v3Moe(1, 1, 1), false, 2);
        assertFalse(config.isMoe(0));
        assertEquals(List.of(1), Stream.of(1).filter(config::isMoe).toList());
        assertEquals(1, config.moeLayers().length);
        assertTrue(config.isMoe(2) && config.isMoe(3));
    }
}
