package dev.wok.tune;

import dev.wok.device.Device;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.train.Durable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/* What PEFT 0.21 on transformers 5 makes of names:
 *
 * | adapted                     | targeted by       | tensors                                                     |
 * |-----------------------------|-------------------|-------------------------------------------------------------|
 * | module.name                 | target_modules    | module.name.lora_A.weight [r, k], .lora_B.weight [n, r]      |
 * | module.name                 | target_parameters | the same                                                     |
 * | mlp.experts.gate_up_proj    | target_parameters | mlp.experts.base_layer.lora_A.weight [experts * r, k],       |
 * |                             |                   | .lora_B.weight [n, r * experts]                              |
 * | mlp.experts.down_proj       | target_parameters | mlp.experts.lora_A.weight, .lora_B.weight                    |
 *
 * One wrapper of the experts lies in the other, so where down_proj is not adapted gate_up_proj has the outer name. Row
 * `e * r + i` of A and column `i * experts + e` of B are expert e's. In families that have experts, PEFT takes a module
 * that is named gate, gate_proj, up_proj or down_proj for experts' as transformers 4 named them, so dense layers, shared
 * experts and routers are targeted as the parameters that they are.
 */

/// Writes adapters as PEFT does.
final class PeftWriter {
    static final String CONFIG = "adapter_config.json";
    static final String TENSORS = "adapter_model.safetensors";
    static final String PREFIX = "base_model.model.";
    static final String INNER = ".base_layer";

    private static final Set<String> EXPERTS_NAMES = Set.of("gate", "gate_proj", "up_proj", "down_proj");

    private PeftWriter() {}

    static void write(Path folder, Model model, Lora lora, List<LowRank> adapters) {
        try (Arena arena = Arena.ofShared()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            Device device = model.kernels().stream().device();
            for (LowRank adapter : adapters) {
                String name = PREFIX + wrapper(adapter.linear(), adapters);
                tensors.put(name + ".lora_A.weight", left(host(arena, device, adapter.a())));
                tensors.put(name + ".lora_B.weight", right(arena, host(arena, device, adapter.b())));
            }
            Files.createDirectories(folder);
            Safetensors.write(folder.resolve(TENSORS), tensors, Map.of("format", "pt"));
            ObjectMapper json = JsonMapper.builder().build();
            byte[] config =
                    json.writerWithDefaultPrettyPrinter().writeValueAsBytes(config(json, model, lora, adapters));
            Durable.write(folder.resolve(CONFIG), config);
        } catch (IOException e) {
            throw BadInput.writing(folder, e);
        }
    }

    private static Tensor host(Arena arena, Device device, Tensor here) {
        Tensor host = Tensor.allocate(arena, DType.F32, here.shape());
        device.download(here, host);
        return host;
    }

    private static Tensor left(Tensor a) {
        return a.rank() == 2 ? a : a.reshape(a.dim(0) * a.dim(1), a.dim(2));
    }

    private static Tensor right(Arena arena, Tensor b) {
        if (b.rank() == 2) {
            return b;
        }
        Tensor stored = Tensor.allocate(arena, DType.F32, b.dim(1), b.dim(2) * b.dim(0));
        stored.split(1, b.dim(0)).copyFrom(b.swap(0, 1).swap(1, 2));
        return stored;
    }

    /// @return the module of PEFT's that holds A and B
    private static String wrapper(Linear linear, List<LowRank> adapters) {
        if (!linear.isExperts()) {
            return linear.name();
        }
        String experts = linear.name().substring(0, linear.name().lastIndexOf('.'));
        boolean inner = linear.leaf().equals("gate_up_proj")
                && adapters.stream().anyMatch(a -> a.linear().name().equals(experts + ".down_proj"));
        return inner ? experts + INNER : experts;
    }

    private static ObjectNode config(ObjectMapper json, Model model, Lora lora, List<LowRank> adapters) {
        Set<String> modules = new LinkedHashSet<>();
        Set<String> parameters = new LinkedHashSet<>();
        SequencedMap<String, Integer> ranks = new LinkedHashMap<>();
        SequencedMap<String, Double> alphas = new LinkedHashMap<>();
        Collection<Linear> all = Linear.of(model).values();
        for (LowRank adapter : adapters) {
            String key = key(model, adapter.linear());
            boolean module =
                    key.equals(adapter.linear().name()) && !adapter.linear().isExperts();
            (module ? modules : parameters).add(shortest(model, key, all, adapters));
            String pattern = key.replace(".", "\\.");
            if (adapter.rank() != lora.rank()) {
                ranks.put(pattern, adapter.rank());
            }
            if (adapter.alpha() != lora.alpha()) {
                alphas.put(pattern, adapter.alpha());
            }
        }
        ObjectNode config = json.createObjectNode();
        config.put("peft_type", "LORA");
        config.put("task_type", "CAUSAL_LM");
        config.putNull("base_model_name_or_path");
        config.put("inference_mode", true);
        config.put("r", lora.rank());
        number(config, "lora_alpha", lora.alpha());
        config.put("lora_dropout", 0.0);
        config.put("bias", "none");
        config.put("use_rslora", lora.rslora());
        modules.forEach(config.putArray("target_modules")::add);
        if (!parameters.isEmpty()) {
            parameters.forEach(config.putArray("target_parameters")::add);
        }
        ranks.forEach(config.putObject("rank_pattern")::put);
        ObjectNode alphaPattern = config.putObject("alpha_pattern");
        alphas.forEach((pattern, alpha) -> number(alphaPattern, pattern, alpha));
        return config;
    }

    private static void number(ObjectNode node, String key, double value) {
        if (value == Math.rint(value) && value < 1 << 30) {
            node.put(key, (int) value);
        } else {
            node.put(key, value);
        }
    }

    /// @return what PEFT matches targets and patterns with
    private static String key(Model model, Linear linear) {
        boolean parameter = switch (model.config().family()) {
            case DEEPSEEK_V3, DEEPSEEK_V2, QWEN3_MOE -> EXPERTS_NAMES.contains(linear.leaf()) && !linear.isExperts();
            case QWEN2, LLAMA -> false;
        };
        return parameter ? linear.name() + ".weight" : linear.name();
    }

    /// @return the shortest end of a key that means none that is not adapted
    private static String shortest(Model model, String key, Collection<Linear> all, List<LowRank> adapters) {
        Set<String> adapted = new LinkedHashSet<>();
        adapters.forEach(adapter -> adapted.add(key(model, adapter.linear())));
        String shortest = key;
        for (int dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', dot + 1)) {
            String end = key.substring(dot);
            boolean safe = all.stream()
                    .map(linear -> key(model, linear))
                    .allMatch(other -> !other.endsWith(end) || adapted.contains(other));
            if (!safe || end.equals(".weight")) {
                break;
            }
            shortest = end.substring(1);
        }
        return shortest;
    }
}
