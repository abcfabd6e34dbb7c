package dev.wok.device.emulated;

import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/// `cvt`: between types of numbers, in every rounding.
final class Conversions {
    /// What stands between `cvt` and its types.
    private static final class How {
        @Nullable
        Rounding rounding;

        boolean toWhole;
        boolean isFlushed;
        boolean isSaturated;
        boolean isFinite;
        boolean isRelu;

        Rounding rounding(Rounding usual) {
            return rounding == null ? usual : rounding;
        }
    }

    private Conversions() {}

    static @Nullable Step decode(Call call) {
        if (call.take("pack")) {
            return pack(call);
        }
        How how = new How();
        while (Type.of(call.peek()) == null) {
            String modifier = call.peek();
            switch (modifier) {
                case "rn", "rz", "rm", "rp", "rna" -> how.rounding = Rounding.of(modifier);
                case "rni", "rzi", "rmi", "rpi" -> {
                    how.rounding = Rounding.of(modifier);
                    how.toWhole = true;
                }
                case "ftz" -> how.isFlushed = true;
                case "sat" -> how.isSaturated = true;
                case "satfinite" -> how.isFinite = true;
                case "relu" -> how.isRelu = true;
                default -> {
                    return null;
                }
            }
            call.skip();
        }
        Type to = call.type();
        Type from = call.type();
        if (to.kind == Type.Kind.PACKED) {
            return packed(call, how, to, from);
        }
        call.count(2);
        int slot = call.writeWide(0, to);
        Value a = call.readWide(1, from);
        LongUnaryOperator convert = convert(call, how, to, from);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers[slot << 5 | lane] = convert.applyAsLong(a.at(warp, lane));
            }
        };
    }

    private static boolean isFloat(Type type) {
        return type.kind == Type.Kind.FLOAT;
    }

    private static LongUnaryOperator convert(Call call, How how, Type to, Type from) {
        if (!isFloat(to) && !isFloat(from)) {
            return raw -> toInteger(how, to, from, from.extend(raw));
        }
        if (!isFloat(to)) {
            Rounding rounding = how.rounding(Rounding.RZ);
            if (how.rounding == null) {
                throw call.error("a conversion to whole numbers names its rounding: .rni, .rzi, .rmi or .rpi");
            }
            return raw -> saturated(to, rounding.toWhole(in(from, raw, how), 0));
        }
        if (!isFloat(from)) {
            Rounding rounding = how.rounding(Rounding.RN);
            return raw -> fromInteger(how, to, from, raw, rounding);
        }
        boolean isNarrower = to.bits < from.bits || to == Type.TF32 || to.bits == 16 && from.bits == 16 && to != from;
        if (isNarrower && how.rounding == null) {
            throw call.error("a conversion to fewer digits names its rounding: .rn, .rz, .rm or .rp");
        }
        Rounding rounding = how.rounding(Rounding.RN);
        return raw -> {
            double value = in(from, raw, how);
            return out(to, how.toWhole ? rounding.toWhole(value, 0) : value, how, rounding);
        };
    }

    private static double in(Type from, long raw, How how) {
        if (from == Type.F64) {
            return Double.longBitsToDouble(raw);
        }
        double value = Format.of(from).value(raw);
        boolean isSubnormal = from == Type.F32 && value != 0 && Math.abs(value) < 0x1p-126;
        return how.isFlushed && isSubnormal ? Math.copySign(0.0, value) : value;
    }

    private static long out(Type to, double value, How how, Rounding rounding) {
        if (to == Type.F64) {
            return Double.doubleToRawLongBits(how.isSaturated ? unit(value) : value);
        }
        double rounded = Format.of(to).round(value, 0, rounding, how.isFinite);
        if (how.isFlushed && to == Type.F32 && rounded != 0 && Math.abs(rounded) < 0x1p-126) {
            rounded = Math.copySign(0.0, rounded);
        }
        if (how.isSaturated) {
            rounded = unit(rounded);
        }
        if (how.isRelu && rounded <= 0) {
            rounded = 0;
        }
        return Format.of(to).bits(rounded);
    }

    private static double unit(double value) {
        return value > 0 ? Math.min(value, 1) : 0;
    }

    private static long toInteger(How how, Type to, Type from, long value) {
        if (!how.isSaturated) {
            return to.extend(value);
        }
        boolean isNegative = from.isSigned() && value < 0;
        if (to.isSigned()) {
            long most = (1L << to.bits - 1) - 1;
            boolean over = isNegative ? false : Long.compareUnsigned(value, most) > 0;
            return over ? most : isNegative ? Math.max(value, -most - 1) : value;
        }
        long most = to.bits == 64 ? -1 : (1L << to.bits) - 1;
        return isNegative ? 0 : Long.compareUnsigned(value, most) > 0 ? most : value;
    }

    /// NaN becomes 0, what is too large the largest number.
    private static long saturated(Type to, double value) {
        if (Double.isNaN(value)) {
            return 0;
        }
        if (to.isSigned()) {
            double most = Math.scalb(1.0, to.bits - 1);
            return value >= most ? (1L << to.bits - 1) - 1 : value < -most ? -1L << to.bits - 1 : (long) value;
        }
        if (value <= 0) {
            return 0;
        }
        if (value >= Math.scalb(1.0, to.bits)) {
            return to.bits == 64 ? -1 : (1L << to.bits) - 1;
        }
        return value < 0x1p63 ? (long) value : (long) (value - 0x1p63) ^ Long.MIN_VALUE;
    }

    private static long fromInteger(How how, Type to, Type from, long raw, Rounding rounding) {
        long value = from.extend(raw);
        boolean isHuge = !from.isSigned() && value < 0;
        // Eleven bits more than a double holds: what does not fit is kept apart.
        double high = isHuge ? (double) (value >>> 11) * 2048 : (double) (value >> 11) * 2048;
        double low = value & 2047;
        double sum = high + low;
        double rest = low - (sum - high);
        if (to == Type.F64) {
            return Double.doubleToRawLongBits(Exact.directed(sum, rest, rounding));
        }
        double rounded = Format.of(to).round(sum, rest, rounding, false);
        return Format.of(to).bits(how.isSaturated ? unit(rounded) : rounded);
    }

    // ------------------------------------------------------------------------------------------------ pairs

    private static Step packed(Call call, How how, Type to, Type from) {
        Format format = Format.of(to);
        Rounding rounding = how.rounding(Rounding.RN);
        Type one = element(to);
        if (from.kind == Type.Kind.PACKED) {
            Type source = element(from);
            call.count(2);
            int slot = call.write(0, to.bits == 16 ? Type.B16 : to);
            Value a = call.read(1, from.bits == 16 ? Type.B16 : from);
            return (warp, lanes) -> {
                for (int rest = lanes; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    long raw = a.at(warp, lane);
                    long low = out(one, in(source, raw, how), how, rounding);
                    long high = out(one, in(source, raw >>> source.bits, how), how, rounding);
                    warp.registers[slot << 5 | lane] = low | high << format.width();
                }
            };
        }
        return Arithmetic.binary(
                call,
                to.bits == 16 ? Type.B16 : to,
                from,
                from,
                (a, b) -> out(one, in(from, b, how), how, rounding)
                        | out(one, in(from, a, how), how, rounding) << format.width());
    }

    private static Type element(Type pair) {
        return switch (pair) {
            case F16X2 -> Type.F16;
            case BF16X2 -> Type.BF16;
            case E4M3X2 -> Type.E4M3;
            case E5M2X2 -> Type.E5M2;
            default -> throw new IllegalArgumentException("no pair of floating-point numbers: " + pair);
        };
    }

    /// `cvt.pack.sat`: two integers, and what is moved up to make room.
    private static Step pack(Call call) {
        call.need("sat");
        Type to = call.type(Type.U16, Type.S16, Type.U8, Type.S8);
        call.type(Type.S32);
        How how = new How();
        how.isSaturated = true;
        if (to.bits == 16) {
            return Arithmetic.binary(
                    call,
                    Type.B32,
                    Type.S32,
                    Type.S32,
                    (a, b) -> toInteger(how, to, Type.S32, (int) b) & 0xFFFF
                            | (toInteger(how, to, Type.S32, (int) a) & 0xFFFF) << 16);
        }
        call.need("b32");
        return Arithmetic.ternary(
                call,
                Type.B32,
                Type.S32,
                Type.S32,
                Type.B32,
                (a, b, c) -> toInteger(how, to, Type.S32, (int) b) & 0xFF
                        | (toInteger(how, to, Type.S32, (int) a) & 0xFF) << 8
                        | (c & 0xFFFF) << 16);
    }
}
