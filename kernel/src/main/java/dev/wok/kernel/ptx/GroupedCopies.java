package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Copies a block's tiles of an [ExpertProduct]'s operands in bf16 into shared memory (`cp.async`), a
/// stage of 64 of the depth after the other. What lies outside of an operand arrives as zeros.
///
/// A tile lies there as its operand does in memory, in rows of 128 bytes: along the depth, a row for
/// each of the tile's; across it, a row of 64 columns for each of the 64 steps, 64 columns after the
/// other. Piece `p` of 16 bytes of row `r` lies where `p ^ (r % 8)` would, as the copy engine and
/// `wgmma` have it too: the eight rows that are read at once lie in different banks.
final class GroupedCopies {
    /// The depth of a stage.
    static final int K = 64;

    static final int PIECE = 16;
    static final int ROW = K * Rounding.BYTES;
    static final int SWIZZLE = 8;
    private static final int PIECE_NUMBERS = PIECE / Rounding.BYTES;

    /// @param m rows of the tile
    /// @param n columns of it, or 0 where the right operand comes otherwise
    /// @param threads that copy
    /// @param topK slots of a token
    record Tile(ExpertProduct what, int m, int n, int threads, int topK) {}

    private final PtxKernel k;
    private final Tile tile;
    private final GroupedArguments a;
    private final GroupedBlock block;
    private final Reg depth;
    private final Reg next;
    private final Side left;
    private final Side right;

    GroupedCopies(PtxKernel k, Tile tile, GroupedArguments a, GroupedBlock block, Reg depth, Reg tid) {
        ExpertProduct what = tile.what;
        this.k = k;
        this.tile = tile;
        this.a = a;
        this.block = block;
        this.depth = depth;
        next = k.reg(Type.U32, "next_k", 0);
        left = what.isGradient()
                ? new Across("left", tile.m, a.left(), a.leftRow(), block.firstRow(), a.height(), tid, false)
                : new Along("left", tile.m, a.left(), a.leftRow(), block.firstRow(), block.endRow(), tid, true);
        Reg weight =
                what.isGradient() ? a.right() : Elements.row(k, "weight", a.right(), block.expert(), a.rightExpert());
        if (tile.n == 0) {
            right = _ -> {};
        } else if (what.isRightAcross()) {
            right = new Across(
                    "right", tile.n, weight, a.rightRow(), block.firstColumn(), a.width(), tid, what.gathersRight());
        } else {
            right = new Along("right", tile.n, weight, a.rightRow(), block.firstColumn(), a.width(), tid, false);
        }
    }

    void left(Reg stage) {
        left.fill(stage);
    }

    void right(Reg stage) {
        right.fill(stage);
    }

    /// Goes on to the next stage.
    void advance() {
        k.add(next, next, K);
    }

    private void copy(Reg place, long to, Reg from, Reg bytes) {
        k.op("cp.async.cg.shared.global", place.at(to), from.at(0), PIECE, bytes);
    }

    /// @return the bytes of a piece that lie before an end: 0 to 16
    private Reg bytes(String name, Reg end, Reg first) {
        Reg bytes = k.reg(Type.S32, name);
        k.op("sub.s32", bytes, end, first);
        k.min(bytes, bytes, PIECE_NUMBERS);
        k.max(bytes, bytes, 0);
        k.shl(bytes, bytes, 1);
        return bytes;
    }

    private interface Side {
        void fill(Reg stage);
    }

    /// An operand whose rows lie along the depth: each thread copies a piece of some of them.
    private final class Along implements Side {
        private final Reg place;
        private final Reg[] from;
        private final Reg step;
        private final Reg left;
        private final Reg firstNumber;
        private final int count;
        private final int rowStep;

        Along(String name, int rows, Reg base, Reg rowBytes, Reg first, Reg end, Reg tid, boolean isLeft) {
            int threadRows = tile.threads / SWIZZLE;
            boolean isPaired = !isLeft && tile.what == ExpertProduct.GATE_UP;
            count = Math.ceilDiv(rows, threadRows);
            rowStep = isPaired ? threadRows / 2 : threadRows;
            Reg row = k.reg(Type.U32, name + "_row");
            Reg piece = k.reg(Type.U32, name + "_piece");
            Reg turn = k.reg(Type.U32, name + "_turn");
            place = k.reg(Type.U32, name + "_place");
            firstNumber = k.reg(Type.U32, name + "_number");
            step = k.reg(Type.U64, name + "_step");
            left = k.reg(Type.S32, name + "_rows_left");
            k.shr(row, tid, 3);
            k.and(piece, tid, SWIZZLE - 1);
            k.and(turn, row, SWIZZLE - 1);
            k.xor(turn, turn, piece);
            k.shl(turn, turn, 4);
            k.mad(place, row, ROW, turn);
            k.shl(firstNumber, piece, 3);
            Reg up = k.reg(Type.U32, name + "_up", 0);
            if (isPaired) {
                k.comment("eight columns of gate, the same eight of up, and so on");
                Reg isUp = k.reg(Type.U32, name + "_is_up");
                k.shr(isUp, row, 3);
                k.and(isUp, isUp, 1);
                k.mul(up, isUp, a.width());
                k.shr(isUp, row, 4);
                k.and(row, row, SWIZZLE - 1);
                k.mad(row, isUp, SWIZZLE, row);
            }
            k.add(row, row, first);
            k.op("sub.s32", left, end, row);
            k.add(row, row, up);
            boolean gathers = isLeft && tile.what.gathersLeft();
            from = new Reg[gathers ? count : 1];
            for (int i = 0; i < from.length; i++) {
                Reg source = row;
                if (gathers) {
                    source = k.reg(Type.U32, name + "_source");
                    Reg last = k.reg(Type.U32, name + "_last");
                    k.sub(last, end, 1);
                    k.add(source, row, i * rowStep);
                    k.min(source, source, last);
                    source = a.token(k, source, tile.topK);
                }
                from[i] = Elements.row(k, name + "_from", base, source, rowBytes);
                k.madWide(from[i], firstNumber, Rounding.BYTES, from[i]);
            }
            k.mul(step, rowBytes, (long) rowStep);
        }

