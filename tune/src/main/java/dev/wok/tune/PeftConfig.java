package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// What an adapter_config.json of PEFT says that matters to a LoRA on linears.
final class PeftConfig {
    private static final long LARGEST = 1 << 24;

    /// What says how adapters came about, which modules have them, or what does not change what they
    /// are.
    private static final Set<String> IDLE = Set.of(
            "auto_mapping",
            "base_model_name_or_path",
            "bias",
            "corda_config",
            "ensure_weight_tying",
            "eva_config",
            "exclude_modules",
            "inference_mode",
            "init_lora_weights",
            "layers_pattern",
            "layers_to_transform",
            "lora_alpha",
            "lora_dropout",
            "alpha_pattern",
            "loftq_config",
            "lora_ga_config",
            "megatron_core",
            "peft_type",
            "peft_version",
            "qalora_group_size",
            "r",
            "rank_pattern",
            "revision",
            "runtime_config",
            "target_modules",
            "target_parameters",
            "task_type",
            "use_rslora");

    private static final Set<String> KEEPS_BASE = Set.of("gaussian", "orthogonal", "eva");

    private final Path file;
    private final JsonNode root;

    private PeftConfig(Path file, JsonNode root) {
        this.file = file;
        this.root = root;
    }

    static PeftConfig read(Path file) {
        JsonNode root;
        try {
            if (Files.size(file) > LARGEST) {
                throw new BadInput(
                        "%s has %d bytes, which is no adapter's configuration.".formatted(file, Files.size(file)));
            }
            root = new ObjectMapper().readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            throw BadInput.notJson(file, e);
        }
        PeftConfig config = new PeftConfig(file, root);
        config.requireLora();
        return config;
    }

    private void requireLora() {
        if (!root.path("peft_type").asString("").equals("LORA")) {
            throw refused("peft_type", "LORA");
        }
        if (!root.path("bias").asString("none").equals("none")) {
            throw refused("bias", "none");
        }
        JsonNode init = root.path("init_lora_weights");
        if (init.isString() && !KEEPS_BASE.contains(init.asString())) {
            throw new BadInput(
                    "%s has init_lora_weights %s, which changes the base weights too; let PEFT convert it to a plain LoRA."
                            .formatted(file, init));
        }
        for (Map.Entry<String, JsonNode> field : root.properties()) {
            if (!IDLE.contains(field.getKey()) && isSet(field.getValue())) {
                throw new BadInput("%s sets %s, which is not supported; expected a plain LoRA on linears."
                        .formatted(file, field.getKey()));
            }
        }
        if (rank() < 1) {
            throw refused("r", "a whole number from 1");
        }
    }

    private BadInput refused(String key, String expected) {
        return new BadInput("%s has %s %s, expected %s.".formatted(file, key, root.path(key), expected));
    }

    private static boolean isSet(JsonNode value) {
        return !(value.isNull()
                || value.isBoolean() && !value.asBoolean()
                || value.isContainer() && value.isEmpty()
                || value.isNumber() && value.asDouble() == 0);
    }

    boolean rslora() {
        return root.path("use_rslora").asBoolean(false);
    }

    private int rank() {
        return whole(root.path("r"), "r");
    }

    private int whole(JsonNode value, String key) {
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw refused(key, "a whole number");
        }
        return value.asInt();
    }

    /// @return the rank that a linear's adapter is to have
    int rank(String name) {
        return whole(pattern("rank_pattern", name, root.path("r")), "r");
    }

    /// @return a linear's alpha
    double alpha(String name) {
        return number(pattern("alpha_pattern", name, root.path("lora_alpha")));
    }

    private double number(JsonNode value) {
        double alpha = value.isNumber() ? value.asDouble() : Double.NaN;
        if (!Double.isFinite(alpha)) {
            throw refused("lora_alpha", "a number");
        }
        return alpha;
    }

    /// The first pattern that matches an end of the name, as PEFT looks them up; linears that it adapts
    /// as parameters have `.weight` in theirs.
    private JsonNode pattern(String key, String name, JsonNode otherwise) {
        for (Map.Entry<String, JsonNode> entry : root.path(key).properties()) {
            try {
                Pattern pattern = Pattern.compile("(.*\\.)?(%s)".formatted(entry.getKey()));
                if (pattern.matcher(name).matches()
                        || pattern.matcher(name + ".weight").matches()) {
                    return entry.getValue();
                }
            } catch (PatternSyntaxException e) {
                throw new BadInput(
                        "%s has a %s %s, expected a regular expression: %s."
                                .formatted(file, key, entry.getKey(), e.getDescription()),
                        e);
            }
        }
        return otherwise;
    }

    /// @param names of what is adapted
    Lora lora(List<String> names) {
        return new Lora(rank(), number(root.path("lora_alpha")), names, rslora());
    }
}
