package dev.wok.kernel.x86.emulated;

/// The arithmetic of float32 on bits, rounding to the nearest: what is no number comes out of an
/// operation with the payload of its first operand that is none, made quiet.
final class Floats {
    private static final int SIGN = 0x8000_0000;
    private static final int INFINITY = 0x7F80_0000;
    private static final int QUIET = 0x0040_0000;
    /// The result of an operation that has none.
    private static final int INDEFINITE = 0xFFC0_0000;

    private static final int HALF_INFINITY = 0x7C00;
    private static final double HALF_BEYOND = 65536;
    private static final int HALF_LEAST_EXPONENT = -14;
    private static final int HALF_FRACTION = 10;

    private Floats() {}

    private static float f(int bits) {
        return Float.intBitsToFloat(bits);
    }

    private static int bits(float value) {
        return Float.floatToRawIntBits(value);
    }

    private static boolean isNan(int bits) {
        return (bits & ~SIGN) > INFINITY;
    }

    private static boolean isInfinite(int bits) {
        return (bits & ~SIGN) == INFINITY;
    }

    private static int nan(int a, int b) {
        return isNan(a) ? a | QUIET : isNan(b) ? b | QUIET : INDEFINITE;
    }

    static int add(int a, int b) {
        float sum = f(a) + f(b);
        return !Float.isNaN(sum) ? bits(sum) : nan(a, b);
    }

    static int subtract(int a, int b) {
        float difference = f(a) - f(b);
        return !Float.isNaN(difference) ? bits(difference) : nan(a, b);
    }

    static int multiply(int a, int b) {
        float product = f(a) * f(b);
        return !Float.isNaN(product) ? bits(product) : nan(a, b);
    }

    static int divide(int a, int b) {
        float quotient = f(a) / f(b);
        return !Float.isNaN(quotient) ? bits(quotient) : nan(a, b);
    }

    static int root(int a) {
        float root = (float) Math.sqrt(f(a));
        return !Float.isNaN(root) ? bits(root) : nan(a, a);
    }

    static int most(int a, int b) {
        return f(a) > f(b) ? a : b;
    }

    static int least(int a, int b) {
        return f(a) < f(b) ? a : b;
    }

    /// `x y + z`, rounded once.
    static int fma(int x, int y, int z) {
        float sum = Math.fma(f(x), f(y), f(z));
        return !Float.isNaN(sum) ? bits(sum) : isNan(x) ? x | QUIET : nan(y, z);
    }

    /// `x y - z`.
    static int fms(int x, int y, int z) {
        float sum = Math.fma(f(x), f(y), -f(z));
        return !Float.isNaN(sum) ? bits(sum) : isNan(x) ? x | QUIET : nan(y, z);
    }

    /// `z - x y`.
    static int fnma(int x, int y, int z) {
        float sum = Math.fma(-f(x), f(y), f(z));
        return !Float.isNaN(sum) ? bits(sum) : isNan(x) ? x | QUIET : nan(y, z);
    }

    /// @param predicate as compares hold it; those from 16 on differ in what they signal only
    static boolean compares(int predicate, int a, int b) {
        float x = f(a);
        float y = f(b);
        boolean unordered = Float.isNaN(x) || Float.isNaN(y);
        return switch (predicate & 15) {
            case 0 -> x == y;
            case 1 -> x < y;
            case 2 -> x <= y;
            case 3 -> unordered;
            case 4 -> x != y;
            case 5 -> !(x < y);
            case 6 -> !(x <= y);
            case 7 -> !unordered;
            case 8 -> x == y || unordered;
            case 9 -> !(x >= y);
            case 10 -> !(x > y);
            case 11 -> false;
            case 12 -> x != y && !unordered;
            case 13 -> x >= y;
            case 14 -> x > y;
            default -> true;
        };
    }

    /// The instruction `vfpclassps`.
    ///
    /// @param kinds bits from 0 on: quiet NaN, 0, -0, infinity, -infinity, denormal, below zero and finite,
    ///     signalling NaN
    static boolean isOneOf(int kinds, int a) {
        int magnitude = a & ~SIGN;
        boolean isQuiet = (a & QUIET) != 0;
        boolean[] is = {
            isNan(a) && isQuiet,
            a == 0,
            a == SIGN,
            a == INFINITY,
            a == (INFINITY | SIGN),
            magnitude > 0 && magnitude < 0x800000,
            a < 0 && magnitude > 0 && magnitude < INFINITY,
            isNan(a) && !isQuiet
        };
        boolean any = false;
        for (int bit = 0; bit < is.length; bit++) {
            any |= is[bit] && (kinds >> bit & 1) != 0;
        }
        return any;
    }

    // ---------------------------------------------------------------------------------------------- rounding

    /// @param mode 0 nearest even, 1 down, 2 up, 3 towards zero; from 4 on as the processor is set,
    ///     which is nearest
    private static double round(int mode, double value) {
        return switch (mode) {
            case 1 -> Math.floor(value);
            case 2 -> Math.ceil(value);
            case 3 -> value < 0 ? Math.ceil(value) : Math.floor(value);
            default -> Math.rint(value);
        };
    }

    private static double rounded(int immediate, double value) {
        int fraction = immediate >> 4 & 15;
        return Math.scalb(round(immediate & 7, Math.scalb(value, fraction)), -fraction);
    }

    /// The instruction `vrndscaleps`.
    static int roundScale(int a, int immediate) {
        if (isNan(a)) {
            return a | QUIET;
        }
        return isInfinite(a) ? a : bits(Math.copySign((float) rounded(immediate, f(a)), f(a)));
    }

