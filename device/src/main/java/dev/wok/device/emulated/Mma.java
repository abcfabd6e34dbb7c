package dev.wok.device.emulated;

import org.jspecify.annotations.Nullable;

/// `mma.sync`: `D = A * B + C` by a warp, `[16, k] * [k, 8]`.
///
/// The chip adds the products of one instruction in an order and with a precision of its own; here their sum is exact
/// up to a double and rounded once.
final class Mma {
    private Mma() {}

    static @Nullable Step decode(Call call) {
        call.need("sync");
        call.need("aligned");
        String shape = call.need("m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32");
        int k = Integer.parseInt(shape.substring(shape.indexOf('k') + 1));
        call.need("row");
        call.need("col");
        call.take("kind::f8f6f4");
        boolean isFinite = call.take("satfinite");
        Type d = call.type(Type.F32, Type.F16, Type.S32);
        Type a = call.type();
        Type b = call.type();
        Type c = call.type();
        if (!fits(k, d, a, b, c)) {
            throw call.error("there is no %s of these types".formatted(shape));
        }
        call.count(4);
        int perRegister = 32 / a.bits;
        Type held = a == Type.F16 ? Type.F16X2 : a == Type.BF16 ? Type.BF16X2 : Type.B32;
        Type sumHeld = d == Type.F16 ? Type.F16X2 : d;
        Fragments.Sum sum = Fragments.Sum.of(d);
        int[] to = call.writeVector(0, sumHeld, sum.registers(), false);
        Value[] left = call.readVector(1, held == Type.B32 ? Type.B32 : held, 16 * k / (32 * perRegister), false);
        Value[] right = call.readVector(2, held == Type.B32 ? Type.B32 : held, 8 * k / (32 * perRegister), false);
        Value[] added = call.readVector(3, sumHeld, sum.registers(), false);
        Fragments.Element leftElement = Fragments.element(a);
        Fragments.Element rightElement = Fragments.element(b);
        int[] work = new int[added.length];
        for (int i = 0; i < work.length; i++) {
            work[i] = i;
        }
        return (warp, lanes) -> {
            if (!warp.allTogether(lanes)) {
                return;
            }
            double[] x = Fragments.a(warp, left, k, a.bits, leftElement);
            double[] y = Fragments.b(warp, right, a.bits, rightElement);
            long[] before = new long[added.length << 5];
            for (int i = 0; i < added.length; i++) {
                for (int lane = 0; lane < Warp.LANES; lane++) {
                    before[i << 5 | lane] = added[i].at(warp, lane);
                }
            }
            for (int row = 0; row < 16; row++) {
                for (int column = 0; column < 8; column++) {
                    double total = sum.get(before, work, 0, row, column);
                    for (int i = 0; i < k; i++) {
                        total += x[row * k + i] * y[i * 8 + column];
                    }
                    sum.set(warp.registers, to, 0, row, column, total, isFinite);
                }
            }
        };
    }

    private static boolean fits(int k, Type d, Type a, Type b, Type c) {
        boolean isByte = a.isInteger() && a.bits == 8 && b.isInteger() && b.bits == 8;
        if (isByte) {
            return d == Type.S32 && c == Type.S32 && (k == 16 || k == 32);
        }
        boolean isFp8 = (a == Type.E4M3 || a == Type.E5M2) && (b == Type.E4M3 || b == Type.E5M2);
        if (isFp8) {
            return d == c && d != Type.S32 && (k == 32 || k == 16);
        }
        return switch (a) {
            case TF32 -> b == a && d == Type.F32 && c == d && (k == 4 || k == 8);
            case BF16 -> b == a && d == Type.F32 && c == d && (k == 8 || k == 16);
            case F16 -> b == a && d == c && d != Type.S32 && (k == 8 || k == 16);
            default -> false;
        };
    }
}
