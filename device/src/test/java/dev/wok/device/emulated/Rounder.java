package dev.wok.device.emulated;

import java.math.BigInteger;

/// Exact numbers and how they are rounded to a format, by whole numbers alone: what floating-point instructions are
/// compared with.
///
/// @param bits of a number
/// @param precision digits of the significand, the hidden one too
/// @param least the exponent of the smallest normal number
/// @param most the exponent of the largest numbers
/// @param endsEarly whether the largest exponent has numbers, and NaN at its end, instead of infinities (e4m3)
record Rounder(int bits, int precision, int least, int most, boolean endsEarly) {
    static final Rounder F16 = new Rounder(16, 11, -14, 15, false);
    static final Rounder BF16 = new Rounder(16, 8, -126, 127, false);
    static final Rounder TF32 = new Rounder(19, 11, -126, 127, false);
    static final Rounder F32 = new Rounder(32, 24, -126, 127, false);
    static final Rounder F64 = new Rounder(64, 53, -1022, 1023, false);
    static final Rounder E4M3 = new Rounder(8, 4, -6, 8, true);
    static final Rounder E5M2 = new Rounder(8, 3, -14, 15, false);

    static Rounder of(String type) {
        return switch (type) {
            case "f16", "f16x2" -> F16;
            case "bf16", "bf16x2" -> BF16;
            case "f32" -> F32;
            case "f64" -> F64;
            case "tf32" -> TF32;
            case "e4m3x2" -> E4M3;
            case "e5m2x2" -> E5M2;
            default -> throw new IllegalArgumentException(type);
        };
    }

    /// A number `± whole * 2^exponent`, and a bit more where `isMore`; or none, or an infinity.
    ///
    /// @param isNegative also of zeros
    record Exact(
            boolean isNan, boolean isInfinite, boolean isNegative, BigInteger whole, int exponent, boolean isMore) {
        static final Exact NAN = new Exact(true, false, false, BigInteger.ZERO, 0, false);

        static Exact infinite(boolean isNegative) {
            return new Exact(false, true, isNegative, BigInteger.ZERO, 0, false);
        }

        static Exact of(boolean isNegative, BigInteger whole, int exponent, boolean isMore) {
            return new Exact(false, false, isNegative, whole, exponent, isMore);
        }

        static Exact of(BigInteger value) {
            return of(value.signum() < 0, value.abs(), 0, false);
        }

        boolean isZero() {
            return !isNan && !isInfinite && whole.signum() == 0 && !isMore;
        }

        Exact negated() {
            return new Exact(isNan, isInfinite, !isNegative, whole, exponent, isMore);
        }

        private BigInteger scaled(int to) {
            BigInteger moved = whole.shiftLeft(exponent - to);
            return isNegative ? moved.negate() : moved;
        }

        /// @param down whether the rounding is down, which makes the sum of opposites -0
        static Exact sum(Exact a, Exact b, boolean down) {
            if (a.isNan || b.isNan || a.isInfinite && b.isInfinite && a.isNegative != b.isNegative) {
                return NAN;
            }
            if (a.isInfinite || b.isInfinite) {
                return a.isInfinite ? a : b;
            }
            if (a.isZero() && b.isZero()) {
                return a.isNegative == b.isNegative ? a : of(down, BigInteger.ZERO, 0, false);
            }
            int least = Math.min(a.exponent, b.exponent);
            BigInteger sum = a.scaled(least).add(b.scaled(least));
            return sum.signum() == 0
                    ? of(down, BigInteger.ZERO, 0, false)
                    : of(sum.signum() < 0, sum.abs(), least, false);
        }

        static Exact product(Exact a, Exact b) {
            boolean isNegative = a.isNegative != b.isNegative;
            if (a.isNan || b.isNan || a.isInfinite && b.isZero() || a.isZero() && b.isInfinite) {
                return NAN;
            }
            return a.isInfinite || b.isInfinite
                    ? infinite(isNegative)
                    : of(isNegative, a.whole.multiply(b.whole), a.exponent + b.exponent, false);
        }

        static Exact quotient(Exact a, Exact b) {
            boolean isNegative = a.isNegative != b.isNegative;
            if (a.isNan || b.isNan || a.isInfinite && b.isInfinite || a.isZero() && b.isZero()) {
                return NAN;
            }
            if (a.isInfinite || b.isZero()) {
                return infinite(isNegative);
            }
            if (b.isInfinite || a.isZero()) {
                return of(isNegative, BigInteger.ZERO, 0, false);
            }
            int shift = Math.max(0, 200 + b.whole.bitLength() - a.whole.bitLength());
            BigInteger[] parts = a.whole.shiftLeft(shift).divideAndRemainder(b.whole);
            return of(isNegative, parts[0], a.exponent - b.exponent - shift, parts[1].signum() != 0);
        }

        static Exact root(Exact a) {
            if (a.isNan || a.isNegative && !a.isZero()) {
                return NAN;
            }
            if (a.isInfinite || a.isZero()) {
                return a;
            }
            int shift = 400 + (a.exponent & 1);
            BigInteger[] parts = a.whole.shiftLeft(shift).sqrtAndRemainder();
            return of(false, parts[0], (a.exponent - shift) / 2, parts[1].signum() != 0);
        }
    }

