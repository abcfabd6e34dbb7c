package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// How the rows that a query sees are cut into parts which different blocks take: by their own number alone, so that
/// the bits of its result depend on nothing else. Chunks are of one size, which doubles as rows grow more.
///
/// @param least rows of a chunk, a power of two
/// @param most rows of a chunk, a power of two
/// @param parts how many there are until chunks are the largest
record Chunks(int least, int most, int parts) {
    static Chunks of(int rows) {
        return new Chunks(rows, rows, 1);
    }

    /// @return the most chunks that up to so many rows have
    int count(long rows) {
        long small = Math.min(Math.ceilDiv(rows, least), least == most ? Long.MAX_VALUE : parts);
        return Math.toIntExact(Math.max(1, Math.max(small, Math.ceilDiv(rows, most))));
    }

    /// @param rows how many a query sees, at least one
    /// @return a new register with the rows of a chunk
    Reg size(PtxKernel k, Reg rows) {
        Reg size = k.reg(Type.U32, "chunk", least);
        if (least < most) {
            Reg share = k.reg(Type.U32, "share_of_rows");
            k.comment("the smallest power of two of which so many parts hold the rows");
            k.sub(share, rows, 1);
            k.div(share, share, parts);
            k.op("bfind.u32", share, share);
            k.shl(size, 2, share);
            k.max(size, size, least);
            k.min(size, size, most);
        }
        return size;
    }
}
