package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;

/// Sums and greatest numbers over the threads of a block, in an order that depends on nothing but their number: within
/// each warp by shuffles, then over the warps through shared memory, the first warp's first. A NaN stays one.
final class Sums {
    static final int LANES = 32;

    private Sums() {}

    /// `sums += values`, each its own.
    static void add(PtxKernel k, Reg[] sums, Reg[] values) {
        for (int i = 0; i < sums.length; i++) {
            k.add(sums[i], sums[i], values[i]);
        }
    }

    private interface Join {
        /// `value = value + other`, or the greater of them
        void add(Reg value, Reg other);
    }

    private static Join sum(PtxKernel k) {
        return (value, other) -> k.add(value, value, other);
    }

    private static Join greatest(PtxKernel k) {
        return (value, other) -> k.op("max.NaN.f32", value, value, other);
    }

    /// Every lane gets the sum over its warp.
    static void overWarp(PtxKernel k, Reg value) {
        overWarp(k, value, LANES, sum(k));
    }

    /// Every lane gets the greatest number of its warp.
    static void greatestOfWarp(PtxKernel k, Reg value) {
        overWarp(k, value, LANES, greatest(k));
    }

    /// Every lane gets the sum over its group of so many lanes, a power of two, side by side.
    static void overLanes(PtxKernel k, Reg value, int lanes) {
        overWarp(k, value, lanes, sum(k));
    }

    /// Every lane gets the greatest number of its group of so many lanes, a power of two, side by side.
    static void greatestOfLanes(PtxKernel k, Reg value, int lanes) {
        overWarp(k, value, lanes, greatest(k));
    }

    private static void overWarp(PtxKernel k, Reg value, int lanes, Join join) {
        Reg other = k.reg(Type.F32, "other");
        for (int bits = lanes / 2; bits > 0; bits /= 2) {
            k.shflBfly(other, value, bits);
            join.add(value, other);
        }
    }

    /// Every thread gets the sum over its block. May be called once for each `part`.
    ///
    /// @param part shared memory of a float for each warp
    /// @param lane this thread's number in its warp
    /// @param warp the warp's number
    static void overBlock(PtxKernel k, Reg value, int warps, Symbol part, Reg lane, Reg warp) {
        overBlock(k, value, warps, part, lane, warp, sum(k));
    }

    /// Every thread gets the greatest number of its block. May be called once for each `part`.
    ///
    /// @param part shared memory of a float for each warp
    static void greatestOfBlock(PtxKernel k, Reg value, int warps, Symbol part, Reg lane, Reg warp) {
        overBlock(k, value, warps, part, lane, warp, greatest(k));
    }

    private static void overBlock(PtxKernel k, Reg value, int warps, Symbol part, Reg lane, Reg warp, Join join) {
        overWarp(k, value, LANES, join);
        if (warps == 1) {
            return;
        }
        Reg at = k.reg(Type.U32, "part_at");
        k.mov(at, part);
        k.mad(at, warp, Float.BYTES, at);
        k.when(k.compare(Compare.EQ, lane, 0), () -> k.st(SHARED, at, value));
        k.bar();
        Reg one = k.reg(Type.F32, "one");
        k.ld(SHARED, value, part.at(0));
        for (int i = 1; i < warps; i++) {
            k.ld(SHARED, one, part.at(4L * i));
            join.add(value, one);
        }
    }

    /// Shared memory for [#overBlock].
    static Symbol part(PtxKernel k, String name, int warps) {
        return k.shared(name, Type.F32, warps, Float.BYTES);
    }
}
