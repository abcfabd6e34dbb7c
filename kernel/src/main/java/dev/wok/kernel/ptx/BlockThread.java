package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;

/// Which thread of a block this is, where blocks have one dimension.
///
/// @param lane its number in its warp
/// @param warp the warp's number in the block
record BlockThread(Reg number, Reg lane, Reg warp) {
    static BlockThread of(PtxKernel k) {
        Reg number = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        k.and(lane, number, Sums.LANES - 1);
        k.shr(warp, number, 5);
        return new BlockThread(number, lane, warp);
    }
}
