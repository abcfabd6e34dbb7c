package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Space;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// `c (+)= a * b^T`: one product of matrices, in any orientation of its operands.
///
/// @param a `[m, k]`, or `[k, m]` where `turnsA`
/// @param b `[n, k]`, or `[k, n]` where `turnsB`
/// @param c `[m, n]`, F32, written, or added to where `accumulates`
/// @param scales of numbers that have some
record Product(
        Tensor a,
        boolean turnsA,
        Tensor b,
        boolean turnsB,
        Tensor c,
        boolean accumulates,
        @Nullable Scales scales) {

    /// Factors of E4M3, see [dev.wok.kernel.Fp8Matmul].
    ///
    /// @param a `[m, k / 128]`, rounded up
    /// @param b `[n / 128, k / 128]`, rounded up
    /// @param isWidened whether the numbers are to be widened on their way
    record Scales(Tensor a, Tensor b, boolean isWidened) {}

    /// What is multiplied.
    enum Numbers {
        BF16(2),
        E4M3(1),
        /// E4M3, for chips whose tensor cores do not know them.
        WIDENED(1);

        private final int bytes;

        Numbers(int bytes) {
            this.bytes = bytes;
        }

        int bytes() {
            return bytes;
        }

        boolean isScaled() {
            return this != BF16;
        }
    }

    Product(Tensor a, boolean turnsA, Tensor b, boolean turnsB, Tensor c, boolean accumulates) {
        this(a, turnsA, b, turnsB, c, accumulates, null);
    }

    /// @return the same with another place for the result
    Product into(Tensor other) {
        return new Product(a, turnsA, b, turnsB, other, accumulates, scales);
    }

    int m() {
        return c.size(0);
    }

    int n() {
        return c.size(1);
    }

    int k() {
        return a.size(turnsA ? 0 : 1);
    }

    Form form() {
        long unit = 2L * Float.BYTES;
        boolean isPaired =
                n() % 2 == 0 && c.memory().address() % unit == 0 && (m() == 1 || Elements.rowBytes(c) % unit == 0);
        Numbers numbers = scales == null ? Numbers.BF16 : scales.isWidened ? Numbers.WIDENED : Numbers.E4M3;
        return new Form(numbers, turnsA, turnsB, accumulates, isPaired);
    }

    /// What the code of a product depends on beside its tiles.
    ///
    /// @param turnsA whether the left operand is `[k, m]`
    /// @param turnsB whether the right operand is `[k, n]`
    /// @param isPaired whether two neighbours of the result can be stored at once
    record Form(Numbers numbers, boolean turnsA, boolean turnsB, boolean accumulates, boolean isPaired) {
        Form {
            if (numbers.isScaled() && (turnsA || turnsB)) {
                throw new IllegalArgumentException("Product: numbers with scales across k, expected along k");
            }
        }

        @Override
        public String toString() {
            return "%s %s%s%s%s"
                    .formatted(
                            numbers.name().toLowerCase(Locale.ROOT),
                            turnsA ? "t" : "n",
                            turnsB ? "n" : "t",
                            accumulates ? " +=" : "",
                            isPaired ? "" : " single");
        }
    }

    /// Where a tile of the result lies.
    ///
    /// @param c the matrix, F32
    /// @param rowBytes from one of its rows to the next
    /// @param m its rows
    /// @param n its columns
    record Result(Reg c, Reg rowBytes, Reg m, Reg n, Form form) {
        /// Pairs of numbers that are read before the first of them is written.
        private static final int AT_ONCE = 8;

        static Result of(PtxKernel k, Form form) {
            return new Result(
                    k.param("c", Type.U64),
                    k.param("c_row_bytes", Type.U64),
                    k.param("m", Type.U32),
                    k.param("n", Type.U32),
                    form);
        }

        /// Writes rows of a matrix fragment as `mma` and `wgmma` leave it: of each eight columns two neighbours in this
        /// row, and two in the row eight further on.
        ///
        /// @param row of the result
        /// @param column of the result, of the first eight columns; even
        /// @param values four for each eight columns
        void store(PtxKernel k, Reg row, Reg column, Reg... values) {
            Reg wide = k.reg(Type.U64, "wide");
            Reg at = k.reg(Type.U64, "at");
            Reg r = k.reg(Type.U32, "r");
            Reg room = k.reg(Type.S32, "room");
            k.comment("the result");
            k.op("sub.s32", room, n, column);
            for (int half = 0; half < 2; half++) {
                int from = 2 * half;
                k.add(r, row, 8 * half);
                k.when(k.compare(Compare.LT, r, m), () -> {
                    k.op("cvt.u64.u32", wide, r);
                    k.mad(at, wide, rowBytes, c);
                    k.madWide(at, column, Float.BYTES, at);
                    for (int i = from; i < values.length; i += 4 * AT_ONCE) {
                        store(k, at, room, i, Math.min(values.length, i + 4 * AT_ONCE), values);
                    }
                });
            }
        }

        private void store(PtxKernel k, Reg at, Reg room, int from, int to, Reg... values) {
            int width = form.isPaired ? 2 : 1;
            Reg[] before = form.accumulates ? k.regs(Type.F32, "before", 2 * AT_ONCE) : new Reg[0];
            for (int i = 0; i < before.length && from + i / 2 * 4 < to; i += width) {
                for (int j = i; j < i + width; j++) {
                    // Else the load that a predicate leaves out would keep the register from the tile before.
                    k.mov(before[j], 0f);
                }
                Operand place = width == 2 ? vec(before[i], before[i + 1]) : before[i];
                inside(k, at, room, from, i, address -> k.ld(Space.GLOBAL, place, address));
            }
            for (int i = 0; from + i / 2 * 4 < to; i += width) {
                Reg[] some = Arrays.copyOfRange(values, from + i / 2 * 4 + i % 2, from + i / 2 * 4 + i % 2 + width);
                for (int j = 0; j < width && form.accumulates; j++) {
                    k.add(some[j], some[j], before[i + j]);
                }
                Operand all = width == 2 ? vec(some) : some[0];
                inside(k, at, room, from, i, address -> k.st(Space.GLOBAL, address, all));
            }
        }

        /// @param i which number of a thread's row, from `from` on
        private static void inside(PtxKernel k, Reg at, Reg room, int from, int i, Consumer<Operand> access) {
            int column = from / 4 * 8 + i / 2 * 8 + i % 2;
            Reg isInside = k.compare("is_inside", Compare.GT, room, column);
            k.onlyIf(isInside, () -> access.accept(at.at((long) column * Float.BYTES)));
        }
    }

    /// The factors of a tile's rows and columns, as they come along `k`.
    ///
    /// @param a where the scales of rows are
    /// @param b where the scales of columns are
    record Factors(Reg a, Reg aRowBytes, Reg b, Reg bRowBytes) {
        /// Numbers of `k`, and columns, that share a scale.
        static final int GROUP = Fp8Matmul.GROUP;

        static Factors of(PtxKernel k) {
            return new Factors(
                    k.param("a_scales", Type.U64),
                    k.param("a_scales_row_bytes", Type.U64),
                    k.param("b_scales", Type.U64),
                    k.param("b_scales_row_bytes", Type.U64));
        }

        /// @return these parameters' arguments
        static List<Object> arguments(Product product) {
            Scales scales = product.scales;
            return scales == null
                    ? List.of()
                    : List.of(scales.a, Elements.rowBytes(scales.a), scales.b, Elements.rowBytes(scales.b));
        }

        /// @return where the scales of a row begin; behind the last row, those of the last
        Reg rowAt(PtxKernel k, Result result, Reg row) {
            Reg last = k.reg(Type.U32, "last_scaled");
            k.sub(last, result.m, 1);
            k.min(last, last, row);
            return Elements.row(k, "row_scales", a, last, aRowBytes);
        }

        /// @return where the scales of a tile's columns begin, which are one group's
        Reg columnAt(PtxKernel k, Reg column) {
            Reg group = k.reg(Type.U32, "column_group");
            k.shr(group, column, Integer.numberOfTrailingZeros(GROUP));
            return Elements.row(k, "column_scales", b, group, bRowBytes);
        }

        /// `totals += sums * factors`: what a group of `k` adds.
        ///
        /// @param factors of a fragment's first row, and of the row eight further on
        static void add(PtxKernel k, Reg[] totals, Reg[] sums, Reg[] factors) {
            for (int i = 0; i < sums.length; i++) {
                k.fma(totals[i], sums[i], factors[i / 2 % 2], totals[i]);
            }
        }
    }

    /// The order in which blocks take the tiles of a result: a few rows of tiles at a time, so that what runs at once
    /// shares both operands in the second-level cache.
    record Tiles(Reg rows, Reg columns, Reg all) {
        private static final int ROWS_AT_A_TIME = 8;

        /// @param m rows of a tile
        /// @param n columns of a tile
        static Tiles of(PtxKernel k, Result result, int m, int n) {
            Reg rows = k.reg(Type.U32, "row_tiles");
            Reg columns = k.reg(Type.U32, "column_tiles");
            Reg all = k.reg(Type.U32, "tiles");
            k.add(rows, result.m, m - 1);
            k.div(rows, rows, m);
            k.add(columns, result.n, n - 1);
            k.div(columns, columns, n);
            k.mul(all, rows, columns);
            return new Tiles(rows, columns, all);
        }

        /// @param index of a tile, from 0
        /// @param row gets its row, in tiles
        /// @param column gets its column, in tiles
        void place(PtxKernel k, Reg index, Reg row, Reg column) {
            Reg strip = k.reg(Type.U32, "strip");
            Reg inStrip = k.reg(Type.U32, "in_strip");
            Reg first = k.reg(Type.U32, "first_of_strip");
            Reg height = k.reg(Type.U32, "strip_height");
            k.mul(height, columns, ROWS_AT_A_TIME);
            k.div(strip, index, height);
            k.rem(inStrip, index, height);
            k.mul(first, strip, ROWS_AT_A_TIME);
            k.sub(height, rows, first);
            k.min(height, height, ROWS_AT_A_TIME);
            k.rem(row, inStrip, height);
            k.add(row, row, first);
            k.div(column, inStrip, height);
        }

        /// The tile of a block, where each block has one.
        void placeOfBlock(PtxKernel k, Reg row, Reg column) {
            place(k, k.reg(Type.U32, "tile", Special.CTAID_X), row, column);
        }
    }

    /// Counts through the stages of a ring.
    ///
    /// @param phase turns over each time the ring is through
    record Ring(int stages, Reg slot, Reg phase) {
        static Ring of(PtxKernel k, String name, int stages) {
            return new Ring(stages, k.reg(Type.U32, name + "_slot", 0), k.reg(Type.U32, name + "_phase", 0));
        }

        void advance(PtxKernel k) {
            k.add(slot, slot, 1);
            Reg isThrough = k.compare(Compare.EQ, slot, stages);
            k.onlyIf(isThrough, () -> {
                k.mov(slot, 0);
                k.xor(phase, phase, 1);
            });
        }

        /// @return `base + slot * bytes` in a new register
        Reg at(PtxKernel k, String name, Reg base, int bytes) {
            Reg at = k.reg(Type.U32, name);
            k.mad(at, slot, bytes, base);
            return at;
        }
    }
}
