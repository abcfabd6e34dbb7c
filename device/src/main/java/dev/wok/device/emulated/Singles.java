package dev.wok.device.emulated;

import dev.wok.device.emulated.Arithmetic.Floating;
import org.jspecify.annotations.Nullable;

/// Arithmetic of singles rounded to the nearest, which the host does itself.
final class Singles {
    private static final long NAN = 0x7FFF_FFFFL;

    private interface OnTwo {
        float apply(float a, float b);
    }

    private Singles() {}

    /// @return the instruction, or null where it is no such one
    static @Nullable Step decode(Call call, Floating f, String operation) {
        if (f.type() != Type.F32 || f.rounding() != Rounding.RN || f.isSaturated() || f.isRelu()) {
            return null;
        }
        boolean flushes = f.isFlushed();
        return switch (operation) {
            case "add" -> two(call, flushes, (a, b) -> a + b);
            case "sub" -> two(call, flushes, (a, b) -> a - b);
            case "mul" -> two(call, flushes, (a, b) -> a * b);
            case "div" -> two(call, flushes, (a, b) -> a / b);
            default -> fused(call, flushes);
        };
    }

    private static Step two(Call call, boolean flushes, OnTwo operator) {
        return Arithmetic.binary(
                call, Type.F32, (a, b) -> out(operator.apply(in(a, flushes), in(b, flushes)), flushes));
    }

    private static Step fused(Call call, boolean flushes) {
        return Arithmetic.ternary(
                call, Type.F32, (a, b, c) -> out(Math.fma(in(a, flushes), in(b, flushes), in(c, flushes)), flushes));
    }

    private static float in(long raw, boolean flushes) {
        float value = Float.intBitsToFloat((int) raw);
        return flushes ? flushed(value) : value;
    }

    private static float flushed(float value) {
        return Math.abs(value) < Float.MIN_NORMAL ? Math.copySign(0f, value) : value;
    }

    private static long out(float value, boolean flushes) {
        if (Float.isNaN(value)) {
            return NAN;
        }
        return Float.floatToRawIntBits(flushes ? flushed(value) : value) & 0xFFFF_FFFFL;
    }
}
