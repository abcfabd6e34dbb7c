package dev.wok.tensor;

/// Rounding to E4M3 as checkpoints hold it (`float8_e4m3fn`: P. Micikevicius et al., FP8 Formats for Deep Learning,
/// 2022): 4 bits of exponent with bias 7, 3 of mantissa, no infinity, the largest number 448.
public final class E4m3 {
    /// The largest number.
    public static final float MAX = 448;

    /* Sign, exponent and mantissa in the places of float32's are 2^-120 times the number: the exponents' biases differ by
     * so much, and below the smallest normal number either goes on evenly.
     */

    /// Where float32 has the bits of a number that is a lane's top byte, moved down by four with its sign.
    public static final int IN_FLOAT32 = 0x87F00000;

    /// What float32 with these bits is multiplied by to be the number.
    public static final float FROM_FLOAT32 = 0x1p120f;

    private static final int SIGN = 0x80;
    private static final int NAN = 0x7f;
    private static final int MANTISSA_BITS = 3;
    private static final int DROPPED_BITS = 23 - MANTISSA_BITS;
    private static final int BIAS = 127 - 7;
    private static final float LEAST_NORMAL = 0x1p-6f;
    private static final float STEP_BELOW = 0x1p-9f;
    private static final float[] VALUES = values();

    private E4m3() {}

    private static float[] values() {
        float[] values = new float[1 << Byte.SIZE];
        for (int bits = 0; bits < values.length; bits++) {
            int exponent = bits >> MANTISSA_BITS & 15;
            int mantissa = bits & 7;
            float magnitude = exponent == 0 ? mantissa * STEP_BELOW : Math.scalb(8f + mantissa, exponent - 10);
            float value = isNaN((byte) bits) ? Float.NaN : magnitude;
            values[bits] = bits < SIGN ? value : -value;
        }
        return values;
    }

    /// @return the number that these bits stand for
    public static float value(byte bits) {
        return VALUES[bits & 0xFF];
    }

    /// @return the bits of the number that is nearest, even where two are; of NaN where the value is none, or lies
    ///     half a step beyond [#MAX] or further
    public static byte bits(float value) {
        int sign = Float.floatToRawIntBits(value) >>> 24 & SIGN;
        float magnitude = Math.abs(value);
        if (magnitude < LEAST_NORMAL) {
            return (byte) (sign | (int) Math.rint(magnitude / STEP_BELOW));
        }
        int bits = Float.floatToRawIntBits(magnitude);
        int rounded = bits + (1 << DROPPED_BITS - 1) - 1 + (bits >>> DROPPED_BITS & 1);
        int code = (rounded >>> DROPPED_BITS) - (BIAS << MANTISSA_BITS);
        return (byte) (sign | (Float.isNaN(value) ? NAN : Math.min(code, NAN)));
    }

    /// @return the same, rounded once
    public static byte bits(double value) {
        return bits(Bf16.sticky(value));
    }

    /// @return whether these bits stand for no number
    public static boolean isNaN(byte bits) {
        return (bits & NAN) == NAN;
    }
}
