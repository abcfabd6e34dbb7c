package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.TensorMap;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.Tensor;

/// Tiles of attention's rows in shared memory, as the copy engine writes them and `wgmma` reads them:
/// columns lie in blocks of 64, each row of a block 128 bytes, swizzled; the next block follows the
/// last row of the one before. Columns and tokens that a tensor does not have arrive as zeros.
record HopperTiles(PtxKernel k) {
    /// Columns of a block, and the bytes of its rows.
    static final int COLUMNS = 64;

    static final int ROW = COLUMNS * Rounding.BYTES;

    /// Bytes of eight rows, after which the swizzle repeats.
    static final int EIGHT_ROWS = TileDescriptor.EIGHT_ROWS;

    /// Rows that one instruction multiplies, and the threads that share it.
    static final int GROUP_ROWS = 64;

    static final int GROUP = 128;
    static final int GROUP_WARPS = GROUP / Sums.LANES;

    private static final int PIECE = 16;

    /// Where rows are multiplied with one another it says nothing.
    private static final int LEADING_OF_ROWS = 16;

    /// What is added over in one instruction.
    private static final int DEPTH = 16;

    static int blocks(int dim) {
        return (dim + COLUMNS - 1) / COLUMNS;
    }

    /// @return the bytes of a tile
    static int bytes(int rows, int dim) {
        return blocks(dim) * rows * ROW;
    }

    /// @return numbers that a thread has of a row's sums
    static int numbers(int dim) {
        return blocks(dim) * COLUMNS / 2;
    }

    /// @param tensor `[tokens, heads, dim]`
    static TensorMap map(Tensor tensor, int rows) {
        return TensorMap.of(tensor, rows, 1, COLUMNS).withSwizzle(TensorMap.Swizzle.B128);
    }

    void init(Reg barriers, int i, int count) {
        Barrier.init(k, barriers.at((long) i * Long.BYTES), count);
    }

    void await(Reg barrier, Object parity) {
        Barrier.await(k, barrier.at(0), parity);
    }

    void arrive(Reg barrier) {
        Barrier.arrive(k, barrier.at(0));
    }

    void expect(Reg barrier, int bytes) {
        Barrier.arriveAndExpect(k, barrier.at(0), bytes);
    }

    /// Sets out to copy a tile of a head.
    void copy(Reg map, int dim, Reg to, int rows, Reg ofHead, Reg token, Reg barrier) {
        for (int i = 0; i < blocks(dim); i++) {
            k.op(
                    "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes",
                    to.at((long) i * rows * ROW),
                    tensor(map, i * COLUMNS, ofHead, token),
                    barrier.at(0));
        }
    }

    Reg behind(String name, Reg before, int bytes) {
        Reg at = k.reg(Type.U32, name);
        k.add(at, before, bytes);
        return at;
    }

    Reg[] zeros(String name, int count) {
        Reg[] all = k.regs(Type.F32, name, count);
        for (Reg one : all) {
            k.mov(one, 0f);
        }
        return all;
    }

    /// @return the descriptor of a tile whose rows are multiplied with one another
    Reg rows(String name, Reg address) {
        return TileDescriptor.of(k, name, address, LEADING_OF_ROWS);
    }

    /// @return the descriptor of a tile whose rows are added up
    Reg columns(String name, Reg address, int rows) {
        return TileDescriptor.of(k, name, address, rows * ROW);
    }

