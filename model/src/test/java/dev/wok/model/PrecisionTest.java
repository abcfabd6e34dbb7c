package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.kernel.Backend;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/* How far bfloat16 products move a whole model. The operands of a product are off by up to U = 2^-8, either way, 0.4 U
 * in the mean square; both together move the product by about 0.6 U. n products one after the other, whose errors have
 * independent signs, move their result by 0.6 sqrt(n) U; the bound below is a little over twice that. A wrong formula
 * moves it by 1, which is 256 U.
 *
 * Where a router's scores come close, a token may visit other experts, which moves its logits and the gradients of
 * these experts by much more. Few do: so the median over tokens, and over tensors, is what is bounded.
 */
@ExtendWith(ProcessorRunsIt.class)
class PrecisionTest {
    private static final double U = 0x1p-8;

    /// Products that a token passes in a layer: queries, latents, keys, scores, values, output, gate and up, down.
    private static final int PRODUCTS = 9;

    private static final Fixture.On EXACT = new Fixture.On(Backend.REFERENCE, DType.F64, 1);
    private static final List<Fixture.On> ROUNDED = Stream.concat(
                    Stream.of(new Fixture.On(Backend.REFERENCE, DType.F64, 1, Precision.BF16)),
                    Fixture.fastBackends().stream()
                            .map(backend -> new Fixture.On(backend, DType.F32, 2, Precision.BF16)))
            .toList();

    /// @param logits a row for each token
    /// @param gradients of each tensor
    private record Results(List<double[]> logits, List<double[]> gradients) {}

    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void bfloat16MovesAModelBySoManyRoundings(Fixture fixture) {
        int products = PRODUCTS * ModelConfig.load(fixture.folder()).numHiddenLayers() + 1;
        Results exact = results(fixture, EXACT);
        for (Fixture.On on : ROUNDED) {
            Results rounded = results(fixture, on);
            requireNear(on + " logits", median(exact.logits, rounded.logits), products);
            requireNear(on + " gradients", median(exact.gradients, rounded.gradients), 2 * products);
        }
    }

    private static void requireNear(String what, double distance, int products) {
        double most = Math.sqrt(2.0 * products) * U;
        assertTrue(distance > U / 8, what + " are not rounded: off by " + distance);
        assertTrue(distance < most, what + " are off by " + distance + ", expected less than " + most);
    }

    private static Results results(Fixture fixture, Fixture.On on) {
        Results results = new Results(new ArrayList<>(), new ArrayList<>());
        try (Fixture.Loaded loaded = fixture.load(on)) {
            for (int[] sequence : fixture.sequences()) {
                Tensor logits = loaded.model().logits(sequence);
                for (int t = 0; t < sequence.length; t++) {
                    results.logits.add(Tensors.values(logits.select(0, t)));
                }
            }
            Batch batch = Batch.of(fixture.sequences().getFirst());
            try (Training training = loaded.model().training(new Training.Settings(1, batch.length(), 0, 0))) {
                training.begin(batch.targetCount(), 1);
                training.accumulate(batch);
                training.gradients().forEach(g -> results.gradients.add(Tensors.values(g)));
            }
        }
        return results;
    }

    private static double median(List<double[]> expected, List<double[]> actual) {
        double[] distances = new double[expected.size()];
        Arrays.setAll(distances, i -> distance(expected.get(i), actual.get(i)));
        Arrays.sort(distances);
        return distances[distances.length / 2];
    }

    /// The norm of the difference, relative to that of what was expected.
    private static double distance(double[] expected, double[] actual) {
        double squares = 0;
        double errors = 0;
        for (int i = 0; i < expected.length; i++) {
            squares += expected[i] * expected[i];
            errors += (expected[i] - actual[i]) * (expected[i] - actual[i]);
        }
        return errors == 0 ? 0 : Math.sqrt(errors / squares);
    }
}
