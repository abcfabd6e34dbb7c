package dev.wok.device.emulated;

import dev.wok.device.emulated.Arithmetic.Floating;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Pair;
import org.jspecify.annotations.Nullable;

/// `setp set selp slct`.
final class Comparisons {
    private static final String[] OPERATORS = {
        "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num",
        "nan"
    };

    private Comparisons() {}

    interface Comparison {
        boolean holds(long a, long b);
    }

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "setp" -> setPredicate(call);
            case "set" -> setNumber(call);
            case "selp" -> select(call);
            default -> selectBySign(call);
        };
    }

    private static Step setPredicate(Call call) {
        String operator = call.need(OPERATORS);
        String combine = call.takeOne("and", "or", "xor");
        boolean isFlushed = call.take("ftz");
        Type type = call.type();
        call.count(combine == null ? 3 : 4);
        Operand results = call.operand(0);
        boolean isTwo = results instanceof Pair;
        int to = call.writePredicate(results instanceof Pair(Operand first, Operand _) ? first : results);
        int other = results instanceof Pair(Operand _, Operand second) ? call.writePredicate(second) : Call.NOBODY;
        if (type.kind == Type.Kind.PACKED) {
            return pairs(call, operator, type, isFlushed, to, other, combine);
        }
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Call.@Nullable Flag with = combine == null ? null : call.flag(call.operand(3));
        Comparison comparison = comparison(call, operator, type, isFlushed);
        return (warp, lanes) -> {
            int holds = 0;
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                holds |= comparison.holds(a.at(warp, lane), b.at(warp, lane)) ? 1 << lane : 0;
            }
            int flag = with == null ? -1 : with.at(warp);
            if (to != Call.NOBODY) {
                warp.setPredicate(to, lanes, combine == null ? holds : (int) Bits.apply(combine, holds, flag));
            }
            if (isTwo && other != Call.NOBODY) {
                warp.setPredicate(other, lanes, combine == null ? ~holds : (int) Bits.apply(combine, ~holds, flag));
            }
        };
    }

    /// Two numbers in a register: a predicate for each.
    private static Step pairs(
            Call call, String operator, Type type, boolean isFlushed, int to, int other, @Nullable String combine) {
        Type one = new Floating(type, Rounding.RN, false, false, false).element();
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Call.@Nullable Flag with = combine == null ? null : call.flag(call.operand(3));
        Comparison comparison = comparison(call, operator, one, isFlushed);
        return (warp, lanes) -> {
            int low = 0;
            int high = 0;
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long x = a.at(warp, lane);
                long y = b.at(warp, lane);
                low |= comparison.holds(x, y) ? 1 << lane : 0;
                high |= comparison.holds(x >>> 16, y >>> 16) ? 1 << lane : 0;
            }
            int flag = with == null ? 0 : with.at(warp);
            if (to != Call.NOBODY) {
                warp.setPredicate(to, lanes, combine == null ? low : (int) Bits.apply(combine, low, flag));
            }
            if (other != Call.NOBODY) {
                warp.setPredicate(other, lanes, combine == null ? high : (int) Bits.apply(combine, high, flag));
            }
        };
    }

    static Comparison comparison(Call call, String operator, Type type, boolean isFlushed) {
        if (type.kind == Type.Kind.FLOAT) {
            Floating f = new Floating(type, Rounding.RN, isFlushed, false, false);
            OnDoubles holds = ofFloats(call, operator);
            return (a, b) -> holds.holds(f.in(a), f.in(b));
        }
        if (type.kind == Type.Kind.BITS && !operator.equals("eq") && !operator.equals("ne")) {
            throw call.error("bits are equal or not; .%s has no order".formatted(type.text()));
        }
        Type compared = type.kind == Type.Kind.BITS
                ? (type.bits == 16 ? Type.U16 : type.bits == 32 ? Type.U32 : Type.U64)
                : type;
        OnLongs holds = ofIntegers(call, operator);
        // Unsigned numbers are in the order of signed ones when their highest bits are turned.
        long turned = type.isSigned() ? 0 : Long.MIN_VALUE;
        return (a, b) -> holds.holds(compared.extend(a) ^ turned, compared.extend(b) ^ turned);
    }

    private interface OnDoubles {
        boolean holds(double a, double b);
    }

    private interface OnLongs {
        boolean holds(long a, long b);
    }

    private static OnLongs ofIntegers(Call call, String operator) {
        return switch (operator) {
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a != b;
            case "lt", "lo" -> (a, b) -> a < b;
            case "le", "ls" -> (a, b) -> a <= b;
            case "gt", "hi" -> (a, b) -> a > b;
            case "ge", "hs" -> (a, b) -> a >= b;
            default -> throw call.error(".%s compares floating-point numbers".formatted(operator));
        };
    }

    private static OnDoubles ofFloats(Call call, String operator) {
        return switch (operator) {
            case "num" -> (a, b) -> !Double.isNaN(a) && !Double.isNaN(b);
            case "nan" -> (a, b) -> Double.isNaN(a) || Double.isNaN(b);
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a < b || a > b;
            case "lt" -> (a, b) -> a < b;
            case "le" -> (a, b) -> a <= b;
            case "gt" -> (a, b) -> a > b;
            case "ge" -> (a, b) -> a >= b;
            case "equ" -> (a, b) -> !(a < b || a > b);
            case "neu" -> (a, b) -> a != b;
            case "ltu" -> (a, b) -> !(a >= b);
            case "leu" -> (a, b) -> !(a > b);
            case "gtu" -> (a, b) -> !(a <= b);
            case "geu" -> (a, b) -> !(a < b);
            default -> throw call.error(".%s compares whole numbers".formatted(operator));
        };
    }

    private static Step setNumber(Call call) {
        String operator = call.need(OPERATORS);
        String combine = call.takeOne("and", "or", "xor");
        boolean isFlushed = call.take("ftz");
        Type result = call.type();
        Type type = call.type();
        call.count(combine == null ? 3 : 4);
        int to = call.write(0, result);
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Call.@Nullable Flag with = combine == null ? null : call.flag(call.operand(3));
        boolean isPair = type.kind == Type.Kind.PACKED;
        Type one = isPair ? new Floating(type, Rounding.RN, false, false, false).element() : type;
        long yes = yes(result, isPair);
        Comparison comparison = comparison(call, operator, one, isFlushed);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long x = a.at(warp, lane);
                long y = b.at(warp, lane);
                boolean isAllowed = with == null || (with.at(warp) >>> lane & 1) != 0;
                long low = combined(combine, comparison.holds(x, y), isAllowed) ? yes : 0;
                long high =
                        isPair && combined(combine, comparison.holds(x >>> 16, y >>> 16), isAllowed) ? yes << 16 : 0;
                warp.registers[to << 5 | lane] = low | high;
            }
        };
    }

    private static boolean combined(@Nullable String combine, boolean holds, boolean other) {
        return combine == null ? holds : Bits.apply(combine, holds ? 1 : 0, other ? 1 : 0) != 0;
    }

    /// @return what stands for true: one, or all bits
    private static long yes(Type result, boolean isPair) {
        return switch (result) {
            case F32 -> Float.floatToRawIntBits(1);
            case F16, F16X2 -> Format.F16.bits(1);
            case BF16, BF16X2 -> Format.BF16.bits(1);
            default -> isPair ? 0xFFFF : -1;
        };
    }

    private static Step select(Call call) {
        Type type = call.type();
        call.count(4);
        int to = call.write(0, type);
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Call.Flag flag = call.flag(call.operand(3));
        return (warp, lanes) -> {
            int first = flag.at(warp);
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers[to << 5 | lane] = (first >>> lane & 1) != 0 ? a.at(warp, lane) : b.at(warp, lane);
            }
        };
    }

    private static Step selectBySign(Call call) {
        call.take("ftz");
        Type type = call.type();
        Type sign = call.type(Type.S32, Type.F32);
        return Arithmetic.ternary(call, type, type, type, sign, (a, b, c) -> {
            boolean isNotNegative = sign == Type.S32 ? (int) c >= 0 : Float.intBitsToFloat((int) c) >= 0;
            return isNotNegative ? a : b;
        });
    }
}
