package dev.wok.kernel.x86.emulated;

/// As [Floats], of float64.
final class Doubles {
    private static final long QUIET = 1L << 51;
    private static final long INDEFINITE = 0xFFF8L << 48;

    private Doubles() {}

    private static double d(long bits) {
        return Double.longBitsToDouble(bits);
    }

    private static boolean isNan(long bits) {
        return Double.isNaN(d(bits));
    }

    private static long nan(long a, long b) {
        return isNan(a) ? a | QUIET : isNan(b) ? b | QUIET : INDEFINITE;
    }

    private static long result(double value, long a, long b) {
        return !Double.isNaN(value) ? Double.doubleToRawLongBits(value) : nan(a, b);
    }

    static long add(long a, long b) {
        return result(d(a) + d(b), a, b);
    }

    static long subtract(long a, long b) {
        return result(d(a) - d(b), a, b);
    }

    static long multiply(long a, long b) {
        return result(d(a) * d(b), a, b);
    }

    static long divide(long a, long b) {
        return result(d(a) / d(b), a, b);
    }

    static long root(long a) {
        return result(Math.sqrt(d(a)), a, a);
    }

    /// `x y + z`, rounded once.
    static long fma(long x, long y, long z) {
        double sum = Math.fma(d(x), d(y), d(z));
        return Double.isNaN(sum) && isNan(x) ? x | QUIET : result(sum, y, z);
    }
}
