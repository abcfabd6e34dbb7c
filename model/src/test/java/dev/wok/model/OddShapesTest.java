package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Models of shapes that released ones do not have, against transformers: see transformers/make.py among the resources.
class OddShapesTest {
    /// Two layers of sums of some dozen float32 products, each good to 6e-8 of its size, where factors of up to 16
    /// stand between a sum and the logits. A wrong epsilon alone misses by twenty times as much.
    private static final double FLOAT32 = 5e-6;

    @ParameterizedTest
    @CsvSource({
        "v3_large_epsilon",
        "v3_groups_not_normalised",
        "v3_dense_tied",
        "v2_one_of_two_groups",
        "v2_all_experts"
    })
    void logits(String name) throws URISyntaxException {
        Path folder = Path.of(Objects.requireNonNull(OddShapesTest.class.getResource("/transformers/" + name))
                .toURI());
        // transformers routes in float32 whatever the model's type is, so double precision is no closer to it.
        Fixture.fastBackends().forEach(backend -> compare(folder, backend, DType.F32));
        compare(folder, Backend.REFERENCE, DType.F64);
    }

    private static void compare(Path folder, Backend backend, DType dtype) {
        try (Device device = Device.host(2);
                Model model = Model.load(folder, Kernels.on(device.stream(), backend), dtype, Progress.silent());
                Safetensors expected = Safetensors.open(folder.resolve("expected.safetensors"))) {
            for (int i = 0; i < 3; i++) {
                Tensor wanted = expected.tensor("logits." + i);
                double largest = Arrays.stream(Tensors.values(wanted))
                        .map(Math::abs)
                        .max()
                        .orElseThrow();
                Close.assertClose(
                        "%s logits %d".formatted(backend, i),
                        wanted,
                        model.logits(expected.tensor("ids." + i).toInts()),
                        FLOAT32 * largest);
            }
        }
    }
}
