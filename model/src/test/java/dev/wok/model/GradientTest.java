package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/* The gradient of the whole training loss against central differences, in double: two micro-batches of two sequences
 * with several documents each.
 *
 * All elements of a parameter move at once, each a little up or down, so that none is left out: the loss must move by
 * the sum of the gradients with those signs.
 *
 * The loss jumps where a router chooses differently, so each model takes the seed that keeps furthest from it.
 */
class GradientTest {
    private static final double MTP_WEIGHT = 0.4;
    private static final double ALPHA = 0.05;
    private static final int SEEDS = 40;

    private static final double STEP = 2e-5;

    /// Of scores: steps move them by no more than a few 1e-4.
    private static final double LEAST_GAP = 1e-3;

    /// The formula's error is STEP^4 times the fifth derivative over 30, about 1e-12 where the loss curves strongly;
    /// the loss is of a few nats, so its last places over STEP are about 1e-10.
    private static final double ROUNDING = 1e-9;

    private static final double RELATIVE = 1e-7;

    static Stream<Arguments> shapes() {
        return Stream.of(
                Arguments.of("queries through a latent", Models.config(6, Models.v3Moe(1, 1, 1), false, 0)),
                Arguments.of("groups, one depth", Models.config(0, Models.v3Moe(4, 2, 0), false, 1)),
                Arguments.of("tied, two depths, two shared", Models.config(6, Models.v3Moe(1, 1, 2), true, 2)),
                Arguments.of("softmax", Models.config(0, Models.v2Moe(1, 1, 1), false, 0)),
                Arguments.of("softmax in groups, tied, one depth", Models.config(6, Models.v2Moe(4, 2, 0), true, 1)),
                Arguments.of("dense", Models.config(0, null, true, 0)),
                Arguments.of("qwen2, tied", Models.qwen2(true)),
                Arguments.of("llama", Models.llama(2, false)),
                Arguments.of("llama, biases, a key head each", Models.llama(4, true)),
                Arguments.of("qwen3_moe", Models.qwen3Moe(true)),
                Arguments.of("qwen3_moe, not normalised", Models.qwen3Moe(false)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("shapes")
    void agreesWithDifferences(String what, ModelConfig config) {
        List<Batch> batches = List.of(Models.packed(0), Models.packed(3));
        try (Device device = Device.host(1)) {
            Kernels kernels = Kernels.on(device.stream(), Backend.REFERENCE);
            try (Model model = awayFromTies(config, kernels, batches);
                    Training training = model.training(new Training.Settings(2, 8, MTP_WEIGHT, ALPHA));
                    Training other = model.training(new Training.Settings(2, 8, MTP_WEIGHT, ALPHA))) {
                run(training, batches);
                DoubleSupplier loss = () -> {
                    model.weightsChanged();
                    return loss(other, config, batches);
                };
                for (int i = 0; i < model.parameters().size(); i++) {
                    Parameter parameter = model.parameters().get(i);
                    Tensor gradient = training.gradients().get(i);
                    Tensor value = parameter.value();
                    String name = what + " " + parameter.name();
                    check(name, value, gradient, signs(value.elements(), i), loss);
                }
            }
        }
    }

    private static Model awayFromTies(ModelConfig config, Kernels kernels, List<Batch> batches) {
        long best = 0;
        double widest = -1;
        for (long seed = 0; seed < SEEDS; seed++) {
            try (Model model = Models.uneven(config, kernels, DType.F64, seed)) {
                double gap = Ties.smallestGap(model, batches);
                best = gap > widest ? seed : best;
                widest = Math.max(widest, gap);
            }
        }
        assertTrue(widest > LEAST_GAP, "the best seed keeps only %s from a tie".formatted(widest));
        return Models.uneven(config, kernels, DType.F64, best);
    }

    private static void run(Training training, List<Batch> batches) {
        training.begin(batches.stream().mapToLong(Batch::targetCount).sum(), 2 * batches.size());
        batches.forEach(training::accumulate);
    }

    private static double loss(Training training, ModelConfig config, List<Batch> batches) {
        run(training, batches);
        Training.Result result = training.result();
        assertEquals(config.numNextnPredictLayers() > 0, result.mtpLoss() > 0);
        assertEquals(config.moe() != null, result.balanceLoss() > 0);
        return result.loss() + MTP_WEIGHT * result.mtpLoss() + result.balanceLoss();
    }

    private static double[] signs(long count, long seed) {
        Rng rng = new Rng(seed);
        return IntStream.range(0, Math.toIntExact(count))
                .mapToDouble(i -> (rng.bits(i) & 1) == 0 ? 1 : -1)
                .toArray();
    }

    private static void check(String what, Tensor parameter, Tensor gradient, double[] direction, DoubleSupplier loss) {
        double[] before = new double[direction.length];
        double slope = 0;
        double squares = 0;
        for (int i = 0; i < direction.length; i++) {
            before[i] = parameter.get(i);
            slope += direction[i] * gradient.get(i);
            squares += gradient.get(i) * gradient.get(i);
        }
        assertTrue(squares > 0, what + ": the gradient is zero");
        DoubleUnaryOperator at = shift -> {
            move(parameter, before, direction, shift);
            return loss.getAsDouble();
        };
        double near = at.applyAsDouble(STEP) - at.applyAsDouble(-STEP);
        double far = at.applyAsDouble(2 * STEP) - at.applyAsDouble(-2 * STEP);
        move(parameter, before, direction, 0);
        assertEquals(slope, (8 * near - far) / (12 * STEP), RELATIVE * Math.sqrt(squares) + ROUNDING, what);
    }

    private static void move(Tensor parameter, double[] before, double[] direction, double shift) {
        for (int i = 0; i < before.length; i++) {
            parameter.set(i, before[i] + shift * direction[i]);
        }
    }
}
