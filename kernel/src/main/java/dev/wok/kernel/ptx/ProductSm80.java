package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.device.GpuFacts;
import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Space;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.ptx.Product.Factors;
import dev.wok.kernel.ptx.Product.Form;
import dev.wok.kernel.ptx.Product.Numbers;
import dev.wok.kernel.ptx.Product.Result;
import dev.wok.kernel.ptx.Product.Ring;
import dev.wok.kernel.ptx.Product.Tiles;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Products in bf16 or E4M3 by `mma.sync`, for every chip from sm_80 on.
///
/// Threads copy the next stages' tiles into shared memory (`cp.async`) while the warps multiply the present one.
/// `ldmatrix` reads a tile along `k` or, transposing, across, so operands stay as they lie.
///
/// @param m rows of a block's tile, a power of two
/// @param n columns of it, a power of two
/// @param depth of a stage: 32 or 64 of `k`; a group, 128, of numbers with scales
/// @param stages of the ring in shared memory
/// @param warpsM warps along the rows
/// @param warpsN warps along the columns
record ProductSm80(Form form, int m, int n, int depth, int stages, int warpsM, int warpsN) implements ProductKernel {
    private static final int PIECE = 16;

    /// Bytes of a row that one fragment takes.
    private static final int STEP = 2 * PIECE;

    /// What a block may have on the chips of this generation that have least, and what the system keeps of it.
    private static final int SHARED_OVERHEAD = 1024;

    static List<ProductSm80> candidates(GpuFacts chip, Form form) {
        return (form.numbers().isScaled() ? scaled(form) : plain(form))
                .filter(kernel -> kernel.sharedBytes() <= chip.sharedBytes())
                .toList();
    }

    private static Stream<ProductSm80> plain(Form form) {
        return Stream.of(
                new ProductSm80(form, 16, 16, 32, 12, 1, 1),
                new ProductSm80(form, 16, 32, 64, 8, 1, 2),
                new ProductSm80(form, 16, 64, 64, 6, 1, 4),
                new ProductSm80(form, 32, 64, 64, 4, 1, 4),
                new ProductSm80(form, 64, 64, 32, 4, 2, 2),
                new ProductSm80(form, 64, 128, 32, 4, 2, 4),
                new ProductSm80(form, 128, 64, 32, 4, 4, 2),
                new ProductSm80(form, 128, 128, 32, 4, 2, 4),
                new ProductSm80(form, 128, 128, 64, 3, 2, 4),
                new ProductSm80(form, 128, 256, 32, 4, 2, 4),
                new ProductSm80(form, 256, 128, 32, 4, 4, 2));
    }

    /// A stage is a group of `k`, and a tile no wider than one of columns. Widening takes registers.
    private static Stream<ProductSm80> scaled(Form form) {
        return Stream.of(
                new ProductSm80(form, 16, 32, 128, 8, 1, 2),
                new ProductSm80(form, 16, 64, 128, 6, 1, 4),
                new ProductSm80(form, 64, 64, 128, 4, 2, 2),
                form.numbers() == Numbers.WIDENED
                        ? new ProductSm80(form, 128, 64, 128, 3, 4, 2)
                        : new ProductSm80(form, 128, 128, 128, 3, 4, 2));
    }

    @Override
    public double cost(GpuFacts chip, int rows, int columns, int k) {
        int resident = Math.clamp(chip.sharedBytes() / (sharedBytes() + SHARED_OVERHEAD), 1, 2048 / 2 / threads());
        long tiles = (long) Math.ceilDiv(rows, m) * Math.ceilDiv(columns, n);
        long perMultiprocessor = Math.ceilDiv(tiles, chip.multiprocessors());
        double inFlight = (double) (stages - 1) * stageBytes() * Math.min(resident, perMultiprocessor);
        // A warp's fragments come from shared memory: the wider its tile, the fewer.
        double efficiency = m * n >= 128 * 128 ? 0.85 : m * n >= 64 * 64 ? 0.6 : 0.3;
        double clocks = Rates.SM_80.clocks(
                perMultiprocessor,
                m,
                n,
                k,
                inFlight,
                (double) (m + n) * form.numbers().bytes(),
                efficiency);
        return Math.max(
                clocks,
                Rates.SM_80.clocksOfMemory(
                        chip.multiprocessors(), rows, columns, k, form.numbers().bytes()));
    }

