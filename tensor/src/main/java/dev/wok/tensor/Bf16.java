package dev.wok.tensor;

/// Rounding to bfloat16, the upper half of a binary32: 8 bits of precision in the range of float32.
public final class Bf16 {
    private Bf16() {}

    /// @return the number that is nearest, even where two are; NaN stays NaN
    public static float round(float value) {
        return value(bits(value));
    }

    /// @return the number that is nearest, even where two are, rounded once; NaN stays NaN
    public static double round(double value) {
        return value(bits(sticky(value)));
    }

    /// @return the bits of [#round(float)]
    public static short bits(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /// @return the number that these bits stand for
    public static float value(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /* Rounding twice, to float and then to 16 bits, would turn a value just beside the middle of two neighbours into the
     * middle. So the first step cuts off, and sets the last bit where something was cut off.
     */
    static float sticky(double value) {
        float nearest = (float) value;
        if (nearest == value || Double.isNaN(value)) {
            return nearest;
        }
        int bits = Float.floatToRawIntBits(nearest);
        return Float.intBitsToFloat((Math.abs(nearest) > Math.abs(value) ? bits - 1 : bits) | 1);
    }
}
