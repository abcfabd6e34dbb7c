package dev.wok.device.emulated;

import java.math.BigDecimal;

/// Sums, products and quotients rounded once, in any direction. A result is a double and, where that is not exact, what
/// is left beside it, whose sign alone counts.
final class Exact {
    private Exact() {}

    /// Takes a result and what is left beside it.
    interface Rounded {
        long round(double value, double rest);
    }

    static long add(double a, double b, Rounded to) {
        double sum = a + b;
        double back = sum - a;
        double rest = (a - (sum - back)) + (b - back);
        return to.round(sum, Double.isFinite(sum) ? rest : 0);
    }

    static long fma(double a, double b, double c, Rounded to) {
        double product = a * b;
        double productRest = Double.isFinite(product) ? Math.fma(a, b, -product) : 0;
        if (productRest == 0) {
            return add(product, c, to);
        }
        // Factors of more than 26 bits: their product needs more than a double has.
        if (!Double.isFinite(c)) {
            return to.round(c, 0);
        }
        BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
        double nearest = exact.doubleValue();
        return to.round(nearest, Double.isFinite(nearest) ? exact.subtract(new BigDecimal(nearest)).signum() : 0);
    }

    static long divide(double a, double b, Rounded to) {
        double quotient = a / b;
        double rest = Double.isFinite(quotient) && b != 0 ? -Math.fma(quotient, b, -a) * Math.signum(b) : 0;
        return to.round(quotient, Double.isFinite(rest) ? rest : 0);
    }

    static long sqrt(double a, Rounded to) {
        double root = Math.sqrt(a);
        return to.round(root, Double.isFinite(root) ? -Math.fma(root, root, -a) : 0);
    }

    /// @return a double's neighbour in a direction, where something is left beside it
    static double directed(double value, double rest, Rounding rounding) {
        if (rest == 0 || Double.isNaN(value)) {
            return value;
        }
        return switch (rounding) {
            case RN, RNA -> value;
            case RM -> rest < 0 ? Math.nextDown(value) : value;
            case RP -> rest > 0 ? Math.nextUp(value) : value;
            case RZ ->
                value > 0 && rest < 0 ? Math.nextDown(value) : value < 0 && rest > 0 ? Math.nextUp(value) : value;
        };
    }

    /// @return `2^x`, close enough for a float
    static double exp2(double x) {
        return Math.pow(2, x);
    }

    static double log2(double x) {
        if (x > 0 && x < Double.POSITIVE_INFINITY) {
            int exponent = Math.getExponent(x);
            double mantissa = Math.scalb(x, -exponent);
            return exponent + Math.log(mantissa) / Math.log(2);
        }
        return Math.log(x);
    }

}
