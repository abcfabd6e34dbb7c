package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Sums in float64 over a warp, in the order of [Sums].
final class DoubleSums {
    private DoubleSums() {}

    /// Every lane gets the sum over its warp.
    static void overWarp(PtxKernel k, Reg value) {
        Reg low = k.reg(Type.B32, "low");
        Reg high = k.reg(Type.B32, "high");
        Reg other = k.reg(Type.F64, "other");
        for (int bits = Sums.LANES / 2; bits > 0; bits /= 2) {
            k.op("mov.b64", vec(low, high), value);
            k.shflBfly(low, low, bits);
            k.shflBfly(high, high, bits);
            k.op("mov.b64", other, vec(low, high));
            k.add(value, value, other);
        }
    }

    /// @return new registers with these numbers of float32
    static Reg[] wide(PtxKernel k, String name, Reg... values) {
        Reg[] wide = k.regs(Type.F64, name, values.length);
        for (int i = 0; i < values.length; i++) {
            k.op("cvt.f64.f32", wide[i], values[i]);
        }
        return wide;
    }
}
