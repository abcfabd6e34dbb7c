package dev.wok.generate;

/// `e^x` of many numbers that are not above 0, each to within two units in its last place: a loop
/// that the compiler turns into vector instructions, and the same bits on every processor.
///
/* x = r - k ln 2 with |r| <= ln 2 / 2, so e^x = e^r / 2^k. k ln 2 is taken off in two parts, the first of which has so few
 * digits that its product with k is exact. e^r is its series up to r^13; what is left out is less than 5e-18 of it. Powers
 * of two come from a table, in a loop of their own.
 */
final class Exponentials {
    /// Its power is half the smallest number or less, and becomes 0.
    private static final double LEAST = -746;

    private static final double LOG2_E = 1.4426950408889634;
    private static final double LN2_FIRST = 0x1.62e42feep-1;
    private static final double LN2_REST = 0x1.a39ef35793c76p-33;

    /// `2^-k`
    private static final double[] HALVED = new double[1080];

    static {
        for (int k = 0; k < HALVED.length; k++) {
            HALVED[k] = Math.scalb(1.0, -k);
        }
    }

    private Exponentials() {}

    /// @param x replaced by their powers up to `count`; what is no number stays none
    static void replace(double[] x, int count) {
        double[] halvings = new double[count];
        reduce(x, halvings, count);
        for (int i = 0; i < count; i++) {
            x[i] *= HALVED[(int) halvings[i]];
        }
    }

    private static void reduce(double[] x, double[] halvings, int count) {
        for (int i = 0; i < count; i++) {
            double bounded = Math.max(x[i], LEAST);
            double k = Math.rint(bounded * LOG2_E);
            double r = bounded - k * LN2_FIRST - k * LN2_REST;
            halvings[i] = -k;
            x[i] = 1 + r * (1 + r * (1 / 2.0 + r * (1 / 6.0 + r * (1 / 24.0 + r * (1 / 120.0 + r * rest(r))))));
        }
    }

    /// `1/6! + r/7! + r^2/8! + ..`
    private static double rest(double r) {
        double end = 1 / 39916800.0 + r * (1 / 479001600.0 + r * (1 / 6227020800.0));
        return 1 / 720.0 + r * (1 / 5040.0 + r * (1 / 40320.0 + r * (1 / 362880.0 + r * (1 / 3628800.0 + r * end))));
    }
}
