package dev.wok.device.emulated;

import java.util.function.LongBinaryOperator;
import org.jspecify.annotations.Nullable;

/// Sums that leave a carry, and those that take one: `add.cc addc sub.cc subc mad.cc madc`.
final class Carries {
    private Carries() {}

    static @Nullable Step decode(Call call) {
        if (call.statement.opcode().equals("madc")) {
            String part = call.need("lo", "hi");
            return product(call, part, true, call.take("cc"));
        }
        return sum(call, call.statement.opcode().equals("subc"), true, call.take("cc"));
    }

    /// @param takes whether it takes the carry of the one before
    /// @param leaves whether it leaves one
    static Step product(Call call, String part, boolean takes, boolean leaves) {
        Type type = type(call);
        LongBinaryOperator product = part.equals("hi") ? (a, b) -> Arithmetic.high(type, a, b) : (a, b) -> a * b;
        call.count(4);
        int to = call.write(0, type);
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Value c = call.read(3, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long x = product.applyAsLong(a.at(warp, lane), b.at(warp, lane));
                warp.registers[to << 5 | lane] =
                        carry(warp, lane, type, x, c.at(warp, lane), takes && isCarried(warp, lane), leaves);
            }
        };
    }

    static Step sum(Call call, boolean subtracts, boolean takes, boolean leaves) {
        Type type = type(call);
        call.count(3);
        int to = call.write(0, type);
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                // What is subtracted is added as its complement; the carry in between is its opposite's one.
                long y = subtracts ? ~b.at(warp, lane) : b.at(warp, lane);
                boolean carry = takes ? isCarried(warp, lane) : subtracts;
                warp.registers[to << 5 | lane] = carry(warp, lane, type, a.at(warp, lane), y, carry, leaves);
            }
        };
    }

    private static boolean isCarried(Warp warp, int lane) {
        return (warp.carry >>> lane & 1) != 0;
    }

    /// @return a sum, whose carry stays behind where it is asked for
    private static long carry(Warp warp, int lane, Type type, long a, long b, boolean carry, boolean leaves) {
        Type unsigned = type.bits == 64 ? Type.U64 : Type.U32;
        long x = unsigned.extend(a);
        long sum = unsigned.extend(x + unsigned.extend(b) + (carry ? 1 : 0));
        if (leaves) {
            boolean over = carry ? Long.compareUnsigned(sum, x) <= 0 : Long.compareUnsigned(sum, x) < 0;
            warp.carry = over ? warp.carry | 1 << lane : warp.carry & ~(1 << lane);
        }
        return sum;
    }

    private static Type type(Call call) {
        return call.type(Type.U32, Type.S32, Type.B32, Type.U64, Type.S64, Type.B64);
    }
}
