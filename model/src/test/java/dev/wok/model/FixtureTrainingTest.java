package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Memory;
import dev.wok.kernel.AdamW;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/// Gradients and steps of a loaded model, against PyTorch: see [Fixture].
@ExtendWith(ProcessorRunsIt.class)
class FixtureTrainingTest {
    /// Gradients come from twice as many roundings as logits, and their noise is not in the fixtures: float32 sums over
    /// some hundreds of products are good to about 1e-5 of the tensor's norm.
    private static final double GRADIENT_ERROR = 2e-5;

    static Stream<Arguments> onFast() {
        return Fixture.onFast();
    }

    static Stream<Arguments> onFastAndDouble() {
        return Stream.concat(Fixture.onFast(), Fixture.onReference(DType.F64));
    }

    static Stream<Arguments> onReferenceInFloat32() {
        return Fixture.onReference(DType.F32);
    }

    static Stream<Arguments> onReference() {
        return Stream.concat(onReferenceInFloat32(), Fixture.onReference(DType.F64));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onFastAndDouble")
    void everyGradient(Fixture fixture, Fixture.On on) {
        int sequence = fixture.expected().required("grads_of_seq").asInt();
        Batch batch = Batch.of(fixture.sequences().get(sequence));
        try (Fixture.Loaded loaded = fixture.load(on);
                Training training = loaded.model().training(new Training.Settings(1, batch.length(), 0, 0));
                Safetensors firsts = fixture.open("expected_grads.safetensors")) {
            training.begin(batch.targetCount(), 1);
            training.accumulate(batch);
            assertEquals(
                    fixture.sequence(sequence).required("loss").asDouble(),
                    training.result().loss(),
                    Fixture.TIMES_NOISE * fixture.noiseOfLogits());
            JsonNode grads = fixture.expected().required("grads");
            for (Map.Entry<String, JsonNode> entry : grads.properties()) {
                String name = entry.getKey();
                compare(name, entry.getValue(), firsts.tensor(name), loaded.host(training.gradient(name)));
            }
            long parameters = loaded.model().tensors().keySet().stream()
                    .filter(key -> !key.endsWith("e_score_correction_bias"))
                    .count();
            assertEquals(parameters, grads.size());
        }
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onReferenceInFloat32")
    void everyGradientOnReferenceInFloat32(Fixture fixture, Fixture.On on) {
        everyGradient(fixture, on);
    }

    private static void compare(String what, JsonNode expected, Tensor samples, Tensor gradient) {
        double norm = expected.required("norm").asDouble();
        float[] values = gradient.toFloats();
        double squares = 0;
        double sum = 0;
        for (float value : values) {
            squares += (double) value * value;
            sum += value;
        }
        assertEquals(norm, Math.sqrt(squares), GRADIENT_ERROR * norm, what + " norm");
        // The errors of n elements are of the size norm / sqrt(n) each, and add up to sqrt(n) of them.
        double bound = GRADIENT_ERROR * norm * Math.sqrt(values.length);
        assertEquals(expected.required("sum").asDouble(), sum, bound, what + " sum");
        Close.assertClose(what, samples, samples(values, samples.size(0)), GRADIENT_ERROR * norm);
    }

    /// What the fixtures keep of a gradient: all of a short one, else the first 64 and 64 evenly spread.
    private static Tensor samples(float[] gradient, int count) {
        if (gradient.length <= count) {
            return Tensor.of(gradient);
        }
        int half = count / 2;
        float[] samples = Arrays.copyOf(gradient, count);
        for (int i = 0; i < half; i++) {
            samples[half + i] = gradient[i * (gradient.length / half)];
        }
        return Tensor.of(samples);
    }

    /* Eight steps of one batch; the router's bias stays. The batch's loss is the mean over all targets; its sequences
     * are equally long, so the mean of the sequences' means is the same.
     */
    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onFast")
    void adamwTrajectory(Fixture fixture, Fixture.On on) {
        JsonNode adamw = fixture.expected().required("adamw");
        double noise = adamw.required("noise_losses_max_abs").asDouble();
        JsonNode losses = adamw.required("losses");
        Batch batch = join(adamw.required("batch"));
        try (Fixture.Loaded loaded = fixture.load(on);
                Memory memory = loaded.memory();
                Training training =
                        loaded.model().training(new Training.Settings(batch.sequences(), batch.length(), 0, 0))) {
            List<Tensor> means = like(loaded.model(), memory);
            List<Tensor> squares = like(loaded.model(), memory);
            Tensor normAndClip = memory.tensor(on.dtype(), 2);
            for (int step = 0; step < losses.size(); step++) {
                training.begin(batch.targetCount(), batch.sequences());
                training.accumulate(batch);
                // An error of one step is carried into the next: the bound grows by a noise each step.
                double bound = (Fixture.TIMES_NOISE + step) * noise;
                assertEquals(losses.get(step).asDouble(), training.result().loss(), bound, "step " + step);
                if (step < adamw.required("grad_norms").size()) {
                    AdamW kernel = loaded.model().kernels().adamW();
                    double most = adamw.required("clip_grad_norm").asDouble();
                    kernel.clip(training.gradients(), most, normAndClip);
                    double norm = adamw.required("grad_norms").get(step).asDouble();
                    assertEquals(norm, normAndClip.get(0), GRADIENT_ERROR * norm, "norm of step " + step);
                    update(kernel, loaded.model(), training, adamw, step + 1, means, squares, normAndClip);
                }
            }
        }
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onReference")
    void adamwTrajectoryOnReference(Fixture fixture, Fixture.On on) {
        adamwTrajectory(fixture, on);
    }

    private static void update(
            AdamW kernel,
            Model model,
            Training training,
            JsonNode adamw,
            int step,
            List<Tensor> means,
            List<Tensor> squares,
            Tensor normAndClip) {
        for (int i = 0; i < means.size(); i++) {
            Parameter parameter = model.parameters().get(i);
            AdamW.Step constants = new AdamW.Step(
                    adamw.required("lr").asDouble(),
                    adamw.required("betas").get(0).asDouble(),
                    adamw.required("betas").get(1).asDouble(),
                    adamw.required("eps").asDouble(),
                    parameter.decayed() ? adamw.required("weight_decay").asDouble() : 0,
                    step);
            kernel.update(
                    constants,
                    parameter.value(),
                    training.gradients().get(i),
                    means.get(i),
                    squares.get(i),
                    normAndClip);
        }
        model.weightsChanged();
    }

    private static List<Tensor> like(Model model, Memory memory) {
        return model.parameters().stream()
                .map(p -> memory.tensor(p.value().dtype(), p.value().shape()))
                .toList();
    }

    private static Batch join(JsonNode sequences) {
        List<Batch> parts = StreamSupport.stream(sequences.spliterator(), false)
                .map(ids -> Batch.of(Fixture.ints(ids)))
                .toList();
        int length = parts.getFirst().length();
        return new Batch(
                parts.size(),
                length,
                parts.stream().flatMapToInt(b -> Arrays.stream(b.tokens())).toArray(),
                parts.stream().flatMapToInt(b -> Arrays.stream(b.targets())).toArray(),
                parts.stream().flatMapToInt(b -> Arrays.stream(b.positions())).toArray(),
                IntStream.range(0, parts.size() * length)
                        .map(i -> i / length * length)
                        .toArray());
    }
}
