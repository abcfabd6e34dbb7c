package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;

/// Copies a matrix as bf16, turned over where that is asked for: what [Bf16Product] cannot read where it lies. A block
/// moves 32 rows and columns through shared memory, so that both sides see neighbours.
///
/// @param from F32 or BF16
/// @param isTransposed whether columns become rows
record PackBf16(DType from, boolean isTransposed) {
    private static final int SIDE = 32;
    private static final int THREAD_ROWS = 8;

    /// A row of the tile in shared memory, one longer so that a column lies in all banks.
    private static final int TILE_ROW = (SIDE + 1) * Float.BYTES;

    /// @param rows of what is read
    /// @param columns of what is read
    Launch launch(int rows, int columns) {
        return Launch.of(1, 1)
                .withGrid((columns + SIDE - 1) / SIDE, (rows + SIDE - 1) / SIDE, 1)
                .withBlock(SIDE, THREAD_ROWS, 1);
    }

    void write(PtxKernel k) {
        Elements source = new Elements(from, 1);
        Elements target = new Elements(DType.BF16, 1);
        Reg in = k.param("from", Type.U64);
        Reg inRow = k.param("from_row_bytes", Type.U64);
        Reg out = k.param("to", Type.U64);
        Reg outRow = k.param("to_row_bytes", Type.U64);
        Reg rows = k.param("rows", Type.U32);
        Reg columns = k.param("columns", Type.U32);
        Symbol tile = k.shared("tile", Type.F32, SIDE * (SIDE + 1), Float.BYTES);
        Reg x = k.reg(Type.U32, "x", Special.TID_X);
        Reg y = k.reg(Type.U32, "y", Special.TID_Y);
        Reg left = k.reg(Type.U32, "left", Special.CTAID_X);
        Reg top = k.reg(Type.U32, "top", Special.CTAID_Y);
        Reg tileAt = k.reg(Type.U32, "tile_at");
        k.mov(tileAt, tile);
        k.mul(left, left, SIDE);
        k.mul(top, top, SIDE);
        k.comment("in by rows");
        each(k, source, in, inRow, rows, columns, top, left, x, y, (at, inTile) -> {
            Reg place = place(k, tileAt, inTile, x);
            k.st(SHARED, place, source.load(k, "value", at)[0]);
        });
        k.bar();
        k.comment(isTransposed ? "out by columns" : "out by rows");
        Reg height = isTransposed ? columns : rows;
        Reg width = isTransposed ? rows : columns;
        each(
                k,
                target,
                out,
                outRow,
                height,
                width,
                isTransposed ? left : top,
                isTransposed ? top : left,
                x,
                y,
                (at, inTile) -> {
                    Reg place = isTransposed ? place(k, tileAt, x, inTile) : place(k, tileAt, inTile, x);
                    Reg value = k.reg(Type.F32, "value");
                    k.ld(SHARED, value, place);
                    target.store(k, at, value);
                });
    }

    /// Takes a number of the matrix.
    private interface Number {
        /// @param at its address
        /// @param inTile its row in the tile; its column there is the thread's `x`
        void at(Reg at, Reg inTile);
    }

    private static Reg place(PtxKernel k, Reg tile, Reg row, Reg column) {
        Reg place = k.reg(Type.U32, "place");
        k.mad(place, row, TILE_ROW, tile);
        k.mad(place, column, Float.BYTES, place);
        return place;
    }

    private static void each(
            PtxKernel k,
            Elements elements,
            Reg matrix,
            Reg rowBytes,
            Reg rows,
            Reg columns,
            Reg firstRow,
            Reg firstColumn,
            Reg x,
            Reg y,
            Number body) {
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        k.add(column, firstColumn, x);
        Reg isInside = k.compare(Compare.LT, column, columns);
        k.loop("in_tile", y, SIDE, THREAD_ROWS, inTile -> {
            k.add(row, firstRow, inTile);
            Reg isRow = k.compare(Compare.LT, row, rows);
            k.op("and.pred", isRow, isRow, isInside);
            k.when(isRow, () -> {
                Reg wide = k.reg(Type.U64, "wide");
                Reg at = k.reg(Type.U64, "at");
                k.op("cvt.u64.u32", wide, row);
                k.mad(at, wide, rowBytes, matrix);
                k.madWide(at, column, elements.bytes(), at);
                body.at(at, inTile);
            });
        });
    }
}
