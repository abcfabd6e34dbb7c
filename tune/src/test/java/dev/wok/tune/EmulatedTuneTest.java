package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.model.Model;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Every method on a GPU that runs PTX with every check on, or with `-Dwok.require=ptx` on a real
/// one: it learns what the processor does.
class EmulatedTuneTest {
    private static final int STEPS = 2;

    /// Both sum float32 products in orders of their own: some dozen sums deep each is good to 1e-5,
    /// and a step of the optimizer divides by roots of squares, where small ones among them are off
    /// by more.
    private static final double FLOAT32 = 1e-3;

    /// Any answer is worth something, and few the same.
    private static final Task SUMS = new Saying(
            (_, completion) -> new Reward.Score(completion.text().chars().sum() % 7 / 7.0, "by its characters"));

    private record Seat(Model model, Learner learner) {
        Method method(String name) {
            return switch (name) {
                case "sft" ->
                    new Sft(
                            learner,
                            TinyModel.tokenizer(),
                            SftTest.examples(6),
                            Settings.sft(Map.of("held_out", "0", "batch_examples", "6")));
                case "dpo" -> new Dpo(learner, TinyModel.tokenizer(), pairs(), Progress.silent(), DPO);
                case "grpo" -> {
                    Rewards rewards = Rewards.parse(SUMS, List.of("accuracy:1"), Progress.silent());
                    Model initial = TinyModel.create(model.kernels(), 3);
                    yield new Grpo(learner, initial, TinyModel.tokenizer(), SUMS, rewards, GRPO, Progress.silent());
                }
                case "distill" ->
                    new Distillation(
                            learner,
                            TinyModel.create(model.kernels(), 4),
                            TinyModel.tokenizer(),
                            SftTest.examples(6),
                            new Letters(9),
                            DISTILL,
                            Progress.silent());
                default -> throw new IllegalArgumentException(name);
            };
        }
    }

    private static final Settings<Settings.DpoKeys> DPO =
            Settings.dpo(Map.of("epochs", "2", "batch_examples", "3", "held_out", "0", "beta", "0.5"));
    private static final Settings<Settings.GrpoKeys> GRPO = Settings.grpo(Map.of(
            "prompts_per_step", "2", "group_size", "3", "max_new_tokens", "5", "beta", "0.1", "reference_every", "0"));
    private static final Settings<Settings.DistillKeys> DISTILL =
            Settings.distill(Map.of("loss", "forward_kl", "batch_examples", "3", "held_out_problems", "0"));

    private static List<ChatExamples.Pair> pairs() {
        List<Example> examples = SftTest.examples(6);
        return List.of(
                new ChatExamples.Pair(examples.get(0), examples.get(1)),
                new ChatExamples.Pair(examples.get(2), examples.get(3)),
                new ChatExamples.Pair(examples.get(4), examples.get(5)));
    }

    private static List<SequencedMap<String, Object>> steps(
            Device device, Function<Device, Kernels> kernels, boolean adapters, String name) {
        try (device;
                Model model = Model.create(TinyModel.config(), kernels.apply(device), DType.F32, 3)) {
            Adapters all = adapters ? Adapters.fresh(model, new Lora(2, 4, List.of("all-linear"), false), 1) : null;
            try (Learner learner = new Learner(model, all, 97, name.equals("grpo"), SftTest.ADAM);
                    Method method = new Seat(model, learner).method(name)) {
                List<SequencedMap<String, Object>> lines = new ArrayList<>();
                for (int step = 1; step <= STEPS; step++) {
                    lines.add(method.step(step, 1e-2));
                }
                return lines;
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sft", "dpo", "grpo", "distill", "sft with adapters"})
    void learnsWhatTheProcessorDoes(String name) {
        boolean adapters = name.contains("adapters");
        String method = name.split(" ")[0];
        String gpu = "ptx".equals(System.getProperty("wok.require")) ? "cuda" : "emulated";
        List<SequencedMap<String, Object>> found = steps(
                DeviceName.parse("a test", gpu).open(1),
                device -> Kernels.on(device.stream(), Backend.PTX, Precision.F32),
                adapters,
                method);
        List<SequencedMap<String, Object>> expected = steps(
                Device.host(1), device -> Kernels.on(device.stream(), Backend.VECTOR, Precision.F32), adapters, method);
        for (int step = 0; step < STEPS; step++) {
            for (String figure : expected.get(step).keySet()) {
                if (expected.get(step).get(figure) instanceof Double value
                        && !figure.contains("second")
                        && !figure.contains("difference")) {
                    double bound = FLOAT32 * (0.1 + Math.abs(value));
                    assertEquals(value, Figures.figure(found.get(step), figure), bound, figure + " of step " + step);
                }
            }
            assertTrue(Figures.figure(found.get(step), "grad_norm") > 0);
        }
        if (method.equals("grpo")) {
            assertTrue(Figures.figure(found.getLast(), "sampler_difference_largest") < FLOAT32);
        }
    }
}
