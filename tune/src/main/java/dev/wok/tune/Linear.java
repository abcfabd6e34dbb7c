package dev.wok.tune;

import dev.wok.model.Model;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What an adapter can be on: a linear, or the linears of all routed experts of a layer.
///
/// @param name as transformers 5 has it, without `.weight`
/// @param experts how many, or 0 for a linear that is no expert's
/// @param weight `[n, k]`, or `[experts, n, k]`, contiguous, of the model
/// @param parameter its index among the model's, where it is experts'; else -1
record Linear(String name, int experts, Tensor weight, int parameter) {
    static final String GATE = ".mlp.gate";
    static final String EXPERTS = ".mlp.experts.";
    static final String HEAD = "lm_head";

    private static final String WEIGHT = ".weight";
    private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(?!mlp\\.experts\\.).*\\.weight");

    /// @return all that a model has, by name
    static SequencedMap<String, Linear> of(Model model) {
        SequencedMap<String, Linear> all = new LinkedHashMap<>();
        for (Map.Entry<String, Tensor> entry : model.tensors().entrySet()) {
            String name = entry.getKey();
            if (entry.getValue().rank() == 2 && (name.equals(HEAD + WEIGHT) || isInLayer(model, name))) {
                add(all, new Linear(without(name), 0, entry.getValue(), -1));
            }
        }
        List<Parameter> parameters = model.parameters();
        for (int i = 0; i < parameters.size(); i++) {
            String name = parameters.get(i).name();
            Tensor value = parameters.get(i).value();
            if (value.rank() == 3 && isBefore(model, layer(name))) {
                add(all, new Linear(without(name), value.size(0), value, i));
            }
        }
        return all;
    }

    private static void add(SequencedMap<String, Linear> all, Linear linear) {
        all.put(linear.name, linear);
    }

    private static boolean isInLayer(Model model, String name) {
        Matcher matcher = LAYER.matcher(name);
        return matcher.matches() && isBefore(model, Integer.parseInt(matcher.group(1)));
    }

    private static boolean isBefore(Model model, int layer) {
        return layer < model.config().numHiddenLayers();
    }

    private static int layer(String name) {
        return Integer.parseInt(name.split("\\.", 4)[2]);
    }

    private static String without(String name) {
        return name.substring(0, name.length() - WEIGHT.length());
    }

    boolean isExperts() {
        return experts > 0;
    }

    /// @return how many matrices it is
    int count() {
        return Math.max(1, experts);
    }

    /// @return rows of a matrix
    int n() {
        return weight.size(weight.rank() - 2);
    }

    /// @return columns of a matrix
    int k() {
        return weight.size(weight.rank() - 1);
    }

    /// @return the last part of the name
    String leaf() {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /// @return the gradient of the weight, of the same sizes
    Tensor gradient(Training training) {
        return isExperts() ? training.gradients().get(parameter) : training.gradient(name + WEIGHT);
    }
}
