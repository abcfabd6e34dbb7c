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

    /// Below this what is left beside a result may be too small for a double.
    private static final double SMALL = 0x1p-900;

    /// @return what is left beside an infinite result of finite numbers: it is too large
    private static double overflow(double result, double a, double b) {
        return Double.isFinite(a) && Double.isFinite(b) ? -Math.signum(result) : 0;
    }

    static long add(double a, double b, Rounded to) {
        double sum = a + b;
        if (!Double.isFinite(sum)) {
            return to.round(sum, Double.isInfinite(sum) ? overflow(sum, a, b) : 0);
        }
        double back = sum - a;
        return to.round(sum, (a - (sum - back)) + (b - back));
    }

    static long multiply(double a, double b, Rounded to) {
        double product = a * b;
        if (!Double.isFinite(product)) {
            return to.round(product, Double.isInfinite(product) ? overflow(product, a, b) : 0);
        }
        return to.round(product, productRest(a, b, product));
    }

    private static double productRest(double a, double b, double product) {
        return Math.abs(product) > SMALL || a == 0 || b == 0
                ? Math.fma(a, b, -product)
                : new BigDecimal(a)
                        .multiply(new BigDecimal(b))
                        .subtract(new BigDecimal(product))
                        .signum();
    }

    static long fma(double a, double b, double c, Rounded to) {
        double product = a * b;
        if (Double.isFinite(product) && Math.abs(product) > SMALL && Math.fma(a, b, -product) == 0
                || product == 0 && (a == 0 || b == 0)) {
            return add(product, c, to);
        }
        if (!Double.isFinite(c) || !Double.isFinite(a) || !Double.isFinite(b)) {
            return to.round(Math.fma(a, b, c), 0);
        }
        // Factors of more than 26 bits: their product needs more than a double has.
        BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
        double nearest = exact.signum() == 0 ? Math.fma(a, b, c) : exact.doubleValue();
        return to.round(
                nearest,
                Double.isFinite(nearest)
                        ? exact.subtract(new BigDecimal(nearest)).signum()
                        : -Math.signum(nearest));
    }

    static long divide(double a, double b, Rounded to) {
        double quotient = a / b;
        if (!Double.isFinite(quotient)) {
            return to.round(quotient, Double.isInfinite(quotient) && b != 0 ? overflow(quotient, a, b) : 0);
        }
        if (!Double.isFinite(b) || a == 0) {
            return to.round(quotient, 0);
        }
        boolean isSmall = Math.abs(quotient) < SMALL || Math.abs(a) < SMALL;
        double left = isSmall
                ? new BigDecimal(a)
                        .subtract(new BigDecimal(quotient).multiply(new BigDecimal(b)))
                        .signum()
                : -Math.fma(quotient, b, -a);
        return to.round(quotient, left * Math.signum(b));
    }

    static long sqrt(double a, Rounded to) {
        double root = Math.sqrt(a);
        if (!Double.isFinite(root) || a == 0) {
            return to.round(root, 0);
        }
        double left = a < SMALL
                ? new BigDecimal(a).subtract(new BigDecimal(root).pow(2)).signum()
                : -Math.fma(root, root, -a);
        return to.round(root, left);
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
