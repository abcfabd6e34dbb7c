package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// What `wgmma` is told of a tile in shared memory: rows of 128 bytes, swizzled, eight rows after the
/// other (PTX ISA, matrix descriptor format).
final class TileDescriptor {
    /// Bytes of a row.
    static final int ROW = 128;

    /// Bytes of eight rows, after which the swizzle repeats: what tiles begin at multiples of.
    static final int EIGHT_ROWS = 8 * ROW;

    private static final long SWIZZLE_128 = 1L << 62;

    private TileDescriptor() {}

    /// @param address of the tile
    /// @param leading bytes from 64 columns of a tile that lies across the depth to the next 64; of one
    ///     along it, any
    /// @return the descriptor in a new register; it counts 16 bytes as one
    static Reg of(PtxKernel k, String name, Reg address, int leading) {
        Reg descriptor = k.reg(Type.U64, name);
        Reg low = k.reg(Type.U32, name + "_low");
        k.shr(low, address, 4);
        k.and(low, low, 0x3FFF);
        k.op("cvt.u64.u32", descriptor, low);
        k.or(descriptor, descriptor, SWIZZLE_128 | (long) (EIGHT_ROWS >> 4) << 32 | (long) (leading >> 4) << 16);
        return descriptor;
    }
}
