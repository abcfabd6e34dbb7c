package dev.wok.device.emulated;

import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/// `add sub mul mad fma div rem abs neg min max` of whole numbers and of floating-point ones, rounded as they ask.
final class Arithmetic {
    private Arithmetic() {}

    /// What three numbers give, as registers hold them.
    interface Ternary {
        long apply(long a, long b, long c);
    }

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "add", "sub" -> sum(call, call.statement.opcode().equals("sub"));
            case "addc", "subc", "madc" -> Carries.decode(call);
            case "mul" -> product(call);
            case "mad" ->
                call.peek().equals("lo")
                                || call.peek().equals("hi")
                                || call.peek().equals("wide")
                        ? multiplyAdd(call)
                        : fused(call);
            case "fma" -> fused(call);
            case "div" -> quotient(call);
            case "rem" -> {
                Type type = integer(call);
                yield binary(call, type, remainder(type));
            }
            case "abs", "neg" -> sign(call, call.statement.opcode().equals("neg"));
            case "min", "max" -> extreme(call, call.statement.opcode().equals("max"));
            case "sad" -> {
                Type type = integer(call);
                yield ternary(call, type, (a, b, c) -> {
                    long x = type.extend(a);
                    long y = type.extend(b);
                    boolean less = type.isSigned() ? x < y : Long.compareUnsigned(x, y) < 0;
                    return (less ? y - x : x - y) + c;
                });
            }
            default -> null;
        };
    }

    // ------------------------------------------------------------------------------------------------ shapes

    static Step unary(Call call, Type type, LongUnaryOperator operator) {
        call.count(2);
        int to = call.write(0, type);
        Value a = call.read(1, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers[to << 5 | lane] = operator.applyAsLong(a.at(warp, lane));
            }
        };
    }

    static Step binary(Call call, Type type, LongBinaryOperator operator) {
        return binary(call, type, type, type, operator);
    }

    static Step binary(Call call, Type result, Type first, Type second, LongBinaryOperator operator) {
        call.count(3);
        int to = call.write(0, result);
        Value a = call.read(1, first);
        Value b = call.read(2, second);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers[to << 5 | lane] = operator.applyAsLong(a.at(warp, lane), b.at(warp, lane));
            }
        };
    }

    static Step ternary(Call call, Type type, Ternary operator) {
        return ternary(call, type, type, type, type, operator);
    }

    static Step ternary(Call call, Type result, Type first, Type second, Type third, Ternary operator) {
        call.count(4);
        int to = call.write(0, result);
        Value a = call.read(1, first);
        Value b = call.read(2, second);
        Value c = call.read(3, third);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers[to << 5 | lane] = operator.apply(a.at(warp, lane), b.at(warp, lane), c.at(warp, lane));
            }
        };
    }

    private static Type integer(Call call) {
        Type type = call.type();
        if (!type.isInteger() || type.bits < 16) {
            throw call.error("%s needs whole numbers of 16 bits or more, not .%s"
                    .formatted(call.statement.opcode(), type.text()));
        }
        return type;
    }

    // ------------------------------------------------------------------------------------------------ floating point

    /// How floating-point results become bits: rounding, flushing, saturation.
    ///
    /// @param isFlushed whether subnormal numbers become zeros, on the way in and out
    /// @param isSaturated whether results stay between 0 and 1
    /// @param isRelu whether negative results become 0
    record Floating(Type type, Rounding rounding, boolean isFlushed, boolean isSaturated, boolean isRelu) {
        /// Takes the modifiers that stand between an opcode and its type, and the type.
        static Floating take(Call call) {
            Rounding rounding = call.rounding(Rounding.RN);
            boolean isFlushed = call.take("ftz");
            boolean isSaturated = call.take("sat");
            boolean isRelu = call.take("relu");
            Type type = call.type();
            boolean isFloating = type.kind == Type.Kind.FLOAT || type == Type.F16X2 || type == Type.BF16X2;
            if (!isFloating || type.bits < 16) {
                throw call.error("%s does not come in .%s".formatted(call.statement.mnemonic(), type.text()));
            }
            return new Floating(type, rounding, isFlushed, isSaturated, isRelu);
        }

        boolean isPair() {
            return type.kind == Type.Kind.PACKED;
        }

        /// @return the type of one number
        Type element() {
            return type == Type.F16X2 ? Type.F16 : type == Type.BF16X2 ? Type.BF16 : type;
        }

        double in(long raw) {
            if (type == Type.F64) {
                return Double.longBitsToDouble(raw);
            }
            double value = Format.of(type).value(raw);
            return isFlushed && isSubnormal(value) ? Math.copySign(0.0, value) : value;
        }

        private boolean isSubnormal(double value) {
            return value != 0 && Math.abs(value) < (type == Type.F32 ? 0x1p-126 : 0x1p-14);
        }

        long out(double value, double rest) {
            if (type == Type.F64) {
                return Double.doubleToRawLongBits(Exact.directed(value, rest, rounding));
            }
            double rounded = Format.of(type).round(value, rest, rounding, false);
            if (isFlushed && isSubnormal(rounded)) {
                rounded = Math.copySign(0.0, rounded);
            }
            if (isSaturated) {
                rounded = rounded > 0 ? Math.min(rounded, 1) : 0;
            }
            if (isRelu && rounded <= 0) {
                rounded = 0;
            }
            return Format.of(type).bits(rounded);
        }
    }

    private interface OnDoubles2 {
        long apply(double a, double b, Exact.Rounded to);
    }

    private interface OnDoubles3 {
        long apply(double a, double b, double c, Exact.Rounded to);
    }

    private static Step floats(Call call, Floating f, OnDoubles2 operation) {
        Exact.Rounded to = f::out;
        if (f.isPair()) {
            return binary(
                    call,
                    f.type,
                    (a, b) -> operation.apply(f.in(a), f.in(b), to) & 0xFFFF
                            | operation.apply(f.in(a >>> 16), f.in(b >>> 16), to) << 16 & 0xFFFF_0000L);
        }
        return binary(call, f.type, (a, b) -> operation.apply(f.in(a), f.in(b), to));
    }

    private static Step floats(Call call, Floating f, OnDoubles3 operation) {
        Exact.Rounded to = f::out;
        if (f.isPair()) {
            return ternary(
                    call,
                    f.type,
                    (a, b, c) -> operation.apply(f.in(a), f.in(b), f.in(c), to) & 0xFFFF
                            | operation.apply(f.in(a >>> 16), f.in(b >>> 16), f.in(c >>> 16), to) << 16 & 0xFFFF_0000L);
        }
        return ternary(call, f.type, (a, b, c) -> operation.apply(f.in(a), f.in(b), f.in(c), to));
    }

    private static boolean isFloating(Call call) {
        // A type or what only floating-point operations have.
        Type type = Type.of(call.peek());
        return type == null
                ? Rounding.of(call.peek()) != null
                        || call.peek().equals("ftz")
                        || call.peek().equals("approx")
                        || call.peek().equals("full")
                : !type.isInteger() && type.kind != Type.Kind.BITS && type != Type.U16X2 && type != Type.S16X2;
    }

    /// In sums of opposite numbers zero is positive, but for rounding down.
    private static long zeroAware(double a, double b, Floating f, Exact.Rounded to) {
        if (f.rounding == Rounding.RM && a == -b && !(a == 0 && Double.compare(a, b) == 0)) {
            return to.round(-0.0, 0);
        }
        return Exact.add(a, b, to);
    }

    /// As [#zeroAware], of a product and a number.
    private static long fused(double a, double b, double c, Floating f, Exact.Rounded to) {
        double product = a * b;
        boolean isOpposite = product == -c && !(product == 0 && Double.compare(product, c) == 0);
        if (f.rounding == Rounding.RM && isOpposite && Double.isFinite(product) && Math.fma(a, b, -product) == 0) {
            return to.round(-0.0, 0);
        }
        return Exact.fma(a, b, c, to);
    }

    // ------------------------------------------------------------------------------------------------ sums

    private static Step sum(Call call, boolean subtracts) {
        if (call.take("cc")) {
            return Carries.sum(call, subtracts, false, true);
        }
        boolean isSaturatedInteger =
                call.peek().equals("sat") && call.statement.modifiers().contains("s32");
        if (!isSaturatedInteger && (isFloating(call) || call.peek().equals("sat"))) {
            Floating f = Floating.take(call);
            Step quick = Singles.decode(call, f, subtracts ? "sub" : "add");
            if (quick != null) {
                return quick;
            }
            return floats(
                    call, f, subtracts ? (a, b, to) -> zeroAware(a, -b, f, to) : (a, b, to) -> zeroAware(a, b, f, to));
        }
        boolean isSaturated = call.take("sat");
        Type type = call.type();
        if (type == Type.U16X2 || type == Type.S16X2) {
            return binary(call, type, (a, b) -> {
                long low = subtracts ? a - b : a + b;
                long high = subtracts ? (a >>> 16) - (b >>> 16) : (a >>> 16) + (b >>> 16);
                return low & 0xFFFF | high << 16 & 0xFFFF_0000L;
            });
        }
        if (!type.isInteger() || type.bits < 16) {
            throw call.unknown();
        }
        if (isSaturated) {
            return binary(call, type, (a, b) -> {
                long sum = subtracts ? (int) a - (long) (int) b : (int) a + (long) (int) b;
                return Math.clamp(sum, Integer.MIN_VALUE, Integer.MAX_VALUE);
            });
        }
        return binary(call, type, subtracts ? (a, b) -> a - b : Long::sum);
    }

    // ------------------------------------------------------------------------------------------------ products

    private static @Nullable Step product(Call call) {
        String part = call.takeOne("lo", "hi", "wide");
        if (part == null) {
            Floating f = Floating.take(call);
            Step quick = Singles.decode(call, f, "mul");
            if (quick != null) {
                return quick;
            }
            return floats(call, f, f.type == Type.F64 ? Exact::multiply : (a, b, to) -> to.round(a * b, 0));
        }
        Type type = integer(call);
        return switch (part) {
            case "lo" -> binary(call, type, (a, b) -> a * b);
            case "hi" -> binary(call, type, (a, b) -> high(type, a, b));
            default -> {
                Type wide = wide(call, type);
                yield binary(call, wide, type, type, (a, b) -> type.extend(a) * type.extend(b));
            }
        };
    }

    static long high(Type type, long a, long b) {
        long x = type.extend(a);
        long y = type.extend(b);
        if (type.bits < 64) {
            return x * y >> type.bits;
        }
        return type.isSigned() ? Math.multiplyHigh(x, y) : Math.unsignedMultiplyHigh(x, y);
    }

    private static Type wide(Call call, Type type) {
        return switch (type) {
            case U16 -> Type.U32;
            case S16 -> Type.S32;
            case U32 -> Type.U64;
            case S32 -> Type.S64;
            default -> throw call.error("a wide product is of 16 or 32 bits, not of .%s".formatted(type.text()));
        };
    }

    private static @Nullable Step multiplyAdd(Call call) {
        String part = call.need("lo", "hi", "wide");
        if (call.take("cc")) {
            return Carries.product(call, part, false, true);
        }
        boolean isSaturated = call.take("sat");
        Type type = integer(call);
        if (isSaturated) {
            if (type != Type.S32 || !part.equals("hi")) {
                throw call.unknown();
            }
            return ternary(
                    call,
                    type,
                    (a, b, c) -> Math.clamp(high(type, a, b) + (int) c, Integer.MIN_VALUE, Integer.MAX_VALUE));
        }
        return switch (part) {
            case "lo" -> ternary(call, type, (a, b, c) -> a * b + c);
            case "hi" -> ternary(call, type, (a, b, c) -> high(type, a, b) + c);
            default -> {
                Type wide = wide(call, type);
                yield ternary(call, wide, type, type, wide, (a, b, c) -> type.extend(a) * type.extend(b) + c);
            }
        };
    }

    private static Step fused(Call call) {
        Floating f = Floating.take(call);
        Step quick = Singles.decode(call, f, "fma");
        if (quick != null) {
            return quick;
        }
        return floats(call, f, (OnDoubles3) (a, b, c, to) -> fused(a, b, c, f, to));
    }

    private static Step quotient(Call call) {
        if (Type.of(call.peek()) != null && Type.of(call.peek()) != Type.F64) {
            Type type = integer(call);
            return binary(call, type, division(type));
        }
        boolean isRough = call.takeOne("approx", "full") != null;
        Floating f = Floating.take(call);
        if (isRough && f.type != Type.F32) {
            throw call.error("only singles divide roughly");
        }
        Step quick = Singles.decode(call, f, "div");
        return quick != null ? quick : floats(call, f, (OnDoubles2) Exact::divide);
    }

    /// Division by zero gives all ones, as the chips do.
    private static LongBinaryOperator division(Type type) {
        return (a, b) -> {
            long x = type.extend(a);
            long y = type.extend(b);
            if (y == 0) {
                return -1;
            }
            return type.isSigned() ? (y == -1 ? -x : x / y) : Long.divideUnsigned(x, y);
        };
    }

    private static LongBinaryOperator remainder(Type type) {
        return (a, b) -> {
            long x = type.extend(a);
            long y = type.extend(b);
            if (y == 0) {
                return x;
            }
            return type.isSigned() ? (y == -1 ? 0 : x % y) : Long.remainderUnsigned(x, y);
        };
    }

    // ------------------------------------------------------------------------------------------------ signs and order

    private static Step sign(Call call, boolean negates) {
        boolean isFlushed = call.take("ftz");
        Type type = call.type();
        if (type.isInteger()) {
            return unary(call, type, negates ? a -> -a : a -> Math.abs(type.extend(a)));
        }
        if (type.kind != Type.Kind.FLOAT && type != Type.F16X2 && type != Type.BF16X2) {
            throw call.unknown();
        }
        long signs = type.kind == Type.Kind.PACKED ? 0x8000_8000L : 1L << type.bits - 1;
        Floating f = new Floating(type, Rounding.RN, isFlushed, false, false);
        return unary(call, type, a -> {
            long raw = isFlushed && type == Type.F32 ? f.out(f.in(a), 0) : a;
            return negates ? raw ^ signs : raw & ~signs;
        });
    }

    private static Step extreme(Call call, boolean max) {
        boolean isFlushed = call.take("ftz");
        boolean keepsNan = call.take("NaN");
        boolean xorsSigns = call.take("xorsign");
        if (xorsSigns && !call.take("abs")) {
            throw call.error("expected .abs behind .xorsign");
        }
        boolean isRelu = call.take("relu");
        Type type = call.type();
        if (type.isInteger()) {
            return binary(call, type, (a, b) -> {
                long x = type.extend(a);
                long y = type.extend(b);
                boolean less = type.isSigned() ? x < y : Long.compareUnsigned(x, y) < 0;
                long result = less == max ? y : x;
                return isRelu ? Math.max(0, result) : result;
            });
        }
        if (type == Type.U16X2 || type == Type.S16X2) {
            Type one = type == Type.U16X2 ? Type.U16 : Type.S16;
            LongBinaryOperator each = (a, b) -> {
                long x = one.extend(a);
                long y = one.extend(b);
                return (x < y) == max ? y : x;
            };
            return binary(
                    call,
                    type,
                    (a, b) -> each.applyAsLong(a, b) & 0xFFFF
                            | each.applyAsLong(a >>> 16, b >>> 16) << 16 & 0xFFFF_0000L);
        }
        Floating f = new Floating(type, Rounding.RN, isFlushed, false, isRelu);
        return floats(call, f, (a, b, to) -> {
            if (xorsSigns) {
                double size = extreme(Math.abs(a), Math.abs(b), max, keepsNan);
                double sign = Math.copySign(1, a) * Math.copySign(1, b);
                return to.round(Math.copySign(size, sign), 0);
            }
            return to.round(extreme(a, b, max, keepsNan), 0);
        });
    }

    /// A number wins over NaN, unless NaN is asked for; -0 is less than +0.
    private static double extreme(double a, double b, boolean max, boolean keepsNan) {
        if (Double.isNaN(a) || Double.isNaN(b)) {
            return keepsNan || Double.isNaN(a) && Double.isNaN(b) ? Double.NaN : Double.isNaN(a) ? b : a;
        }
        return max ? Math.max(a, b) : Math.min(a, b);
    }
}
