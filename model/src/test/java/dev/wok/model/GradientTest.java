package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.testkit.GradCheck;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The gradient of the whole training loss against central differences, in double.
class GradientTest {
    private static final double MTP_WEIGHT = 0.4;
    private static final double ALPHA = 0.05;

    static Stream<Arguments> shapes() {
        return Stream.of(
                Arguments.of("queries through a latent", Models.config(6, Models.v3Moe(1, 1, 1), false, 0)),
                Arguments.of("groups, prediction ahead", Models.config(0, Models.v3Moe(4, 2, 0), false, 1)),
                Arguments.of("tied, two depths, two shared", Models.config(6, Models.v3Moe(1, 1, 2), true, 2)),
                Arguments.of("softmax", Models.config(0, Models.v2Moe(1, 1, 1), false, 0)),
                Arguments.of("softmax in groups", Models.config(6, Models.v2Moe(4, 2, 1), false, 0)),
                Arguments.of("dense", Models.config(0, null, true, 0)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("shapes")
    void agreesWithDifferences(String what, ModelConfig config) {
        List<Batch> batches = List.of(Models.packed(0), Models.packed(3));
        try (Device device = Device.host(1);
                Model model = Model.create(config, Kernels.on(device.stream(), Backend.REFERENCE), DType.F64, 8);
                Training training = model.training(new Training.Settings(2, 8, MTP_WEIGHT, ALPHA));
                Training other = model.training(new Training.Settings(2, 8, MTP_WEIGHT, ALPHA))) {
            run(training, batches);
            for (int i = 0; i < model.parameters().size(); i++) {
                Parameter parameter = model.parameters().get(i);
                GradCheck.check(
                        what + " " + parameter.name(),
                        parameter.value(),
                        training.gradients().get(i),
                        () -> loss(other, config, batches),
                        2,
                        i);
            }
        }
    }

    private static void run(Training training, List<Batch> batches) {
        training.begin(batches.stream().mapToLong(Batch::targetCount).sum(), 2 * batches.size());
        batches.forEach(training::accumulate);
    }

    private static double loss(Training training, ModelConfig config, List<Batch> batches) {
        run(training, batches);
        Training.Result result = training.result();
        assertEquals(config.numNextnPredictLayers() > 0, result.mtpLoss() > 0);
        return result.loss() + MTP_WEIGHT * result.mtpLoss() + result.balanceLoss();
    }
}
