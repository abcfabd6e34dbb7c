package dev.wok.device.emulated;

/// A floating-point format: how numbers become its bits and back.
enum Format {
    F16(16, 11, -14, 65504, true),
    BF16(16, 8, -126, 0x1.fep127, true),
    TF32(32, 11, -126, 0x1.ffcp127, true),
    F32(32, 24, -126, Float.MAX_VALUE, true),
    E4M3(8, 4, -6, 448, false),
    E5M2(8, 3, -14, 57344, true);

    private final int bits;
    private final int precision;
    private final int least;
    private final double largest;
    private final boolean hasInfinity;

    /// @param bits of a number
    /// @param precision digits of the significand, the hidden one too
    /// @param least the exponent of the smallest normal number
    /// @param largest the largest finite number
    /// @param hasInfinity whether it has one; else it has only NaN
    Format(int bits, int precision, int least, double largest, boolean hasInfinity) {
        this.bits = bits;
        this.precision = precision;
        this.least = least;
        this.largest = largest;
        this.hasInfinity = hasInfinity;
    }

    static Format of(Type type) {
        return switch (type) {
            case F16, F16X2 -> F16;
            case BF16, BF16X2 -> BF16;
            case TF32 -> TF32;
            case F32 -> F32;
            case E4M3, E4M3X2 -> E4M3;
            case E5M2, E5M2X2 -> E5M2;
            default -> throw new IllegalArgumentException("no such floating-point format: " + type);
        };
    }

    /// @param rest as in [Rounding#toWhole]
    /// @param isFinite whether what is too large becomes the largest number
    /// @return the bits of the nearest number in a direction
    long bits(double value, double rest, Rounding rounding, boolean isFinite) {
        return encode(round(value, rest, rounding, isFinite));
    }

    long bits(double value) {
        return bits(value, 0, Rounding.RN, false);
    }

    /// @return the number of this format that an exact value rounds to
    double round(double value, double rest, Rounding rounding, boolean isFinite) {
        if (Double.isNaN(value)) {
            return value;
        }
        if (Double.isInfinite(value)) {
            return isFinite ? Math.copySign(largest, value) : value;
        }
        if (value == 0 && rest == 0) {
            return value;
        }
        // Just below a power of two numbers lie twice as close.
        boolean isBelowPower =
                rest != 0 && rest < 0 == value > 0 && (Double.doubleToRawLongBits(value) & (1L << 52) - 1) == 0;
        int exponent = Math.max(value == 0 ? least : Math.getExponent(value) - (isBelowPower ? 1 : 0), least);
        int shift = precision - 1 - exponent;
        double rounded = Math.scalb(rounding.toWhole(Math.scalb(value, shift), rest), -shift);
        if (Math.abs(rounded) <= largest) {
            return rounded;
        }
        boolean away = switch (rounding) {
            case RN, RNA -> true;
            case RZ -> false;
            case RM -> value < 0;
            case RP -> value > 0;
        };
        return Math.copySign(away && !isFinite ? Double.POSITIVE_INFINITY : largest, value);
    }

    /// @param value a number of this format
    private long encode(double value) {
        return switch (this) {
            case F32, TF32 ->
                Double.isNaN(value) ? 0x7FFF_FFFFL : Float.floatToRawIntBits((float) value) & 0xFFFF_FFFFL;
            case BF16 -> Double.isNaN(value) ? 0x7FFF : Float.floatToRawIntBits((float) value) >>> 16;
            case F16 -> Double.isNaN(value) ? 0x7FFF : Float.floatToFloat16((float) value) & 0xFFFFL;
            case E4M3, E5M2 -> small(value);
        };
    }

    private long small(double value) {
        long sign = (Double.doubleToRawLongBits(value) >>> 63) << 7;
        int fraction = precision - 1;
        if (Double.isNaN(value)) {
            return 0x7F;
        }
        if (Double.isInfinite(value)) {
            return hasInfinity ? sign | 0x7C : sign | 0x7F;
        }
        double size = Math.abs(value);
        if (size < Math.scalb(1.0, least)) {
            return sign | (long) Math.scalb(size, fraction - least);
        }
        int exponent = Math.getExponent(size);
        long mantissa = (long) (Math.scalb(size, fraction - exponent)) - (1L << fraction);
        return sign | (long) (exponent - least + 1) << fraction | mantissa;
    }

    /// @param raw bits, others above them are ignored
    double value(long raw) {
        return switch (this) {
            case F32 -> Float.intBitsToFloat((int) raw);
            case TF32 -> Float.intBitsToFloat((int) raw & ~0x1FFF);
            case BF16 -> Float.intBitsToFloat((int) raw << 16);
            case F16 -> Float.float16ToFloat((short) raw);
            case E4M3, E5M2 -> smallValue((int) raw & 0xFF);
        };
    }

    private double smallValue(int raw) {
        int fraction = precision - 1;
        int exponent = (raw & 0x7F) >>> fraction;
        int mantissa = raw & (1 << fraction) - 1;
        double size;
        if (this == E4M3 && (raw & 0x7F) == 0x7F) {
            size = Double.NaN;
        } else if (this == E5M2 && exponent == 31) {
            size = mantissa == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
        } else if (exponent == 0) {
            size = Math.scalb((double) mantissa, least - fraction);
        } else {
            size = Math.scalb((double) (mantissa + (1 << fraction)), exponent - 1 + least - fraction);
        }
        return (raw & 0x80) != 0 ? -size : size;
    }

    int width() {
        return bits;
    }
}
