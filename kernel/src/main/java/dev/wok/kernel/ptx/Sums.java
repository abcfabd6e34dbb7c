package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;

/// Sums over the threads of a block, in an order that depends on nothing but their number: within each warp by
/// shuffles, then over the warps through shared memory, the first warp's first.
final class Sums {
    static final int LANES = 32;

    private Sums() {}

    /// Every lane gets the sum over its warp.
    static void overWarp(PtxKernel k, Reg value) {
        Reg other = k.reg(Type.F32, "other");
        for (int bits = LANES / 2; bits > 0; bits /= 2) {
            k.shflBfly(other, value, bits);
            k.add(value, value, other);
        }
    }

    /// Every thread gets the sum over its block. May be called once for each `part`.
    ///
    /// @param part shared memory of a float for each warp
    /// @param lane this thread's number in its warp
    /// @param warp the warp's number
    static void overBlock(PtxKernel k, Reg value, int warps, Symbol part, Reg lane, Reg warp) {
        overWarp(k, value);
        if (warps == 1) {
            return;
        }
        Reg at = k.reg(Type.U32, "part_at");
        k.mov(at, part);
        k.mad(at, warp, Float.BYTES, at);
        k.when(k.compare(Compare.EQ, lane, 0), () -> k.st(SHARED, at, value));
        k.bar();
        Reg one = k.reg(Type.F32, "one");
        k.mov(value, 0f);
        for (int i = 0; i < warps; i++) {
            k.ld(SHARED, one, part.at(4L * i));
            k.add(value, value, one);
        }
    }

    /// Shared memory for [#overBlock].
    static Symbol part(PtxKernel k, String name, int warps) {
        return k.shared(name, Type.F32, warps, Float.BYTES);
    }
}