    @Override
    public void launch(GpuStream stream, PtxFunction function, Product product, int multiprocessors) {
        long tiles = (long) Math.ceilDiv(product.m(), m) * Math.ceilDiv(product.n(), n);
        List<Object> arguments = new ArrayList<>(List.of(
                product.a(),
                Elements.rowBytes(product.a()),
                product.b(),
                Elements.rowBytes(product.b()),
                product.c(),
                Elements.rowBytes(product.c()),
                product.m(),
                product.n(),
                product.k()));
        arguments.addAll(Factors.arguments(product));
        stream.launch(
                function, Launch.of(Math.toIntExact(tiles), threads()).withShared(sharedBytes()), arguments.toArray());
    }

    private int threads() {
        return Sums.LANES * warpsM * warpsN;
    }

    private int stageBytes() {
        return (m + n) * depth * form.numbers().bytes();
    }

    private int sharedBytes() {
        return stages * stageBytes();
    }

    @Override
    public String toString() {
        return "sm_80 %s %dx%dx%d, %d stages, %dx%d warps".formatted(form, m, n, depth, stages, warpsM, warpsN);
    }

    /// A tile of an operand in shared memory: rows of pieces of 16 bytes. Pieces are exchanged within
    /// 128 bytes, so that the eight rows that `ldmatrix` reads at once lie in different banks.
    ///
    /// @param turns whether its rows lie across `k`
    /// @param length how many rows or columns of the result it has
    private record Tile(Numbers numbers, boolean turns, int length, int depth) {
        int rows() {
            return turns ? depth : length;
        }

        int rowBytes() {
            return (turns ? length : depth) * numbers.bytes();
        }

        int pieces() {
            return rowBytes() / PIECE;
        }

        int bytes() {
            return rows() * rowBytes();
        }

        /// @return the numbers of a piece
        int perPiece() {
            return PIECE / numbers.bytes();
        }

        /// @return where a piece lies in the tile; rows that are a multiple of eight apart have theirs in the same
        /// order
        Reg place(PtxKernel k, String name, Reg row, Reg piece) {
            Reg at = k.reg(Type.U32, name);
            Reg turn = k.reg(Type.U32, "turn");
            int rowsPerBanks = Math.max(1, 8 / pieces());
            k.shr(turn, row, Integer.numberOfTrailingZeros(rowsPerBanks));
            k.and(turn, turn, Math.min(8, pieces()) - 1);
            k.xor(turn, turn, piece);
            k.shl(turn, turn, Integer.numberOfTrailingZeros(PIECE));
            k.mad(at, row, rowBytes(), turn);
            return at;
        }

        /// @return where a lane's row begins that `ldmatrix` reads: 16 rows of the result by 16 of `k`
        /// @param from the first row of the result of the warp's part, a multiple of 16
        /// @param swaps whether the second matrix of four is further along `k`, as the right operand has them
        Reg fragment(PtxKernel k, String name, Reg from, Reg lane, boolean swaps) {
            Reg along = k.reg(Type.U32, name + "_along");
            Reg high = k.reg(Type.U32, name + "_high");
            Reg row = k.reg(Type.U32, name + "_row");
            Reg piece = k.reg(Type.U32, name + "_piece");
            k.and(along, lane, 7);
            k.shr(high, lane, 3);
            k.and(high, high, 1);
            k.shr(piece, lane, 4);
            boolean rowIsHigh = turns == swaps;
            k.mad(row, rowIsHigh ? high : piece, 8, along);
            Reg other = rowIsHigh ? piece : high;
            if (turns) {
                Reg first = k.reg(Type.U32, name + "_first");
                k.shr(first, from, 3);
                k.add(first, first, other);
                return place(k, name, row, first);
            }
            k.add(row, row, from);
            return place(k, name, row, other);
        }

        /// Loads 16 rows of the result by 16 of `k`.
        ///
        /// @param at from [#fragment]
        /// @param sixteen which 16 rows of the result from there on
        /// @param step which 32 bytes of `k`
        void load(PtxKernel k, Reg stage, Reg at, int sixteen, int step, Object to) {
            int alongPieces = turns ? sixteen : step;
            long alongRows = 16L * rowBytes() * (turns ? step : sixteen);
            Reg from = k.reg(Type.U32, "from");
            k.xor(from, at, alongPieces * 2 * PIECE);
            k.add(from, from, stage);
            k.op("ldmatrix.sync.aligned.m8n8.x4" + (turns ? ".trans" : "") + ".shared.b16", to, from.at(alongRows));
        }
    }

