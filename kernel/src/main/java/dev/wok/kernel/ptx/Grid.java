package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import java.util.function.Consumer;

/// A thread for each number, or for some that lie side by side: of a matrix, columns along x and rows
/// along y, or of all that lies from one place to another.
final class Grid {
    /// Threads of a block at most.
    static final int THREADS = 256;

    private static final int MOST_ROWS = 65535;

    private Grid() {}

    /// How [#eachOfRows] is launched: blocks as wide as a row, where it is short, and as many rows as
    /// fit.
    ///
    /// @param count numbers that a thread takes
    static Launch rows(int rows, int n, int count) {
        int wide = Math.ceilDiv(n, count);
        int blocks = Math.ceilDiv(wide, THREADS);
        int width = Math.ceilDiv(wide, blocks);
        int height = THREADS / width;
        return Launch.of(1, 1)
                .withBlock(width, height, 1)
                .withGrid(blocks, Math.min(Math.ceilDiv(rows, height), MOST_ROWS), 1);
    }

    /// Takes a thread's numbers in a row, the first of them in this column.
    interface Cell {
        void at(Reg row, Reg column);
    }

    static void eachOfRows(PtxKernel k, int count, Reg rows, Reg n, Cell body) {
        k.maxThreads(THREADS);
        Reg column = k.reg(Type.U32, "column", Special.TID_X);
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg width = k.reg(Type.U32, "width", Special.NTID_X);
        k.mad(column, block, width, column);
        k.mul(column, column, count);
        k.when(k.compare(Compare.GE, column, n), k::ret);
        Reg first = k.reg(Type.U32, "first_row", Special.TID_Y);
        Reg height = k.reg(Type.U32, "height", Special.NTID_Y);
        Reg blockRow = k.reg(Type.U32, "block_row", Special.CTAID_Y);
        Reg step = k.reg(Type.U32, "row_step", Special.NCTAID_Y);
        k.mad(first, blockRow, height, first);
        k.mul(step, step, height);
        k.loop("row", first, rows, step, row -> body.at(row, column));
    }

    /// How [#each] is launched.
    ///
    /// @param count numbers that a thread takes
    static Launch all(long elements, int count) {
        return Launch.of(
                (int) Math.clamp(Math.ceilDiv(elements, (long) THREADS * count), 1, Integer.MAX_VALUE), THREADS);
    }

    /// @param elements how many there are, of 64 bits
    /// @param body is given the index of a thread's first number, of 64 bits
    static void each(PtxKernel k, int count, Reg elements, Consumer<Reg> body) {
        k.maxThreads(THREADS);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg blocks = k.reg(Type.U32, "blocks", Special.NCTAID_X);
        Reg first = k.reg(Type.U64, "first");
        Reg step = k.reg(Type.U64, "step");
        Reg wide = k.reg(Type.U64, "wide");
        k.op("cvt.u64.u32", wide, tid);
        k.mulWide(first, block, THREADS);
        k.add(first, first, wide);
        k.mul(first, first, count);
        k.mulWide(step, blocks, THREADS * count);
        k.loop("i", first, elements, step, body);
    }
}
