package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Rounds numbers as they enter a product in bf16.
final class Rounding {
    /// Bytes of a bf16.
    static final int BYTES = 2;

    private Rounding() {}

    /// To the nearest, even where two are. A bf16 is the upper half of a float32 with zeros below.
    static void toBf16(PtxKernel k, Reg... values) {
        Reg pair = k.reg(Type.BF16X2, "pair");
        Reg zero = k.reg(Type.F32, "zero", 0f);
        for (Reg value : values) {
            k.cvt(pair, value, zero);
            k.op("mov.b32", value, pair);
        }
    }
}
