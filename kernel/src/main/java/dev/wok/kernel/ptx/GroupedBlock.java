package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;

/// What a block of an [ExpertProduct] does: an expert, whose rows are `begin` to `end`, and a tile of
/// its result.
///
/// @param firstRow of the tile
/// @param endRow behind the last that there is
/// @param firstColumn of the tile
record GroupedBlock(Reg expert, Reg begin, Reg end, Reg firstRow, Reg endRow, Reg firstColumn) {
    /// So many tiles of rows are taken through all columns together, so that both operands stay in the
    /// cache.
    private static final int TOGETHER = 8;

    private static final int FULL_WARP = -1;

    /// @return how many blocks there must be: as many as the rows could need however they are spread
    static int blocks(GroupedArguments.Problem p, int m, int columns) {
        int across = Math.ceilDiv(p.width(), columns);
        long tiles = p.what().isGradient()
                ? (long) p.experts() * Math.ceilDiv(p.height(), m)
                : Math.ceilDiv(p.rows() / m + Math.min(p.experts(), p.rows()), TOGETHER) * (long) TOGETHER;
        return Math.toIntExact(tiles * across);
    }

    /// Finds a block's part; a block that has none ends.
    ///
    /// @param m rows of a tile
    /// @param columns of the result that a tile has
    static GroupedBlock find(PtxKernel k, ExpertProduct what, GroupedArguments a, int m, int columns, Reg lane) {
        Reg id = k.reg(Type.U32, "id", Special.CTAID_X);
        return find(k, what, a, m, columns, lane, id, false);
    }

    /// Finds a part, in a loop over all of them: it goes on where there is none, and ends where no more
    /// will come.
    ///
    /// @param id of the part, unchanged
    static GroupedBlock next(
            PtxKernel k, ExpertProduct what, GroupedArguments a, int m, int columns, Reg lane, Reg id) {
        return find(k, what, a, m, columns, lane, k.reg(Type.U32, "id", id), true);
    }

    private static GroupedBlock find(
            PtxKernel k,
            ExpertProduct what,
            GroupedArguments a,
            int m,
            int columns,
            Reg lane,
            Reg id,
            boolean isInLoop) {
        Reg across = tiles(k, "tiles_across", a.width(), columns);
        return what.isGradient()
                ? ofGradient(k, a, m, columns, id, across, isInLoop)
                : ofRows(k, a, m, columns, id, across, lane, isInLoop);
    }

    private static void leave(PtxKernel k, Reg isNone, boolean isInLoop) {
        if (isInLoop) {
            k.continueIf(isNone);
        } else {
            k.when(isNone, k::ret);
        }
    }

    private static Reg tiles(PtxKernel k, String name, Reg size, int tile) {
        Reg tiles = k.reg(Type.U32, name);
        k.add(tiles, size, tile - 1);
        k.div(tiles, tiles, tile);
        return tiles;
    }

    private static GroupedBlock ofGradient(
            PtxKernel k, GroupedArguments a, int m, int columns, Reg id, Reg across, boolean isInLoop) {
        Reg expert = k.reg(Type.U32, "expert");
        Reg row = k.reg(Type.U32, "first_row");
        Reg column = k.reg(Type.U32, "first_column");
        Reg down = tiles(k, "tiles_down", a.height(), m);
        k.rem(column, id, across);
        k.div(id, id, across);
        k.rem(row, id, down);
        k.div(expert, id, down);
        k.mul(column, column, columns);
        k.mul(row, row, m);
        Reg at = k.reg(Type.U64, "offset_at");
        Reg begin = k.reg(Type.U32, "begin");
        Reg end = k.reg(Type.U32, "end");
        k.madWide(at, expert, Integer.BYTES, a.offsets());
        k.ld(GLOBAL, begin, at);
        k.ld(GLOBAL, end, at.at(Integer.BYTES));
        k.min(begin, begin, a.rows());
        k.min(end, end, a.rows());
        leave(k, k.compare(Compare.GE, begin, end), isInLoop);
        return new GroupedBlock(expert, begin, end, row, a.height(), column);
    }

    /// @return how many products each of its sums has
    Reg depth(PtxKernel k, ExpertProduct what, GroupedArguments a) {
        if (!what.isGradient()) {
            return a.depth();
        }
        Reg rows = k.reg(Type.U32, "rows_of_expert");
        k.sub(rows, end, begin);
        return rows;
    }