    /// The instruction `vreduceps`; the difference is rounded as the immediate says, too.
    static int reduce(int a, int immediate) {
        if (isNan(a)) {
            return a | QUIET;
        }
        if (isInfinite(a)) {
            return 0;
        }
        int mode = immediate & 7;
        double whole = rounded(immediate, f(a));
        double difference = f(a) - whole;
        if (difference == 0) {
            return mode == 1 ? SIGN : 0;
        }
        // What the double lost; it decides about the direction, and is smaller than half a unit of the float.
        double error = (f(a) - (difference + whole)) + (difference - (difference + whole - whole));
        float nearest = (float) difference;
        double off = nearest - difference - error;
        return bits(
                switch (mode) {
                    case 1 -> off > 0 ? Math.nextDown(nearest) : nearest;
                    case 2 -> off < 0 ? Math.nextUp(nearest) : nearest;
                    case 3 ->
                        off > 0 && nearest > 0
                                ? Math.nextDown(nearest)
                                : off < 0 && nearest < 0 ? Math.nextUp(nearest) : nearest;
                    default -> nearest;
                });
    }

    /// The instruction `vscalefps`: `a 2^floor(b)`.
    static int scale(int a, int b) {
        if (isNan(a)) {
            boolean isQuiet = (a & QUIET) != 0;
            return isQuiet && isInfinite(b) ? b < 0 ? 0 : INFINITY : a | QUIET;
        }
        if (isNan(b)) {
            return b | QUIET;
        }
        if (isInfinite(b)) {
            boolean hasNone = b < 0 ? isInfinite(a) : (a & ~SIGN) == 0;
            return hasNone ? INDEFINITE : b < 0 ? a & SIGN : a & SIGN | INFINITY;
        }
        int exponent = (int) Math.clamp(Math.floor(f(b)), -1000, 1000);
        return bits(Math.scalb(f(a), exponent));
    }

    // ---------------------------------------------------------------------------------------------- conversions

    /// @return the integer, or the least one where it does not fit
    static int toInt(double rounded) {
        return rounded >= Integer.MIN_VALUE && rounded <= Integer.MAX_VALUE ? (int) rounded : Integer.MIN_VALUE;
    }

    static int nearestInt(int a) {
        return toInt(Math.rint(f(a)));
    }

    static int truncated(int a) {
        return toInt(round(3, f(a)));
    }

    static int fromInt(int a) {
        return bits(a);
    }

    static long widened(int a) {
        return isNan(a)
                ? (long) (a & SIGN) << 32 | 0x7FF8L << 48 | (a & 0x7F_FFFFL) << 29
                : Double.doubleToRawLongBits(f(a));
    }

    static int narrowed(long a) {
        double value = Double.longBitsToDouble(a);
        return Double.isNaN(value)
                ? (int) (a >>> 32) & SIGN | INFINITY | QUIET | (int) (a >>> 29) & 0x7F_FFFF
                : bits((float) value);
    }

    static int fromHalf(int half) {
        int sign = (half & 0x8000) << 16;
        boolean isNan = (half & 0x7FFF) > HALF_INFINITY;
        return isNan ? sign | INFINITY | QUIET | (half & 0x3FF) << 13 : bits(Float.float16ToFloat((short) half));
    }

    /// @param immediate holds the rounding mode
    static int toHalf(int a, int immediate) {
        int sign = a >>> 16 & 0x8000;
        if (isNan(a)) {
            return sign | HALF_INFINITY | 0x200 | a >>> 13 & 0x3FF;
        }
        if (isInfinite(a)) {
            return sign | HALF_INFINITY;
        }
        int mode = immediate & 7;
        int exponent = Math.max(Math.getExponent(f(a)), HALF_LEAST_EXPONENT) - HALF_FRACTION;
        double rounded = Math.abs(Math.scalb(round(mode, Math.scalb((double) f(a), -exponent)), exponent));
        if (rounded >= HALF_BEYOND) {
            boolean stops = mode == 3 || mode == (a < 0 ? 2 : 1);
            return sign | (stops ? HALF_INFINITY - 1 : HALF_INFINITY);
        }
        return sign | Float.floatToFloat16((float) rounded) & 0x7FFF;
    }

    // ---------------------------------------------------------------------------------------------- bf16

    private static int withoutDenormal(int a) {
        return (a & INFINITY) == 0 ? a & SIGN : a;
    }

    /// @return the upper half of a float, rounded to the nearest even; denormal numbers are zero
    static int toBf16(int a) {
        int value = withoutDenormal(a);
        return isNan(value) ? (value | QUIET) >>> 16 : value + 0x7FFF + (value >>> 16 & 1) >>> 16;
    }

    /// `sum + a_high b_high + a_low b_low`, rounded after each product; denormal numbers are zero,
    /// before and after.
    static int dot(int sum, int a, int b) {
        int highA = withoutDenormal(a & 0xFFFF_0000);
        int highB = withoutDenormal(b & 0xFFFF_0000);
        int lowA = withoutDenormal(a << 16);
        int lowB = withoutDenormal(b << 16);
        float high = Math.fma(f(highA), f(highB), f(withoutDenormal(sum)));
        float both = Math.fma(f(lowA), f(lowB), f(withoutDenormal(bits(high))));
        if (!Float.isNaN(both)) {
            return withoutDenormal(bits(both));
        }
        return isNan(lowA) || isNan(lowB) ? nan(lowA, lowB) : isNan(highA) ? highA | QUIET : nan(highB, sum);
    }
}
