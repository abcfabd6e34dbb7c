package dev.wok.testkit;

import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.function.IntToDoubleFunction;

/// Comparison of tensors. A failure names the worst element, both values, and the error in units of the bound that the
/// test stated. NaN equals NaN and nothing else; an infinity equals itself.
public final class Close {
    private Close() {}

    /// Requires every element to lie within one absolute bound.
    public static void assertClose(String what, Tensor expected, Tensor actual, double bound) {
        assertClose(what, expected, actual, _ -> bound);
    }

    /// Requires every element to lie within its own absolute bound.
    ///
    /// @param bounds shaped as the two: the largest error that the arithmetic allows, element by element
    public static void assertClose(String what, Tensor expected, Tensor actual, Tensor bounds) {
        double[] bound = Tensors.values(bounds);
        assertClose(what, expected, actual, i -> bound[i]);
    }

    /// Requires every element to lie within a bound on its error relative to the expected value.
    public static void assertRelative(String what, Tensor expected, Tensor actual, double bound) {
        double[] values = Tensors.values(expected);
        assertClose(what, expected, actual, i -> bound * Math.abs(values[i]));
    }

    /// @param bound the largest error of element `i` in row order
    public static void assertClose(String what, Tensor expected, Tensor actual, IntToDoubleFunction bound) {
        double[] right = values(what, expected, actual);
        double[] given = Tensors.values(actual);
        int worst = -1;
        double most = 1;
        for (int i = 0; i < right.length; i++) {
            double error = same(right[i], given[i]) ? 0 : Math.abs(given[i] - right[i]) / bound.applyAsDouble(i);
            if (!(error <= most)) {
                worst = i;
                most = Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
            }
        }
        if (worst >= 0) {
            throw new AssertionError("%s%s is %s, expected %s within %.3g: off by %.3g bounds"
                    .formatted(
                            what, index(actual, worst), given[worst], right[worst], bound.applyAsDouble(worst), most));
        }
    }

    /// Requires the same type, and every element to have the same bits (any NaN for a NaN).
    public static void assertSame(String what, Tensor expected, Tensor actual) {
        if (expected.dtype() != actual.dtype()) {
            throw new AssertionError("%s is %s, expected %s".formatted(what, actual, expected));
        }
        double[] right = values(what, expected, actual);
        double[] given = Tensors.values(actual);
        for (int i = 0; i < right.length; i++) {
            if (Double.doubleToLongBits(right[i]) != Double.doubleToLongBits(given[i])) {
                throw new AssertionError(
                        "%s%s is %s, expected exactly %s".formatted(what, index(actual, i), given[i], right[i]));
            }
        }
    }

    private static double[] values(String what, Tensor expected, Tensor actual) {
        if (!Arrays.equals(expected.shape(), actual.shape())) {
            throw new AssertionError("%s is %s, expected %s".formatted(what, actual, expected));
        }
        return Tensors.values(expected);
    }

    private static boolean same(double a, double b) {
        return a == b || (Double.isNaN(a) && Double.isNaN(b));
    }

    /// `[1, 2]` of element `i` in row order.
    private static String index(Tensor tensor, int i) {
        long[] index = new long[tensor.rank()];
        long rest = i;
        for (int d = index.length - 1; d >= 0; d--) {
            index[d] = rest % tensor.dim(d);
            rest /= tensor.dim(d);
        }
        return Arrays.toString(index);
    }
}
