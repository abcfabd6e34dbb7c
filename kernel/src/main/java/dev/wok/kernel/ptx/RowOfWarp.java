package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;

/// A row for each warp, four to a block.
///
/// @param row which one this warp's is
record RowOfWarp(Reg row, Reg lane) {
    private static final int WARPS = 4;

    static Launch launch(long rows) {
        return Launch.of(Math.toIntExact(Math.ceilDiv(rows, WARPS)), WARPS * Sums.LANES);
    }

    /// Warps behind the last row end here.
    static RowOfWarp of(PtxKernel k, Reg rows) {
        k.maxThreads(WARPS * Sums.LANES);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg row = k.reg(Type.U32, "row", Special.CTAID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.mad(row, row, WARPS, warp);
        k.when(k.compare(Compare.GE, row, rows), k::ret);
        return new RowOfWarp(row, lane);
    }
}
