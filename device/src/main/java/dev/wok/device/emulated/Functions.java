package dev.wok.device.emulated;

import dev.wok.device.emulated.Arithmetic.Floating;
import java.util.function.DoubleUnaryOperator;
import org.jspecify.annotations.Nullable;

/// `rcp sqrt rsqrt ex2 lg2 sin cos tanh copysign testp`. Approximate ones give the nearest number, which lies within
/// the error that PTX allows them.
final class Functions {
    private Functions() {}

    static @Nullable Step decode(Call call) {
        String opcode = call.statement.opcode();
        if (opcode.equals("testp")) {
            return test(call);
        }
        if (opcode.equals("copysign")) {
            Type type = call.type(Type.F32, Type.F64);
            long sign = 1L << type.bits - 1;
            return Arithmetic.binary(call, type, (a, b) -> b & ~sign | a & sign);
        }
        boolean isRough = call.take("approx");
        Floating f = Floating.take(call);
        return switch (opcode) {
            case "rcp" -> exact(call, f, (a, to) -> Exact.divide(1, a, to));
            case "sqrt" -> exact(call, f, Exact::sqrt);
            case "rsqrt" -> rough(call, f, a -> a == 0 ? Math.copySign(Double.POSITIVE_INFINITY, a) : 1 / Math.sqrt(a));
            case "ex2" -> rough(call, f, Exact::exp2);
            case "lg2" -> rough(call, f, Exact::log2);
            case "sin" -> rough(call, f, Math::sin);
            case "cos" -> rough(call, f, Math::cos);
            case "tanh" -> rough(call, f, Math::tanh);
            default -> throw new IllegalStateException(opcode + isRough);
        };
    }

    private interface OnDouble {
        long apply(double a, Exact.Rounded to);
    }

    private static Step exact(Call call, Floating f, OnDouble operation) {
        return Arithmetic.unary(call, f.type(), a -> operation.apply(f.in(a), f::out));
    }

    private static Step rough(Call call, Floating f, DoubleUnaryOperator function) {
        if (f.isPair()) {
            return Arithmetic.unary(
                    call,
                    f.type(),
                    a -> f.out(function.applyAsDouble(f.in(a)), 0) & 0xFFFF
                            | f.out(function.applyAsDouble(f.in(a >>> 16)), 0) << 16 & 0xFFFF_0000L);
        }
        return Arithmetic.unary(call, f.type(), a -> f.out(function.applyAsDouble(f.in(a)), 0));
    }

    private static Step test(Call call) {
        String what = call.need("finite", "infinite", "number", "notanumber", "normal", "subnormal");
        Type type = call.type(Type.F32, Type.F64);
        call.count(2);
        int to = call.predicate(call.operand(0));
        Value a = call.read(1, type);
        Floating f = new Floating(type, Rounding.RN, false, false, false);
        double least = type == Type.F32 ? 0x1p-126 : Double.MIN_NORMAL;
        return (warp, lanes) -> {
            int result = 0;
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                double value = f.in(a.at(warp, lane));
                boolean holds = switch (what) {
                    case "finite" -> Double.isFinite(value);
                    case "infinite" -> Double.isInfinite(value);
                    case "number" -> !Double.isNaN(value);
                    case "notanumber" -> Double.isNaN(value);
                    case "normal" -> Double.isFinite(value) && Math.abs(value) >= least;
                    default -> value != 0 && Math.abs(value) < least;
                };
                result |= holds ? 1 << lane : 0;
            }
            warp.setPredicate(to, lanes, result);
        };
    }
}