    long sign() {
        return 1L << bits - 1;
    }

    long infinity() {
        return (long) (most - least + 2) << precision - 1;
    }

    long nan() {
        return bits == 64 ? 0x7FF8_0000_0000_0000L : sign() - 1;
    }

    /// @param raw as a register holds it
    Exact exact(long raw) {
        boolean isNegative = (raw & sign()) != 0;
        long size = raw & sign() - 1;
        long fraction = size & (1L << precision - 1) - 1;
        int field = (int) (size >>> precision - 1);
        if (endsEarly ? size == sign() - 1 : field == most - least + 2) {
            return endsEarly || fraction != 0 ? Exact.NAN : Exact.infinite(isNegative);
        }
        long whole = field == 0 ? fraction : fraction | 1L << precision - 1;
        return Exact.of(isNegative, BigInteger.valueOf(whole), Math.max(field, 1) - 1 + least - precision + 1, false);
    }

    /// As [#exact], subnormal numbers as zeros.
    Exact flushed(long raw) {
        boolean isSubnormal = (raw & sign() - 1) >>> precision - 1 == 0;
        return exact(isSubnormal ? raw & sign() : raw);
    }

    /// @param mode of `rn rz rm rp rna`
    /// @return the bits of the number that an exact one is rounded to
    long round(Exact value, String mode) {
        return round(value, mode, false);
    }

    /// @param isFinite whether the largest number stands for all that is larger
    long round(Exact value, String mode, boolean isFinite) {
        long sign = value.isNegative ? sign() : 0;
        if (value.isNan) {
            return nan();
        }
        if (value.isInfinite) {
            return sign | (isFinite ? largest() : overflow());
        }
        if (value.isZero()) {
            return sign;
        }
        int exponent = Math.max(value.whole.bitLength() - 1 + value.exponent, least);
        int unit = exponent - precision + 1;
        int drop = unit - value.exponent;
        BigInteger kept = drop > 0 ? value.whole.shiftRight(drop) : value.whole.shiftLeft(-drop);
        // Twice the rest against one, and whether there is any.
        BigInteger rest = drop > 0 ? value.whole.subtract(kept.shiftLeft(drop)) : BigInteger.ZERO;
        boolean isRest = rest.signum() != 0 || value.isMore;
        int half = drop > 0 ? rest.shiftLeft(1).compareTo(BigInteger.ONE.shiftLeft(drop)) : -1;
        boolean up = switch (mode) {
            case "rz" -> false;
            case "rm" -> isRest && value.isNegative;
            case "rp" -> isRest && !value.isNegative;
            case "rna" -> half >= 0;
            default -> half > 0 || half == 0 && (value.isMore || kept.testBit(0));
        };
        long whole = kept.longValueExact() + (up ? 1 : 0);
        long size = whole + ((long) (unit + precision - 1 - least) << precision - 1);
        if (exponent <= most + 1 && size >= 0 && size <= largest()) {
            return sign | size;
        }
        boolean stays = isFinite
                || mode.equals("rz")
                || mode.equals("rm") && !value.isNegative
                || mode.equals("rp") && value.isNegative;
        return sign | (stays ? largest() : overflow());
    }

    private long largest() {
        return endsEarly ? sign() - 2 : infinity() - 1;
    }

    private long overflow() {
        return endsEarly ? sign() - 1 : infinity();
    }
}