    /// What a thread copies of an operand for each stage: the same piece of rows that lie as far apart as threads
    /// reach.
    private final class Side {
        private final Tile tile;
        private final int rowsAtOnce;
        private final Reg row;
        private final Reg place;
        private final Reg[] sources;
        private final Object stageStep;
        private final Reg left;
        private final Reg width;

        /// @param base the operand's address
        /// @param rowBytes from one of its rows to the next
        /// @param limit its rows or columns along the result
        /// @param first the block's first row or column of the result
        /// @param all numbers of `k`
        Side(PtxKernel k, Tile tile, Reg tid, Reg base, Reg rowBytes, Reg limit, Reg first, Reg all) {
            this.tile = tile;
            rowsAtOnce = threads() / tile.pieces();
            if (rowsAtOnce % 8 != 0) {
                throw new IllegalArgumentException(
                        ProductSm80.this + ": " + rowsAtOnce + " rows at once, expected eights");
            }
            row = k.reg(Type.U32, "row_in_tile");
            left = k.reg(Type.S32, "k_left");
            width = k.reg(Type.S32, "width");
            sources = k.regs(Type.U64, "source", Math.ceilDiv(tile.rows(), rowsAtOnce));
            Reg piece = k.reg(Type.U32, "piece");
            k.rem(piece, tid, tile.pieces());
            k.div(row, tid, tile.pieces());
            place = tile.place(k, "place", row, piece);
            Reg column = k.reg(Type.U32, "source_column");
            Reg source = k.reg(Type.U32, "source_row");
            Reg wide = k.reg(Type.U64, "wide");
            k.mul(column, piece, tile.perPiece());
            if (tile.turns) {
                k.comment("rows across k: this piece has so many bytes of each");
                k.add(column, first, column);
                k.op("sub.s32", width, limit, column);
                bytes(k, width, width);
                Reg isOutside = k.compare("is_outside", Compare.GE, column, limit);
                k.onlyIf(isOutside, () -> k.mov(column, first));
                k.op("sub.s32", left, all, row);
                Reg step = k.reg(Type.U64, "stage_step");
                k.mul(step, rowBytes, (long) depth);
                stageStep = step;
            } else {
                k.op("sub.s32", left, all, column);
                stageStep = (long) depth * tile.numbers.bytes();
            }
            Reg last = k.reg(Type.U32, "last_row");
            k.sub(last, limit, 1);
            for (int i = 0; i < sources.length; i++) {
                k.add(source, row, i * rowsAtOnce);
                if (!tile.turns) {
                    k.add(source, source, first);
                    k.min(source, source, last);
                }
                k.op("cvt.u64.u32", wide, source);
                k.mad(sources[i], wide, rowBytes, base);
                k.madWide(sources[i], column, tile.numbers.bytes(), sources[i]);
            }
        }

        /// `width` = bytes of a piece that has so many numbers left.
        private void bytes(PtxKernel k, Reg width, Reg left) {
            k.min(width, left, tile.perPiece());
            k.max(width, width, 0);
            k.mul(width, width, tile.numbers.bytes());
        }

        /// Sets a stage's copies out. What lies outside of a matrix along `k` arrives as zeros; behind the last row of
        /// the result, that one comes again.
        void fill(PtxKernel k, Reg stage) {
            Reg to = k.reg(Type.U32, "fill_at");
            Reg bytes = k.reg(Type.S32, "bytes");
            k.add(to, stage, place);
            if (!tile.turns) {
                bytes(k, bytes, left);
            }
            for (int i = 0; i < sources.length; i++) {
                int rows = i * rowsAtOnce;
                if (tile.turns) {
                    k.selp(bytes, width, 0, k.compare("has_row", Compare.GT, left, rows));
                }
                Reg source = sources[i];
                Runnable copy = () -> k.op(
                        "cp.async.cg.shared.global", to.at((long) rows * tile.rowBytes()), source.at(0), PIECE, bytes);
                if (rows + rowsAtOnce > tile.rows()) {
                    k.when(k.compare("is_row", Compare.LT, row, tile.rows() - rows), copy);
                } else {
                    copy.run();
                }
                k.add(source, source, stageStep);
            }
            k.op("sub.s32", left, left, depth);
        }
    }

