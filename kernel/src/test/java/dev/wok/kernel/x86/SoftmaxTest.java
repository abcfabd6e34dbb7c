package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.x86.Softmax.Accuracy;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import org.junit.jupiter.api.Test;

class SoftmaxTest {
    private static final double U = 0x1p-24;
    private static final int COUNT = 200_003;

    private interface OnIsa {
        void check(Programs programs, HostDevice host);
    }

    private static void onEachIsa(OnIsa body) {
        try (HostDevice host = Device.host(1)) {
            for (Isa isa : Isa.values()) {
                body.check(Machine.of(isa).programs(host, isa), host);
            }
        }
    }

    private static Tensor exponentials(Programs programs, Accuracy accuracy, Tensor x) {
        Tensor y = Tensors.zeros(DType.F32, x.elements());
        Softmax.exponentials(programs, accuracy)
                .call(x.memory().address(), y.memory().address(), x.elements(), 0, Arguments.bits(1));
        return y;
    }

    @Test
    void exponentialsAreAsExactAsTheySay() {
        Tensor x = Tensors.of(i -> -87.0 * i / COUNT, DType.F32, COUNT);
        onEachIsa((programs, _) -> {
            for (Accuracy accuracy : Accuracy.values()) {
                Tensor y = exponentials(programs, accuracy, x);
                for (int i = 0; i < COUNT; i++) {
                    double right = Math.exp(x.get(i));
                    double bound = accuracy == Accuracy.EXACT ? 2.6 : 2.5 - 2.3 * x.get(i);
                    assertTrue(
                            Math.abs(y.get(i) - right) <= bound * U * right,
                            "%s %s: e^%s is %s".formatted(programs.isa(), accuracy, x.get(i), y.get(i)));
                }
            }
        });
    }

    @Test
    void exponentialsOfSpecialNumbers() {
        Tensor x = Tensor.of(0f, -0f, Float.NEGATIVE_INFINITY, Float.NaN, -Float.MAX_VALUE, -200f, -0x1p-140f);
        onEachIsa((programs, _) -> {
            for (Accuracy accuracy : Accuracy.values()) {
                Tensor y = exponentials(programs, accuracy, x);
                double[] right = {1, 1, 0, Double.NaN, 0, 0, 1};
                for (int i = 0; i < right.length; i++) {
                    assertEquals(
                            right[i], y.get(i), 3 * U, "%s %s: e^%s".formatted(programs.isa(), accuracy, x.get(i)));
                }
            }
        });
    }

    /// A row whose largest value keeps growing, so that the sum is scaled all the time, and one with a single large
    /// value at its end.
    @Test
    void sumsFollowTheLargest() {
        Tensor growing = Tensors.of(i -> i / 64.0 - 900, DType.F32, 5003);
        Tensor late = Tensors.of(i -> i == 5002 ? 80 : -3, DType.F32, 5003);
        onEachIsa((programs, host) -> {
            Arguments results = new Arguments(host);
            for (Accuracy accuracy : Accuracy.values()) {
                for (Tensor x : new Tensor[] {growing, late}) {
                    Softmax.measure(programs, accuracy).call(x.memory().address(), x.elements(), results.address(0));
                    double max = x.get(5002);
                    double sum = 0;
                    for (int i = 0; i < x.elements(); i++) {
                        sum += Math.exp(x.get(i) - max);
                    }
                    assertEquals(max, results.result(0, 0));
                    assertEquals(sum, results.result(0, 1), 300 * U * sum);
                    assertKeeps(programs, accuracy, x, results);
                }
            }
        });
    }

    /// The same sum, and exponentials that are relative to the largest value so far.
    private static void assertKeeps(Programs programs, Accuracy accuracy, Tensor x, Arguments results) {
        float sum = results.result(0, 1);
        Tensor kept = Tensors.copy(x);
        int pieces = Math.ceilDiv(x.size(0), Softmax.PIECE);
        Tensor largest = Tensors.zeros(DType.F32, pieces);
        Softmax.measureAndKeep(programs, accuracy)
                .call(
                        kept.memory().address(),
                        x.elements(),
                        results.address(0),
                        largest.memory().address());
        assertEquals(sum, results.result(0, 1));
        double most = Double.NEGATIVE_INFINITY;
        for (int piece = 0; piece < pieces; piece++) {
            int end = Math.min(x.size(0), (piece + 1) * Softmax.PIECE);
            for (int i = piece * Softmax.PIECE; i < end; i++) {
                most = Math.max(most, x.get(i));
            }
            assertEquals(most, largest.get(piece));
            for (int i = piece * Softmax.PIECE; i < end; i++) {
                double right = Math.exp(x.get(i) - most);
                assertEquals(right, kept.get(i), (3 - 3 * (x.get(i) - most)) * U * right + 0x1p-126);
            }
        }
    }
}