        @Override
        public void fill(Reg stage) {
            Reg to = k.reg(Type.U32, "to");
            Reg number = k.reg(Type.U32, "number");
            Reg some = k.reg(Type.S32, "some");
            Reg at = k.reg(Type.U64, "at");
            k.add(to, place, stage);
            k.add(number, firstNumber, next);
            Reg bytes = bytes("bytes", depth, number);
            for (int i = 0; i < count; i++) {
                if (from.length > 1 || i == 0) {
                    k.mov(at, from[from.length > 1 ? i : 0]);
                } else {
                    k.add(at, at, step);
                }
                Reg isRow = k.compare(Compare.GT, left, i * rowStep);
                k.selp(some, bytes, 0, isRow);
                copy(to, (long) i * tile.threads / SWIZZLE * ROW, at, some);
            }
            for (Reg one : from) {
                k.add(one, one, ROW);
            }
        }
    }

    /// An operand whose rows lie across the depth: each thread copies a piece of some steps of it.
    private final class Across implements Side {
        private final int count;
        private final int stepRows;
        private final Reg base;
        private final Reg rowBytes;
        private final boolean gathers;
        private final Reg place;
        private final Reg bytes;
        private final Reg first;
        private final Reg at;
        private final Reg step;
        private final Reg[] tokens;

        Across(String name, int width, Reg base, Reg rowBytes, Reg firstColumn, Reg end, Reg tid, boolean gathers) {
            int pieces = width / PIECE_NUMBERS;
            this.rowBytes = rowBytes;
            this.gathers = gathers;
            stepRows = tile.threads / pieces;
            count = K / stepRows;
            Reg piece = k.reg(Type.U32, name + "_piece");
            Reg column = k.reg(Type.U32, name + "_column");
            Reg turn = k.reg(Type.U32, name + "_turn");
            place = k.reg(Type.U32, name + "_place");
            first = k.reg(Type.U32, name + "_first");
            k.div(first, tid, pieces);
            k.and(piece, tid, pieces - 1);
            k.mad(column, piece, PIECE_NUMBERS, firstColumn);
            bytes = bytes(name + "_bytes", end, column);
            k.xor(turn, first, piece);
            k.and(turn, turn, SWIZZLE - 1);
            k.shl(turn, turn, 4);
            k.mad(place, first, ROW, turn);
            k.shr(piece, piece, 3);
            k.mad(place, piece, K * ROW, place);
            this.base = k.reg(Type.U64, name + "_base");
            k.madWide(this.base, column, Rounding.BYTES, base);
            Reg source = k.reg(Type.U32, name + "_source");
            k.add(source, first, tile.what.isGradient() ? block.begin() : 0);
            at = Elements.row(k, name + "_at", this.base, source, rowBytes);
            step = k.reg(Type.U64, name + "_step");
            k.mul(step, rowBytes, (long) stepRows);
            tokens = gathers ? k.regs(Type.U32, name + "_token", count) : new Reg[0];
            lookAhead();
        }

        /// The tokens of the next stage's rows.
        private void lookAhead() {
            Reg row = k.reg(Type.U32, "ahead");
            for (int i = 0; i < tokens.length; i++) {
                k.add(row, first, next);
                k.add(row, row, block.begin());
                k.add(row, row, i * stepRows);
                Reg last = k.reg(Type.U32, "last");
                k.sub(last, block.end(), 1);
                k.min(row, row, last);
                k.mov(tokens[i], a.token(k, row, tile.topK));
            }
        }

        @Override
        public void fill(Reg stage) {
            Reg to = k.reg(Type.U32, "to");
            Reg left = k.reg(Type.S32, "steps_left");
            Reg some = k.reg(Type.S32, "some");
            k.add(to, place, stage);
            k.op("sub.s32", left, depth, first);
            k.op("sub.s32", left, left, next);
            for (int i = 0; i < count; i++) {
                Reg from = gathers ? Elements.row(k, "from", base, tokens[i], rowBytes) : at;
                Reg isStep = k.compare(Compare.GT, left, i * stepRows);
                k.selp(some, bytes, 0, isStep);
                Reg turned = to;
                if (stepRows < SWIZZLE) {
                    turned = k.reg(Type.U32, "turned");
                    k.xor(turned, to, i * stepRows % SWIZZLE * PIECE);
                }
                copy(turned, (long) i * stepRows * ROW, from, some);
                k.add(at, at, step);
            }
            if (gathers) {
                k.add(next, next, K);
                lookAhead();
                k.sub(next, next, K);
            }
        }
    }
}