    @Override
    public void write(PtxKernel k) {
        k.maxThreads(threads());
        Reg a = k.param("a", Type.U64);
        Reg aRow = k.param("a_row_bytes", Type.U64);
        Reg b = k.param("b", Type.U64);
        Reg bRow = k.param("b_row_bytes", Type.U64);
        Result result = Result.of(k, form);
        Reg all = k.param("k", Type.U32);
        Factors factors = isScaled() ? Factors.of(k) : null;
        Symbol tiles = k.dynamicShared("tiles", 128);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg base = k.reg(Type.U32, "tiles_at");
        Reg firstRow = k.reg(Type.U32, "first_row");
        Reg firstColumn = k.reg(Type.U32, "first_column");
        Tiles.of(k, result, m, n).placeOfBlock(k, firstRow, firstColumn);
        k.mov(base, tiles);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.mul(firstRow, firstRow, m);
        k.mul(firstColumn, firstColumn, n);
        Tile leftTile = new Tile(form.numbers(), form.turnsA(), m, depth);
        Tile rightTile = new Tile(form.numbers(), form.turnsB(), n, depth);
        Side left = new Side(k, leftTile, tid, a, aRow, result.m(), firstRow, all);
        Side right = new Side(k, rightTile, tid, b, bRow, result.n(), firstColumn, all);
        Reg steps = k.reg(Type.U32, "steps");
        k.add(steps, all, depth - 1);
        k.div(steps, steps, depth);

        k.comment("the first stages set out");
        Ring filled = Ring.of(k, "filled", stages);
        Reg sent = k.reg(Type.U32, "sent", 0);
        Runnable fill = () -> {
            k.when(k.compare("has_more", Compare.LT, sent, steps), () -> {
                Reg stage = filled.at(k, "fill_stage", base, stageBytes());
                left.fill(k, stage);
                k.add(stage, stage, leftTile.bytes());
                right.fill(k, stage);
                k.add(sent, sent, 1);
                filled.advance(k);
            });
            k.op("cp.async.commit_group");
        };
        for (int i = 0; i < stages - 1; i++) {
            fill.run();
        }

        k.comment("where this warp's fragments lie in a stage");
        Reg warpRow = k.reg(Type.U32, "warp_row");
        Reg warpColumn = k.reg(Type.U32, "warp_column");
        k.rem(warpRow, warp, warpsM);
        k.mul(warpRow, warpRow, m / warpsM);
        k.div(warpColumn, warp, warpsM);
        k.mul(warpColumn, warpColumn, n / warpsN);
        Reg aAt = leftTile.fragment(k, "a_at", warpRow, lane, false);
        Reg bAt = rightTile.fragment(k, "b_at", warpColumn, lane, true);
        int rowTiles = m / warpsM / 16;
        int columnTiles = n / warpsN / 8;
        Reg[] sums = zeros(k, "sum", rowTiles * columnTiles * 4);
        Reg[] totals = isScaled() ? zeros(k, "total", sums.length) : sums;
        Reg row = k.reg(Type.U32, "row");
        Reg column = k.reg(Type.U32, "column");
        k.shr(row, lane, 2);
        k.add(row, row, warpRow);
        k.add(row, row, firstRow);
        k.and(column, lane, 3);
        k.shl(column, column, 1);
        k.add(column, column, warpColumn);
        k.add(column, column, firstColumn);
        Scaling scaling = factors == null ? null : new Scaling(k, factors, result, row, firstColumn, rowTiles);

        Ring used = Ring.of(k, "used", stages);
        k.loop("step", 0, steps, 1, _ -> {
            k.comment("this stage has come, and everybody is through with the one that is filled now");
            k.op("cp.async.wait_group", stages - 2);
            k.bar();
            fill.run();
            Reg stage = used.at(k, "stage", base, stageBytes());
            if (scaling != null) {
                scaling.load(k);
            }
            multiply(k, leftTile, rightTile, stage, aAt, bAt, sums);
            if (scaling != null) {
                scaling.take(k, totals, sums);
            }
            used.advance(k);
        });

        for (int i = 0; i < rowTiles; i++) {
            Reg[] values = Arrays.copyOfRange(totals, i * columnTiles * 4, (i + 1) * columnTiles * 4);
            result.store(k, row, column, values);
            k.add(row, row, 16);
        }
    }

    private boolean isScaled() {
        return form.numbers().isScaled();
    }

    private static Reg[] zeros(PtxKernel k, String name, int count) {
        Reg[] all = k.regs(Type.F32, name, count);
        for (Reg one : all) {
            k.mov(one, 0f);
        }
        return all;
    }

    /// Takes the sums of each group of `k` into the totals.
    private final class Scaling {
        private final Reg[] rowsAt;
        private final Reg columnAt;
        private final Reg[] ofRows;
        private final Reg ofColumns;