    /// Sets out to multiply 64 rows with each row of a tile.
    ///
    /// @param left of [#rows], of a tile of `leftRows`
    /// @param right of [#rows], of `2 * into.length` rows
    void products(Reg[] into, Reg left, int leftRows, Reg right, int dim) {
        int tile = 2 * into.length;
        Reg a = k.reg(Type.U64, "left");
        Reg b = k.reg(Type.U64, "right");
        Reg adds = k.reg(Type.PRED, "adds");
        k.op("wgmma.fence.sync.aligned");
        for (int i = 0; i < blocks(dim) * 4; i++) {
            k.add(a, left, i / 4 * (leftRows * ROW >> 4) + i % 4 * 2L);
            k.add(b, right, i / 4 * (tile * ROW >> 4) + i % 4 * 2L);
            k.setp(Compare.NE, adds, i == 0 ? 0 : 1, 0);
            k.op(
                    "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(tile),
                    vec(into),
                    a,
                    b,
                    adds,
                    1,
                    1,
                    0,
                    0);
        }
        k.op("wgmma.commit_group.sync.aligned");
    }

    /// @return weights in bf16, as a left operand
    Reg[][] rounded(Reg[] weights) {
        Reg[][] a = new Reg[2 * weights.length / DEPTH][];
        for (int step = 0; step < a.length; step++) {
            a[step] = k.regs(Type.B32, "weights", 4);
        }
        round(a, weights);
        return a;
    }

    /// @param a of [#rounded]
    void round(Reg[][] a, Reg[] weights) {
        for (int step = 0; step < a.length; step++) {
            for (int i = 0; i < 4; i++) {
                int s = 8 * step + 2 * i;
                k.op("cvt.rn.bf16x2.f32", a[step][i], weights[s + 1], weights[s]);
            }
        }
    }

    /// Sets out to add a tile's rows under their weights.
    ///
    /// @param a of [#rounded]
    /// @param rows of [#columns]
    void add(Reg[] sums, Reg[][] a, Reg rows) {
        Reg b = k.reg(Type.U64, "values");
        Reg adds = k.reg(Type.PRED, "adds");
        k.setp(Compare.EQ, adds, 0, 0);
        k.op("wgmma.fence.sync.aligned");
        for (int step = 0; step < a.length; step++) {
            k.add(b, rows, (long) step * (2 * EIGHT_ROWS >> 4));
            k.op(
                    "wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16".formatted(sums.length * 2),
                    vec(sums),
                    vec(a[step]),
                    b,
                    adds,
                    1,
                    1,
                    1);
        }
        k.op("wgmma.commit_group.sync.aligned");
    }

    /// Waits for what was set out to be multiplied.
    ///
    /// @param open how many of the last commissions may still run
    void finish(int open) {
        k.op("wgmma.wait_group.sync.aligned", open);
    }

    /// Lets infinities and NaN of a tile count for the rows alone that see them.
    ///
    /// @param special of the threads that multiply
    /// @param worker this thread's number among them
    /// @param isPositive of [AttentionRows#addSpecial]
    void splitOff(
            SpecialNumbers special,
            AttentionRows rows,
            Reg[] sums,
            int tile,
            Reg other,
            Reg[] limits,
            boolean isPositive,
            Reg worker,
            Reg tileAt) {
        special.splitOff(
                body -> {
                    Reg place = k.reg(Type.U32, "piece_at");
                    k.loop("check", worker, tile * sums.length * 2 * Rounding.BYTES / PIECE, special.threads(), i -> {
                        k.mad(place, i, PIECE, tileAt);
                        body.accept(place);
                    });
                },
                () -> rows.addSpecial(new Reg[][] {sums}, tile, other, limits, isPositive, line -> {
                    Reg lineAt = k.reg(Type.U32, "special_line");
                    Reg turn = k.reg(Type.U32, "special_turn");
                    Reg at = k.reg(Type.U32, "special_at");
                    k.mad(lineAt, line, ROW, tileAt);
                    k.mad(lineAt, rows.pair(), Rounding.BYTES, lineAt);
                    k.and(turn, line, 7);
                    k.shl(turn, turn, 4);
                    return piece -> {
                        k.xor(at, turn, piece % 8 * PIECE);
                        k.add(at, at, lineAt);
                        return at.at((long) piece / 8 * tile * ROW);
                    };
                }));
    }
}
