package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;

/// Adds the parts of each row's dot in their order: the gradient of the weight that the row's slot has. A slot outside
/// of the table has none.
///
/// @param out what the weights' gradients are stored in, one by one
record AddParts(Elements out) {
    private static final int THREADS = 128;

    Launch launch(int rows) {
        return Launch.of(Math.ceilDiv(rows, THREADS), THREADS);
    }

    void write(PtxKernel k) {
        k.maxThreads(THREADS);
        Reg parts = k.param("parts", Type.U64);
        Reg rowSlot = k.param("row_slot", Type.U64);
        Reg to = k.param("to", Type.U64);
        Reg rows = k.param("rows", Type.U32);
        Reg each = k.param("parts_each", Type.U32);
        Reg row = k.reg(Type.U32, "row", Special.CTAID_X);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        k.mad(row, row, THREADS, tid);
        k.when(k.compare(Compare.GE, row, rows), k::ret);
        Reg at = k.reg(Type.U64, "at");
        Reg slot = k.reg(Type.U32, "slot");
        Reg sum = k.reg(Type.F32, "sum", 0f);
        Reg part = k.reg(Type.F32, "part");
        k.madWide(at, row, Integer.BYTES, rowSlot);
        k.ld(GLOBAL, slot, at);
        k.when(k.compare(Compare.GE, slot, rows), k::ret);
        k.mulWide(at, row, each);
        k.mad(at, at, (long) Float.BYTES, parts);
        k.loop("i", 0, each, 1, _ -> {
            k.ld(GLOBAL, part, at);
            k.add(sum, sum, part);
            k.add(at, at, Float.BYTES);
        });
        k.madWide(at, slot, out.bytes(), to);
        out.store(k, at, sum);
    }
}