    /// Each warp goes through all experts, so many to a lane: the lane that meets the tile tells the
    /// others.
    private static GroupedBlock ofRows(
            PtxKernel k, GroupedArguments a, int m, int columns, Reg id, Reg across, Reg lane, boolean isInLoop) {
        k.comment("which tile of the rows, which of the columns");
        Reg together = k.reg(Type.U32, "together");
        Reg tile = k.reg(Type.U32, "tile");
        Reg column = k.reg(Type.U32, "first_column");
        Reg inside = k.reg(Type.U32, "inside");
        k.mul(together, across, TOGETHER);
        k.div(tile, id, together);
        k.rem(inside, id, together);
        k.mul(tile, tile, TOGETHER);
        k.div(column, inside, TOGETHER);
        k.and(inside, inside, TOGETHER - 1);
        k.add(tile, tile, inside);
        k.mul(column, column, columns);

        k.comment("the tiles of this lane's experts, and of those before");
        Reg each = tiles(k, "experts_each", a.experts(), Sums.LANES);
        Reg first = k.reg(Type.U32, "first_expert");
        Reg last = k.reg(Type.U32, "last_expert");
        Reg end = k.reg(Type.U32, "tiles_end", 0);
        k.mul(first, lane, each);
        k.min(first, first, a.experts());
        k.add(last, first, each);
        k.min(last, last, a.experts());
        eachExpert(k, a, m, first, last, (_, _, _, tiles) -> k.add(end, end, tiles));
        Reg from = k.reg(Type.U32, "tiles_from", end);
        Reg before = k.reg(Type.U32, "tiles_before");
        for (int lanes = 1; lanes < Sums.LANES; lanes *= 2) {
            k.shflUp(before, end, lanes);
            Reg isInside = k.compare(Compare.GE, lane, lanes);
            k.onlyIf(isInside, () -> k.add(end, end, before));
        }
        k.sub(from, end, from);
        Reg isMine = k.compare(Compare.LE, from, tile);
        Reg isBelow = k.compare(Compare.LT, tile, end);
        k.op("and.pred", isMine, isMine, isBelow);
        Reg owners = k.reg(Type.B32, "owners");
        k.op("vote.sync.ballot.b32", owners, isMine, FULL_WARP);
        if (isInLoop) {
            Reg all = k.reg(Type.U32, "tiles_of_all");
            k.shflIdx(all, end, Sums.LANES - 1);
            k.sub(inside, tile, inside);
            k.breakIf(k.compare(Compare.GE, inside, all));
        }
        leave(k, k.compare(Compare.EQ, owners, 0), isInLoop);

        k.comment("the expert");
        Reg expert = k.reg(Type.U32, "expert", 0);
        Reg begin = k.reg(Type.U32, "begin", 0);
        Reg behind = k.reg(Type.U32, "end", 0);
        Reg firstRow = k.reg(Type.U32, "first_row", 0);
        k.when(
                isMine,
                () -> eachExpert(k, a, m, first, last, (e, rowsFrom, rowsEnd, tiles) -> {
                    Reg inExpert = k.reg(Type.U32, "in_expert");
                    k.sub(inExpert, tile, from);
                    Reg isIt = k.compare(Compare.LT, inExpert, tiles);
                    k.when(isIt, () -> {
                        k.mov(expert, e);
                        k.mov(begin, rowsFrom);
                        k.mov(behind, rowsEnd);
                        k.mad(firstRow, inExpert, m, rowsFrom);
                        k.op("mov.u32", from, FULL_WARP);
                    });
                    k.onlyIf(isIt.not(), () -> k.add(from, from, tiles));
                    k.breakIf(isIt);
                }));
        Reg owner = k.reg(Type.U32, "owner");
        k.op("bfind.u32", owner, owners);
        for (Reg value : new Reg[] {expert, begin, behind, firstRow}) {
            k.shflIdx(value, value, owner);
        }
        return new GroupedBlock(expert, begin, behind, firstRow, behind, column);
    }

    private interface Expert {
        /// @param begin its first row
        /// @param end behind its last row
        /// @param tiles that its rows take
        void at(Reg expert, Reg begin, Reg end, Reg tiles);
    }

    private static void eachExpert(PtxKernel k, GroupedArguments a, int m, Reg first, Reg last, Expert body) {
        Reg at = k.reg(Type.U64, "offset_at");
        Reg begin = k.reg(Type.U32, "rows_from");
        Reg end = k.reg(Type.U32, "rows_end");
        Reg tiles = k.reg(Type.U32, "tiles");
        k.madWide(at, first, Integer.BYTES, a.offsets());
        k.ld(GLOBAL, end, at);
        k.min(end, end, a.rows());
        k.loop("e", first, last, 1, e -> {
            k.add(at, at, Integer.BYTES);
            k.mov(begin, end);
            k.ld(GLOBAL, end, at);
            k.min(end, end, a.rows());
            k.max(end, end, begin);
            k.sub(tiles, end, begin);
            k.add(tiles, tiles, m - 1);
            k.div(tiles, tiles, m);
            body.at(e, begin, end, tiles);
        });
    }
}
