package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.ObjectMapper;

/// Adapters against their definition, central differences, and what PEFT computes: see lora/make.py
/// among the resources.
class LoraTest {
    /// Two layers of sums of some dozen float32 products, each good to 6e-8 of its size, on weights
    /// that are sums of few more.
    private static final double FLOAT32 = 5e-6;

    private static final Lora ALL = new Lora(3, 7, List.of("all-linear", "lm_head", "gate"), false);

    static Path resource(String name) {
        try {
            return Path.of(Objects.requireNonNull(LoraTest.class.getResource("/lora/" + name))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Model load(Device device, Backend backend, DType dtype, String base) {
        return Model.load(resource(base), Kernels.on(device.stream(), backend), dtype, Progress.silent());
    }

    /// Moves every A and B away from zero.
    static void shake(Adapters adapters, long seed) {
        for (Parameter parameter : adapters.parameters()) {
            Rng rng = new Rng(seed).split(parameter.name());
            Tensor value = parameter.value();
            IntStream.range(0, Math.toIntExact(value.elements())).forEach(i -> value.set(i, 0.2 * rng.normal(i)));
        }
        adapters.merge();
    }

    @ParameterizedTest
    @CsvSource({
        "deepseek_v3, deepseek_v3_base",
        "deepseek_v3_down, deepseek_v3_base",
        "deepseek_v3_per_expert, deepseek_v3_base",
        "qwen2, qwen2_base"
    })
    void mergesWhatPeftTrained(String adapter, String base) {
        for (Backend backend : List.of(Backend.VECTOR, Backend.REFERENCE)) {
            try (Device device = Device.host(2);
                    Model model = load(device, backend, DType.F32, base)) {
                Lora.merge(model, resource(adapter));
                requireLogits(backend + " " + adapter, model, resource(adapter));
            }
        }
    }

    private static void requireLogits(String what, Model model, Path folder) {
        try (Safetensors expected = Safetensors.open(folder.resolve("expected.safetensors"))) {
            for (int i = 0; i < 3; i++) {
                Tensor wanted = expected.tensor("logits." + i);
                double largest = Arrays.stream(Tensors.values(wanted))
                        .map(Math::abs)
                        .max()
                        .orElseThrow();
                Tensor given = model.logits(expected.tensor("ids." + i).toInts());
                Close.assertClose("%s logits %d".formatted(what, i), wanted, given, FLOAT32 * largest);
            }
        }
    }

    @Test
    void readsWhatItWrote(@TempDir Path folder) throws IOException {
        for (String name : List.of("deepseek_v3", "deepseek_v3_down", "deepseek_v3_per_expert")) {
            Path first = folder.resolve(name + "1");
            Path second = folder.resolve(name + "2");
            try (Device device = Device.host(1)) {
                for (Path to : List.of(first, second)) {
                    Path from = to.equals(first) ? resource(name) : first;
                    try (Model model = load(device, Backend.VECTOR, DType.F32, "deepseek_v3_base");
                            Adapters adapters = Adapters.load(model, from)) {
                        requireLogits(name, model, resource(name));
                        adapters.save(to);
                    }
                }
            }
            for (String file : List.of(PeftWriter.CONFIG, PeftWriter.TENSORS)) {
                assertEquals(-1, Files.mismatch(first.resolve(file), second.resolve(file)), file);
            }
        }
        String config =
                Files.readString(folder.resolve("deepseek_v3_per_expert1").resolve(PeftWriter.CONFIG));
        assertEquals("""
                {"peft_type":"LORA","task_type":"CAUSAL_LM","base_model_name_or_path":null,"inference_mode":true,"r":2,\
                "lora_alpha":6,"lora_dropout":0.0,"bias":"none","use_rslora":false,"target_modules":[],\
                "target_parameters":["gate_up_proj","down_proj"],\
                "rank_pattern":{"model\\\\.layers\\\\.1\\\\.mlp\\\\.experts\\\\.gate_up_proj":4},\
                "alpha_pattern":{"model\\\\.layers\\\\.1\\\\.mlp\\\\.experts\\\\.gate_up_proj":12}}""", new ObjectMapper().readTree(config).toString());
        try (Safetensors given = Safetensors.open(resource("deepseek_v3").resolve(PeftWriter.TENSORS));
                Safetensors written =
                        Safetensors.open(folder.resolve("deepseek_v31").resolve(PeftWriter.TENSORS))) {
            for (String name : given.names()) {
                if (!name.endsWith("base_layer.weight")) {
                    Close.assertSame(name, given.tensor(name), written.tensor(name));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"F32", "BF16"})
    void weightsAreWhatTheDefinitionSays(Precision precision) {
        try (Device device = Device.host(2);
                Model model = Model.load(
                        resource("deepseek_v3_base"),
                        Kernels.on(device.stream(), Backend.VECTOR, precision),
                        DType.F32,
                        Progress.silent())) {
            List<Linear> linears = List.copyOf(Linear.of(model).values());
            List<Tensor> before = linears.stream().map(l -> copy(l.weight())).toList();
            try (Adapters adapters = Adapters.fresh(model, ALL, 5)) {
                assertEquals(2 * linears.size(), adapters.parameters().size());
                adapters.merge();
                for (int i = 0; i < linears.size(); i++) {
                    Close.assertSame(
                            linears.get(i).name(), before.get(i), linears.get(i).weight());
                }
                shake(adapters, 1);
                shake(adapters, 2);
                for (int i = 0; i < linears.size(); i++) {
                    requireSum(
                            linears.get(i), before.get(i), adapters.parameters().subList(2 * i, 2 * i + 2));
                }
            }
        }
    }

    private static Tensor copy(Tensor tensor) {
        Tensor copy = Tensor.allocate(Arena.ofAuto(), tensor.dtype(), tensor.shape());
        copy.copyFrom(tensor);
        return copy;
    }

    private static void requireSum(Linear linear, Tensor before, List<Parameter> factors) {
        assertEquals(linear.name() + ".lora_A.weight", factors.getFirst().name());
        double scale = 7.0 / 3;
        int rank = 3;
        Tensor expected = copy(before);
        double[] bounds = new double[Math.toIntExact(expected.elements())];
        for (int e = 0; e < linear.count(); e++) {
            Tensor a = matrix(factors.getFirst().value(), e);
            Tensor b = matrix(factors.getLast().value(), e);
            Tensor w = matrix(expected, e);
            for (int i = 0; i < linear.n(); i++) {
                for (int j = 0; j < linear.k(); j++) {
                    double sum = w.get(w.offset(i, j));
                    double sizes = Math.abs(sum);
                    for (int r = 0; r < rank; r++) {
                        double product = scale * b.get(b.offset(i, r)) * a.get(a.offset(r, j));
                        sum += product;
                        sizes += Math.abs(product);
                    }
                    w.set(w.offset(i, j), sum);
                    // Each of the four terms is rounded once or twice, and so is each partial sum.
                    bounds[(e * linear.n() + i) * linear.k() + j] = 6 * 0x1p-24 * sizes;
                }
            }
        }
        Close.assertClose(linear.name(), expected, linear.weight(), i -> bounds[i]);
    }

    private static Tensor matrix(Tensor all, int expert) {
        return all.rank() == 3 ? all.select(0, expert) : all;
    }

    /* All elements of A, or of B, move at once, each a little up or down; the loss must move by the sum of the gradients
     * with those signs. In double: the formula's error is about STEP^2 times a third derivative.
     */
    @Test
    void gradientsAgreeWithDifferences() {
        double step = 1e-5;
        int[] tokens = {3, 9, 27, 20, 60, 58, 52, 34, 41, 1};
        int[] targets = {9, 27, 20, 60, 58, 52, 34, 41, 1, -1};
        Batch batch = new Batch(1, 10, tokens, targets, IntStream.range(0, 10).toArray(), new int[10]);
        try (Device device = Device.host(1);
                Model model = load(device, Backend.REFERENCE, DType.F64, "deepseek_v3_base");
                Adapters adapters = Adapters.fresh(model, ALL, 5);
                Training training = model.training(new Training.Settings(1, 10, 0, 0))) {
            shake(adapters, 3);
            training.begin(9, 1);
            training.accumulate(batch);
            List<Tensor> gradients = adapters.gradients(training);
            for (int i = 0; i < gradients.size(); i++) {
                Tensor value = adapters.parameters().get(i).value();
                double expected = 0;
                for (int j = 0; j < value.elements(); j++) {
                    expected += sign(i, j) * gradients.get(i).get(j);
                }
                double up = moved(adapters, training, batch, i, step);
                double down = moved(adapters, training, batch, i, -2 * step);
                moved(adapters, training, batch, i, step);
                String name = adapters.parameters().get(i).name();
                assertEquals(expected, (up - down) / (2 * step), 1e-6 * (1 + Math.abs(expected)), name);
                assertTrue(expected != 0, name);
            }
        }
    }

    private static int sign(int parameter, int element) {
        return (new Rng(7).split(parameter).bits(element) & 1) == 0 ? 1 : -1;
    }

    private static double moved(Adapters adapters, Training training, Batch batch, int parameter, double by) {
        Tensor value = adapters.parameters().get(parameter).value();
        for (int j = 0; j < value.elements(); j++) {
            value.set(j, value.get(j) + by * sign(parameter, j));
        }
        adapters.merge();
        return training.evaluate(batch) / 9;
    }

    @Test
    void drawsAsPeftDoes() {
        try (Device device = Device.host(1);
                Model model = load(device, Backend.VECTOR, DType.F32, "qwen2_base");
                Adapters adapters = Adapters.fresh(model, new Lora(8, 16, List.of("q_proj"), false), 5)) {
            List<Parameter> parameters = adapters.parameters();
            double bound = 1 / Math.sqrt(24);
            double[] a = Tensors.values(parameters.getFirst().value());
            assertTrue(Arrays.stream(a).allMatch(v -> Math.abs(v) <= bound));
            // Of 192 uniform ones, the largest is above nine tenths but for once in 6e8 seeds.
            assertTrue(Arrays.stream(a).max().orElseThrow() > 0.9 * bound);
            assertTrue(Arrays.stream(Tensors.values(parameters.get(1).value())).allMatch(v -> v == 0));
            try (Adapters same = Adapters.fresh(model, new Lora(8, 16, List.of("q_proj", "v_proj"), false), 5)) {
                Close.assertSame(
                        "A",
                        parameters.getFirst().value(),
                        same.parameters().getFirst().value());
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "deepseek_v3 | all-linear | 18",
                "deepseek_v3 | experts | 2",
                "deepseek_v3 | experts.down_proj | 1",
                "deepseek_v3 | gate_proj,up_proj | 5",
                "deepseek_v3 | down_proj,o_proj | 5",
                "deepseek_v3 | shared_experts.gate_proj | 1",
                "deepseek_v3 | gate | 1",
                "deepseek_v3 | .*\\.1\\.self_attn\\..*,lm_head | 6",
                "qwen2 | q_proj,k_proj | 4",
                "qwen2 | all-linear | 14"
            })
    void findsTargets(String base, String targets, int count) {
        try (Device device = Device.host(1);
                Model model = load(device, Backend.VECTOR, DType.F32, base + "_base")) {
            List<String> names = List.of(targets.split(","));
            assertEquals(
                    count, LoraTargets.choose(Linear.of(model).values(), names).size());
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "q_prj | no linear is called q_prj; this model has q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, "
                        + "down_proj, and all-linear means all but routers and head.",
                "lm_head | no linear is called lm_head; this model has",
                "( | the target ( is neither the end of a name nor a regular expression: Unclosed group."
            })
    void refusesTargets(String target, String message) {
        try (Device device = Device.host(1);
                Model model = load(device, Backend.VECTOR, DType.F32, "qwen2_base")) {
            Lora lora = new Lora(8, 16, List.of("v_proj", target), false);
            String said = Thrown.message(BadInput.class, () -> Adapters.fresh(model, lora, 0));
            assertTrue(said.startsWith(message), said);
        }
    }

    @Test
    void refusesHalfOfWhatExpertsHoldAsOne() {
        try (Device device = Device.host(1);
                Model model = load(device, Backend.VECTOR, DType.F32, "deepseek_v3_base")) {
            Lora lora = new Lora(8, 16, List.of("gate_proj"), false);
            assertEquals(
                    "the targets have gate_proj of the experts but not up_proj, and experts hold them as one; name both, or"
                            + " others by more of their names, such as shared_experts.up_proj.",
                    Thrown.message(BadInput.class, () -> Adapters.fresh(model, lora, 0)));
        }
    }

    @Test
    void refusesSettings() {
        assertEquals(
                "adapters of rank 0 are asked for, expected 1 to 65536.",
                Thrown.message(BadInput.class, () -> new Lora(0, 1, List.of("q_proj"), false)));
        assertEquals(
                "adapters with alpha NaN are asked for, expected a positive number.",
                Thrown.message(BadInput.class, () -> new Lora(1, Double.NaN, List.of("q_proj"), false)));
        assertEquals(
                "adapters are asked for on no linear; name some, such as all-linear.",
                Thrown.message(BadInput.class, () -> new Lora(1, 1, List.of(), false)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"use_dora\": false | \"use_dora\": true | sets use_dora, which is not supported; expected a plain LoRA on linears.",
                "\"peft_type\": \"LORA\" | \"peft_type\": \"IA3\" | has peft_type \"IA3\", expected LORA.",
                "\"bias\": \"none\" | \"bias\": \"all\" | has bias \"all\", expected none.",
                "\"modules_to_save\": null | \"modules_to_save\": [\"lm_head\"] | sets modules_to_save, which is not supported",
                "\"init_lora_weights\": true | \"init_lora_weights\": \"pissa\" | has init_lora_weights \"pissa\", which changes",
                "\"r\": 4 | \"r\": 5 | with rank 4, adapter_config.json announces 5; expected a LoRA of PEFT",
                "\"r\": 4 | \"r\": \"4\" | has r \"4\", expected a whole number.",
                "\"lora_alpha\": 8 | \"lora_alpha\": null | has lora_alpha null, expected a number.",
                "\"rank_pattern\": {} | \"rank_pattern\": {\"(\": 4} | has a rank_pattern (, expected a regular expression:",
                "{ | [ | is not JSON"
            })
    void refusesWhatIsNoPlainLora(String given, String instead, String message, @TempDir Path folder)
            throws IOException {
        String config = Files.readString(resource("qwen2").resolve(PeftWriter.CONFIG));
        assertTrue(config.contains(given));
        Files.writeString(folder.resolve(PeftWriter.CONFIG), config.replace(given, instead));
        Files.copy(resource("qwen2").resolve(PeftWriter.TENSORS), folder.resolve(PeftWriter.TENSORS));
        requireRefusal("qwen2_base", folder, message);
    }

    private static void requireRefusal(String base, Path folder, String message) {
        try (Device device = Device.host(1);
                Model model = load(device, Backend.VECTOR, DType.F32, base)) {
            Tensor before = copy(model.parameters().get(1).value());
            String said = Thrown.message(BadInput.class, () -> Lora.merge(model, folder));
            assertTrue(said.contains(message), said);
            Close.assertSame("weights", before, model.parameters().get(1).value());
        }
    }

    @Test
    void refusesAdaptersOfOtherModels(@TempDir Path folder) throws IOException {
        requireRefusal("qwen2_base", resource("deepseek_v3_down"), "this model has no such linear");
        requireRefusal("deepseek_v3_base", resource("qwen2"), "expected [r, 33] and [20, r]");
        requireRefusal("qwen2_base", resource("deepseek_v3_per_expert"), "which this model does not have");
        Files.copy(resource("qwen2").resolve(PeftWriter.CONFIG), folder.resolve(PeftWriter.CONFIG));
        requireRefusal("qwen2_base", folder, "there is no adapter_model.safetensors");
        requireRefusal("qwen2_base", folder.resolve("none"), "there is no file");
    }

    @Test
    void measuresItsMemory() {
        try (Device device = Device.host(1);
                Model model = load(device, Backend.VECTOR, DType.F32, "qwen2_base")) {
            Lora lora = new Lora(2, 4, List.of("q_proj"), false);
            // Two layers of [24, 24]: A and B with gradients and moments, a copy, scratch, the factor on a diagonal.
            long expected = 2 * 4 * (4 * (2 * 24 + 24 * 2) + 24 * 24 + 24 * 2 + 2 * 2);
            assertEquals(expected, Adapters.bytes(model.config(), DType.F32, lora));
        }
    }
}
