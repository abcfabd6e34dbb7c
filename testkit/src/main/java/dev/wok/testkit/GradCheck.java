package dev.wok.testkit;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.util.function.DoubleSupplier;

/// Compares a gradient with central differences of the loss, in double precision.
///
/* With f(k) the loss at x + k h, the slope is (8 (f(1) - f(-1)) - (f(2) - f(-2))) / 12 h, whose error is h^4 f'''''/30.
 * h is 1/1000 of the parameter's root mean square, so the error is about 1e-13 of the slope where the function changes
 * on the parameter's own scale; what remains is the rounding of the loss, a few units in its last place over h.
 */
public final class GradCheck {
    private static final double STEP = 1e-3;
    private static final double RELATIVE = 1e-6;
    private static final double ULPS_OF_LOSS = 256;

    private GradCheck() {}

    /// Moves some elements of a parameter, and the largest-gradient one in any case, and requires the loss to move as
    /// the gradient says. The parameter is as before afterwards.
    ///
    /// @param name for the message
    /// @param parameter contiguous, F64
    /// @param gradient of the loss with respect to the parameter, contiguous, shaped as the parameter
    /// @param loss computed anew from the parameter at each call
    /// @param samples how many elements to move; all of them where that is no more
    /// @param seed which elements
    /// @throws AssertionError where an element's slope differs, or where all slopes drown in the loss's rounding
    public static void check(
            String name, Tensor parameter, Tensor gradient, DoubleSupplier loss, int samples, long seed) {
        if (parameter.dtype() != DType.F64 || !parameter.isContiguous() || !gradient.isContiguous()) {
            throw new IllegalArgumentException(
                    "%s: %s and %s, expected a contiguous F64 parameter".formatted(name, parameter, gradient));
        }
        long elements = parameter.elements();
        if (elements == 0) {
            return;
        }
        long steepest = 0;
        double squares = 0;
        for (long i = 0; i < elements; i++) {
            squares += parameter.get(i) * parameter.get(i) / elements;
            steepest = Math.abs(gradient.get(i)) > Math.abs(gradient.get(steepest)) ? i : steepest;
        }
        double h = STEP * (squares > 0 ? Math.sqrt(squares) : 1);
        double noise = ULPS_OF_LOSS * Math.ulp(Math.max(Math.abs(loss.getAsDouble()), 1e-3)) / h;
        if (gradient.get(steepest) != 0 && Math.abs(gradient.get(steepest)) < 4 * noise) {
            throw new AssertionError(
                    "%s: the largest gradient, %.3g, drowns in the loss's rounding, %.3g: scale the loss"
                            .formatted(name, gradient.get(steepest), noise));
        }
        compare(name, parameter, gradient, steepest, h, noise, loss);
        boolean all = elements <= samples;
        for (int s = 0; s < (all ? elements : samples); s++) {
            long i = all ? s : Math.floorMod(new Rng(seed).bits(s), elements);
            compare(name, parameter, gradient, i, h, noise, loss);
        }
    }

    private static void compare(
            String name, Tensor parameter, Tensor gradient, long i, double h, double noise, DoubleSupplier loss) {
        double slope = (8 * (at(parameter, i, h, loss) - at(parameter, i, -h, loss))
                        - (at(parameter, i, 2 * h, loss) - at(parameter, i, -2 * h, loss)))
                / (12 * h);
        double given = gradient.get(i);
        double bound = RELATIVE * Math.max(Math.abs(slope), Math.abs(given)) + noise;
        if (!(Math.abs(slope - given) <= bound)) {
            throw new AssertionError(
                    "%s: the gradient of element %d of %s is %s, central differences give %s within %.3g"
                            .formatted(name, i, parameter, given, slope, bound));
        }
    }

    private static double at(Tensor parameter, long i, double shift, DoubleSupplier loss) {
        double before = parameter.get(i);
        parameter.set(i, before + shift);
        double value = loss.getAsDouble();
        parameter.set(i, before);
        return value;
    }
}