        Scaling(PtxKernel k, Factors factors, Result result, Reg row, Reg column, int rowTiles) {
            rowsAt = new Reg[2 * rowTiles];
            ofRows = k.regs(Type.F32, "row_scale", rowsAt.length);
            ofColumns = k.reg(Type.F32, "column_scale");
            Reg r = k.reg(Type.U32, "scaled_row");
            for (int i = 0; i < rowsAt.length; i++) {
                k.add(r, row, 8 * i);
                rowsAt[i] = factors.rowAt(k, result, r);
            }
            columnAt = factors.columnAt(k, column);
        }

        /// Sets out for the factors of the group that is multiplied next.
        void load(PtxKernel k) {
            for (int i = 0; i < rowsAt.length; i++) {
                k.ld(Space.GLOBAL, ofRows[i], rowsAt[i]);
                k.add(rowsAt[i], rowsAt[i], (long) Float.BYTES);
            }
            k.ld(Space.GLOBAL, ofColumns, columnAt);
            k.add(columnAt, columnAt, (long) Float.BYTES);
        }

        void take(PtxKernel k, Reg[] totals, Reg[] sums) {
            if (form.numbers() == Numbers.WIDENED) {
                k.mul(ofColumns, ofColumns, Widening.FACTOR);
            }
            int perTile = sums.length / (ofRows.length / 2);
            for (int i = 0; i < ofRows.length; i += 2) {
                Reg[] factors = {ofRows[i], ofRows[i + 1]};
                for (Reg factor : factors) {
                    k.mul(factor, factor, ofColumns);
                }
                int from = i / 2 * perTile;
                Reg[] some = Arrays.copyOfRange(sums, from, from + perTile);
                Factors.add(k, Arrays.copyOfRange(totals, from, from + perTile), some, factors);
            }
            for (Reg sum : sums) {
                k.mov(sum, 0f);
            }
        }
    }

    /// Fragments of the next 32 bytes of `k` are on their way while the tensor cores have the present ones.
    private void multiply(PtxKernel k, Tile leftTile, Tile rightTile, Reg stage, Reg aAt, Reg bAt, Reg[] sums) {
        int rowTiles = m / warpsM / 16;
        int columnTiles = n / warpsN / 8;
        Reg rightStage = k.reg(Type.U32, "b_stage");
        k.add(rightStage, stage, leftTile.bytes());
        Reg[][] left = new Reg[2][];
        Reg[][] right = new Reg[2][];
        for (int i = 0; i < 2; i++) {
            left[i] = k.regs(Type.B32, "a", rowTiles * 4);
            right[i] = k.regs(Type.B32, "b", columnTiles * 2);
        }
        int steps = leftTile.turns ? depth / 16 : leftTile.rowBytes() / STEP;
        for (int step = 0; step <= steps; step++) {
            if (step < steps) {
                for (int i = 0; i < rowTiles; i++) {
                    leftTile.load(k, stage, aAt, i, step, vec(left[step % 2], 4 * i, 4));
                }
                for (int j = 0; j < columnTiles; j += 2) {
                    rightTile.load(k, rightStage, bAt, j / 2, step, vec(right[step % 2], 2 * j, 4));
                }
            }
            if (step > 0) {
                multiply(k, left[(step - 1) % 2], right[(step - 1) % 2], sums);
            }
        }
    }

    private void multiply(PtxKernel k, Reg[] left, Reg[] right, Reg[] sums) {
        switch (form.numbers()) {
            case BF16 -> multiply(k, "m16n8k16.row.col.f32.bf16.bf16.f32", left, right, sums);
            case E4M3 -> multiply(k, "m16n8k32.row.col.f32.e4m3.e4m3.f32", left, right, sums);
            case WIDENED -> {
                Reg[][] lefts = Widening.left(k, left);
                Reg[][] rights = Widening.right(k, right);
                for (int half = 0; half < 2; half++) {
                    multiply(k, "m16n8k16.row.col.f32.f16.f16.f32", lefts[half], rights[half], sums);
                }
            }
        }
    }

    private static void multiply(PtxKernel k, String shape, Reg[] left, Reg[] right, Reg[] sums) {
        int columnTiles = right.length / 2;
        for (int i = 0; i < left.length / 4; i++) {
            for (int j = 0; j < columnTiles; j++) {
                Object sum = vec(sums, (i * columnTiles + j) * 4, 4);
                k.op("mma.sync.aligned." + shape, sum, vec(left, 4 * i, 4), vec(right, 2 * j, 2), sum);
            }
        }
    }
}
