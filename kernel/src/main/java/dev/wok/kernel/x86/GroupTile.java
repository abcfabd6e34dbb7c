package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VCVTDQ2PS;
import static dev.wok.emit.x86.Op.VFMADD213PS;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPABSB;
import static dev.wok.emit.x86.Op.VPADDD;
import static dev.wok.emit.x86.Op.VPADDW;
import static dev.wok.emit.x86.Op.VPANDD;
import static dev.wok.emit.x86.Op.VPDPBUSD;
import static dev.wok.emit.x86.Op.VPERMPS;
import static dev.wok.emit.x86.Op.VPMADDUBSW;
import static dev.wok.emit.x86.Op.VPMADDWD;
import static dev.wok.emit.x86.Op.VPSIGNB;
import static dev.wok.emit.x86.Op.VPSLLD;
import static dev.wok.emit.x86.Op.VPSRAD;
import static dev.wok.emit.x86.Op.VPSRLD;
import static dev.wok.emit.x86.Op.VPXORD;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R12;
import static dev.wok.emit.x86.Reg.R13;
import static dev.wok.emit.x86.Reg.R14;
import static dev.wok.emit.x86.Reg.R15;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBP;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static dev.wok.emit.x86.Reg.RSP;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Operand;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.kernel.Packed;
import dev.wok.tensor.E4m3;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.BiConsumer;

/// The inner loops of products with [PackedPanels]: tile by tile, the sums of a group in registers,
/// scaled and added to the tile's totals, also in registers, at the end of the group.
///
/* A row of the left operand is float32, or what QuantizeRow made of it: a scale and a first sum for each group, then
 * the bytes. The weights' values lie 128 or 8 too high, so that they are the unsigned operand of the byte dot products;
 * a group's sum begins with -128 or -8 times the sum of the row's bytes. Whole numbers are exact, whatever the order.
 *
 * Without byte dot products pairs of products are added in 16 bits. There AVX2 multiplies magnitudes of the weights with
 * the row's bytes under the weights' signs, at most 2 * 128 * 127. AVX-512 cannot move signs: the eighth bit of a weight
 * goes through a product of its own, so that values are up to 127. Half bytes are so small that AVX2 has registers for
 * adding eight pairs in 16 bits, at most 8 * 2 * 15 * 127, before they are widened.
 *
 * A vector of weights is taken apart once for all rows of a tile, so tiles of bytes are as high as there are registers:
 * with AVX2 totals then lie on the stack, and half bytes go along a panel's two vectors of columns one after the other.
 * With few rows memory is what is waited for, and is asked for ahead instead.
 */
///
/// @param element of the weights
/// @param bytes whether the left operand is bytes
/// @param rows of a tile
/// @param vectors of columns
/// @param lastRows rows of a last, smaller tile, 0 for none
/// @param partial whether the last vector is stored in part
/// @param single whether there is one group, whose sums are the totals
/// @param accumulate whether results are added to what is there
/// @param panelBytes between the values of a tile's panels, where it has several
/// @param scaleBytes between their scales
/// @param few whether there are so few rows that reading the weight is most of the work
record GroupTile(
        Packed.Element element,
        boolean bytes,
        int rows,
        int vectors,
        int lastRows,
        boolean partial,
        boolean single,
        boolean accumulate,
        long panelBytes,
        long scaleBytes,
        boolean few) {
    private static final int UNROLL = 4;
    private static final int LOWER_HALVES = 0x0F0F0F0F;

    /// Bytes of a group's scale and first sum.
    static final int HEAD_BYTES = 8;

    /// The arguments of a call, in native memory.
    static final class Call {
        private static final int A = 0;
        private static final int A_STRIDE = 8;
        private static final int HEAD = 16;
        private static final int DATA = 24;
        private static final int VALUES = 32;
        private static final int VALUES_STRIDE = 40;
        private static final int SCALES = 48;
        private static final int SCALES_STRIDE = 56;
        private static final int C = 64;
        private static final int C_STRIDE = 72;
        private static final int GROUPS = 80;
        private static final int STEPS = 88;
        private static final int LAST_STEPS = 96;
        private static final int TILES = 104;
        private static final int PANELS = 112;
        private static final int LAST_LANES = 120;
        static final int BYTES = 128;

        private final MemorySegment block;

        Call(MemorySegment block) {
            this.block = block;
        }

        long address() {
            return block.address();
        }

        /// @param aStride bytes between rows
        /// @param head where in a row the first group's scale is
        /// @param data where in a row the first group's elements are
        void left(long a, long aStride, long head, long data) {
            put(A, a);
            put(A_STRIDE, aStride);
            put(HEAD, head);
            put(DATA, data);
        }

        void right(long values, long valuesStride, long scales, long scalesStride) {
            put(VALUES, values);
            put(VALUES_STRIDE, valuesStride);
            put(SCALES, scales);
            put(SCALES_STRIDE, scalesStride);
        }

        /// @param cStride bytes between rows
        void result(long c, long cStride) {
            put(C, c);
            put(C_STRIDE, cStride);
        }

        /// @param groups of the common dimension, 1 or more
        /// @param steps of a group, a multiple of 4
        /// @param lastSteps of the last group, a multiple of 4
        void depth(int groups, int steps, int lastSteps) {
            put(GROUPS, groups);
            put(STEPS, steps);
            put(LAST_STEPS, lastSteps);
        }

        /// @param tiles whole ones
        /// @param panels 1 or more
        /// @param lastLanes lanes of the panel's last vector that are stored
        void counts(int tiles, int panels, int lastLanes) {
            put(TILES, tiles);
            put(PANELS, panels);
            put(LAST_LANES, lastLanes);
        }

        private void put(int at, long value) {
            block.set(ValueLayout.JAVA_LONG, at, value);
        }
    }

    private static final Reg A = RSI;
    private static final Reg VALUES = RDX;
    private static final Reg C = RCX;
    private static final Reg TILES = R8;
    private static final Reg A_STRIDE = R9;
    private static final Reg VALUES_AT = R10;
    private static final Reg GROUP = R11;
    private static final Reg SCALES_AT = R14;
    private static final Reg HEAD_AT = R15;
    private static final Reg C_TILE = RBP;
    private static final Reg STEP = RAX;
    private static final Reg[] ROWS = {RBX, R12, R13};

    /// Writes the code; its argument is the address of a [Call]'s block, whose panels and scales it counts on.
    void write(Lanes l) {
        Reg[] saved = {RBX, RBP, R12, R13, R14, R15};
        for (Reg r : saved) {
            l.x.push(r);
        }
        if (partial) {
            l.x.mov(RCX, argument(Call.LAST_LANES));
            l.setTail(RCX);
        }
        if (element == Packed.Element.INT4 && !addsWords(l)) {
            prepareHalfBytes(l);
        }
        l.x.mov(VALUES, argument(Call.VALUES));
        l.x.mov(C, argument(Call.C));
        l.x.mov(A_STRIDE, argument(Call.A_STRIDE));
        if (stacksTotals(l)) {
            l.x.sub(RSP, stackBytes(l));
        }
        Label again = l.x.here();
        int passes = vectors / width(l);
        for (int pass = 0; pass < passes; pass++) {
            boolean last = pass == passes - 1;
            panel(l, partial && last);
            l.x.add(C, width(l) * l.isa().bytes());
            if (last) {
                l.x.add(VALUES, argument(Call.VALUES_STRIDE));
                l.x.sub(VALUES, pass * l.isa().bytes());
            } else {
                l.x.add(VALUES, l.isa().bytes());
            }
            l.x.mov(RAX, argument(Call.SCALES));
            if (last) {
                l.x.add(RAX, argument(Call.SCALES_STRIDE));
                l.x.sub(RAX, pass * l.count() * Short.BYTES);
            } else {
                l.x.add(RAX, l.count() * Short.BYTES);
            }
            l.x.mov(argument(Call.SCALES), RAX);
        }
        l.x.mov(RAX, argument(Call.PANELS));
        l.x.sub(RAX, 1);
        l.x.mov(argument(Call.PANELS), RAX);
        l.x.jump(Condition.NOT_EQUAL, again);
        if (stacksTotals(l)) {
            l.x.add(RSP, stackBytes(l));
        }
        for (int i = saved.length - 1; i >= 0; i--) {
            l.x.pop(saved[i]);
        }
        l.end();
    }

    private static Mem argument(int at) {
        return Mem.at(RDI, at);
    }

    /// @return how many vectors of columns are computed at once
    private int width(Lanes l) {
        return addsWords(l) && !few ? 1 : vectors;
    }

    /// Whether totals lie on the stack, which leaves registers for more rows.
    private boolean stacksTotals(Lanes l) {
        return bytes && !few && !single && l.isa() == Isa.AVX2;
    }

    private int stackBytes(Lanes l) {
        return rows * width(l) * l.isa().bytes();
    }

    private static Mem stacked(Lanes l, int i) {
        return Mem.at(RSP, i * l.isa().bytes());
    }

    private void panel(Lanes l, boolean partial) {
        Label remainder = l.x.label();
        l.x.mov(A, argument(Call.A));
        l.x.mov(C_TILE, C);
        l.x.mov(TILES, argument(Call.TILES));
        l.x.test(TILES, TILES);
        l.x.jump(Condition.EQUAL, remainder);
        Label again = l.x.here();
        tile(l, rows, partial);
        for (int i = 0; i < rows; i++) {
            l.x.add(A, A_STRIDE);
            l.x.add(C_TILE, argument(Call.C_STRIDE));
        }
        l.x.sub(TILES, 1);
        l.x.jump(Condition.NOT_EQUAL, again);
        l.x.bind(remainder);
        if (lastRows > 0) {
            tile(l, lastRows, partial);
        }
    }

    private void tile(Lanes l, int height, boolean partial) {
        l.x.mov(HEAD_AT, A);
        l.x.add(HEAD_AT, argument(Call.HEAD));
        l.x.mov(ROWS[0], A);
        l.x.add(ROWS[0], argument(Call.DATA));
        for (int i = 1; 3 * i < height; i++) {
            l.x.lea(ROWS[i], Mem.at(ROWS[i - 1], A_STRIDE, 2, 0));
            l.x.add(ROWS[i], A_STRIDE);
        }
        l.x.mov(VALUES_AT, VALUES);
        l.x.mov(SCALES_AT, argument(Call.SCALES));
        if (!single) {
            eachResult(l, height, partial, true, (total, at) -> {
                if (accumulate) {
                    l.load(total, at);
                } else {
                    l.zero(total);
                }
            });
        }
        l.x.mov(GROUP, argument(Call.GROUPS));
        Label group = l.x.here();
        begin(l, height);
        Label steps = l.x.label();
        l.x.mov(STEP, argument(Call.STEPS));
        l.x.cmp(GROUP, 1);
        l.x.jump(Condition.NOT_EQUAL, steps);
        l.x.mov(STEP, argument(Call.LAST_STEPS));
        l.x.align(32);
        l.x.bind(steps);
        if (addsWords(l)) {
            for (int i = 0; i < height * width(l); i++) {
                l.zero(words(l, i));
            }
        }
        for (int u = 0; u < UNROLL; u++) {
            step(l, height, u);
        }
        if (addsWords(l)) {
            for (int i = 0; i < height * width(l); i++) {
                l.x.op(VPMADDWD, words(l, i), words(l, i), l.c(0x00010001));
                l.x.op(VPADDD, l.v(i), l.v(i), words(l, i));
            }
        }
        next(l, height);
        l.x.sub(STEP, UNROLL);
        l.x.jump(Condition.NOT_EQUAL, steps);
        end(l, height);
        l.x.sub(GROUP, 1);
        l.x.jump(Condition.NOT_EQUAL, group);
        store(l, height, partial);
    }

    private int total(Lanes l, int i) {
        return single ? i : rows * width(l) + i;
    }

    /// @return the `i`-th register that holds no sum
    private Vec temporary(Lanes l, int i) {
        return l.v((stacksTotals(l) ? rows * width(l) : total(l, rows * width(l))) + i);
    }

    /// The last register but the one of AVX2's tails.
    private static Vec constant(Lanes l) {
        return l.v(l.isa().hasMasks() ? 31 : 14);
    }

    /// Visits the heads of a group, row by row.
    private static void heads(Lanes l, int height, java.util.function.IntConsumer row) {
        l.x.mov(RAX, HEAD_AT);
        for (int i = 0; i < height; i++) {
            if (i > 0) {
                l.x.add(RAX, A_STRIDE);
            }
            row.accept(i);
        }
    }

    private boolean movesSigns(Lanes l) {
        return bytes && element == Packed.Element.INT8 && l.isa() == Isa.AVX2;
    }

    private boolean addsWords(Lanes l) {
        return bytes && element == Packed.Element.INT4 && l.isa() == Isa.AVX2;
    }

    /// The sums of a round of steps, in 16 bits, behind three temporaries.
    private Vec words(Lanes l, int i) {
        return temporary(l, 3 + i);
    }

    private void begin(Lanes l, int height) {
        if (!bytes || movesSigns(l)) {
            for (int i = 0; i < height * width(l); i++) {
                l.zero(l.v(i));
            }
            return;
        }
        heads(l, height, i -> {
            for (int j = 0; j < width(l); j++) {
                if (j == 0) {
                    l.x.op(VBROADCASTSS, l.v(i * width(l)), Mem.at(RAX, Float.BYTES));
                } else {
                    l.move(l.v(i * width(l) + j), l.v(i * width(l)));
                }
            }
        });
    }

    private void end(Lanes l, int height) {
        for (int j = 0; j < width(l); j++) {
            l.fromBf16(temporary(l, j), Mem.at(SCALES_AT, behind(l, j, scaleBytes, Short.BYTES)));
        }
        l.x.add(SCALES_AT, Packed.ROWS * Short.BYTES);
        Vec scale = temporary(l, width(l));
        heads(l, height, i -> {
            if (bytes) {
                l.x.op(VBROADCASTSS, scale, Mem.at(RAX));
            }
            for (int j = 0; j < width(l); j++) {
                Vec sum = l.v(i * width(l) + j);
                if (bytes) {
                    l.x.op(VCVTDQ2PS, sum, sum);
                }
                if (single || bytes) {
                    l.mul(sum, sum, temporary(l, j));
                }
                if (single && bytes) {
                    l.mul(sum, sum, scale);
                } else if (stacksTotals(l)) {
                    Mem total = stacked(l, i * width(l) + j);
                    l.x.op(VFMADD213PS, sum, scale, total);
                    l.x.op(VMOVUPS, total, sum);
                } else if (!single) {
                    l.fma(l.v(total(l, i * width(l) + j)), sum, bytes ? scale : temporary(l, j));
                }
            }
        });
        l.x.add(HEAD_AT, HEAD_BYTES);
    }

    // ---------------------------------------------------------------------------------------------- steps

    /// @param u how many steps behind the pointers
    private void step(Lanes l, int height, int u) {
        int x = u * elementBytes();
        if (few) {
            for (int j = 0; j < width(l); j += Packed.ROWS / l.count()) {
                int at = u * Packed.STEP_BYTES + behind(l, j, panelBytes, Integer.BYTES);
                l.x.prefetch(Mem.at(VALUES_AT, Tile.AHEAD + at));
            }
        }
        if (bytes && l.isa().hasByteDots()) {
            for (int j = 0; j < width(l); j++) {
                load(l, temporary(l, j), u, j);
            }
            if (element == Packed.Element.INT8) {
                dots(l, height, 0, width(l), x);
            } else {
                for (int j = 0; j < width(l); j++) {
                    l.x.op(VPANDD, temporary(l, width(l) + j), temporary(l, j), lowerHalves(l));
                }
                dots(l, height, width(l), 2 * width(l), x);
                for (int j = 0; j < width(l); j++) {
                    upperHalves(l, temporary(l, width(l) + j), temporary(l, j));
                }
                dots(l, height, width(l), 2 * width(l), x + Integer.BYTES);
            }
            return;
        }
        for (int j = 0; j < width(l); j++) {
            Vec values = temporary(l, 0);
            load(l, values, u, j);
            if (!bytes) {
                floats(l, height, j, values, x);
            } else if (movesSigns(l)) {
                magnitudesInPairs(l, height, j, values, x);
            } else if (element == Packed.Element.INT8) {
                wholeBytesInPairs(l, height, j, values, x);
            } else {
                Vec half = temporary(l, 1);
                l.x.op(VPANDD, half, values, lowerHalves(l));
                inPairs(l, height, j, half, 1, x);
                upperHalves(l, half, values);
                inPairs(l, height, j, half, 1, x + Integer.BYTES);
            }
        }
    }

    private void next(Lanes l, int height) {
        l.x.add(VALUES_AT, UNROLL * Packed.STEP_BYTES);
        for (int i = 0; 3 * i < height; i++) {
            l.x.add(ROWS[i], UNROLL * elementBytes());
        }
    }

    /// @return what a step takes of a row of the left operand
    private int elementBytes() {
        return element.perStep() * (bytes ? 1 : Float.BYTES);
    }

    private void load(Lanes l, Vec to, int u, int j) {
        l.load(to, Mem.at(VALUES_AT, u * Packed.STEP_BYTES + behind(l, j, panelBytes, Integer.BYTES)));
    }

    /// Where a vector of columns begins.
    ///
    /// @param stride bytes between panels
    /// @param size bytes of a column
    private static int behind(Lanes l, int j, long stride, int size) {
        int column = j * l.count();
        return Math.toIntExact(column / Packed.ROWS * stride + (long) (column % Packed.ROWS) * size);
    }

    private void upperHalves(Lanes l, Vec to, Vec values) {
        l.x.op(VPSRLD, to, values, imm(4));
        l.x.op(VPANDD, to, to, lowerHalves(l));
    }

    /// A mask, in a register where one is left.
    private Operand lowerHalves(Lanes l) {
        return addsWords(l) ? l.c(LOWER_HALVES) : constant(l);
    }

    private static Mem left(int row, int at) {
        Reg base = ROWS[row / 3];
        return row % 3 == 0 ? Mem.at(base, at) : Mem.at(base, A_STRIDE, row % 3, at);
    }

    /// 32 bits of a row in every lane.
    private Operand repeated(Lanes l, int row, int at) {
        if (l.isa().hasMasks()) {
            return left(row, at).broadcast();
        }
        Vec register = temporary(l, 2);
        l.x.op(VBROADCASTSS, register, left(row, at));
        return register;
    }

    /// Multiplies four unsigned bytes of each column, in temporaries, with four signed ones of each row.
    ///
    /// @param values the first temporary
    /// @param spare a temporary that is free
    private void dots(Lanes l, int height, int values, int spare, int at) {
        Vec x = temporary(l, spare);
        for (int i = 0; i < height; i++) {
            l.x.op(VBROADCASTSS, x, left(i, at));
            for (int j = 0; j < width(l); j++) {
                l.x.op(VPDPBUSD, l.v(i * width(l) + j), temporary(l, values + j), x);
            }
        }
    }

    /// Multiplies four signed bytes of each column with four of each row.
    private void magnitudesInPairs(Lanes l, int height, int j, Vec values, int at) {
        Vec magnitudes = temporary(l, 1);
        Vec products = temporary(l, 2);
        l.x.op(VPXORD, values, values, l.c(0x80808080));
        l.x.op(VPABSB, magnitudes, values);
        for (int i = 0; i < height; i++) {
            Vec sum = l.v(i * width(l) + j);
            l.x.op(VBROADCASTSS, products, left(i, at));
            l.x.op(VPSIGNB, products, products, values);
            l.x.op(VPMADDUBSW, products, magnitudes, products);
            l.x.op(VPMADDWD, products, products, l.c(0x00010001));
            l.x.op(VPADDD, sum, sum, products);
        }
    }

    private void wholeBytesInPairs(Lanes l, int height, int j, Vec values, int at) {
        Vec part = temporary(l, 1);
        l.x.op(VPANDD, part, values, l.c(0x7F7F7F7F));
        inPairs(l, height, j, part, 1, at);
        l.x.op(VPSRLD, part, values, imm(7));
        l.x.op(VPANDD, part, part, l.c(0x01010101));
        inPairs(l, height, j, part, 128, at);
    }

    /// Multiplies four unsigned bytes up to 127 of each column with four signed ones of each row and with a factor.
    private void inPairs(Lanes l, int height, int j, Vec values, int factor, int at) {
        Vec products = temporary(l, 2);
        int[] factors = new int[l.count()];
        Arrays.fill(factors, factor << 16 | factor);
        for (int i = 0; i < height; i++) {
            Vec sum = l.v(i * width(l) + j);
            l.x.op(VBROADCASTSS, products, left(i, at));
            l.x.op(VPMADDUBSW, products, values, products);
            if (addsWords(l)) {
                l.x.op(VPADDW, words(l, i * width(l) + j), words(l, i * width(l) + j), products);
            } else {
                l.x.op(VPMADDWD, products, products, l.x.constant(factors));
                l.x.op(VPADDD, sum, sum, products);
            }
        }
    }

    /// Multiplies the values of a step, one after another, with float32.
    private void floats(Lanes l, int height, int j, Vec values, int at) {
        if (element == Packed.Element.INT8) {
            l.x.op(VPXORD, values, values, l.c(0x80808080));
        }
        Vec value = temporary(l, 1);
        for (int e = 0; e < element.perStep(); e++) {
            switch (element) {
                case FP8 -> e4m3(l, value, values, e);
                case INT8 -> wholeByte(l, value, values, e);
                case INT4 -> halfByte(l, value, values, e);
                case F32, BF16 -> throw new IllegalStateException(element + " has no groups");
            }
            for (int i = 0; i < height; i++) {
                l.fma(l.v(i * width(l) + j), value, repeated(l, i, at + e * Float.BYTES));
            }
        }
    }

    private static void e4m3(Lanes l, Vec value, Vec values, int e) {
        fromTop(l, value, values, e, 4);
        l.x.op(VPANDD, value, value, l.c(E4m3.IN_FLOAT32));
        l.mul(value, value, l.c(E4m3.FROM_FLOAT32));
    }

    private static void wholeByte(Lanes l, Vec value, Vec values, int e) {
        fromTop(l, value, values, e, 24);
        l.x.op(VCVTDQ2PS, value, value);
    }

    /// Moves a byte of each lane to the top, and then down with copies of its sign.
    private static void fromTop(Lanes l, Vec value, Vec values, int e, int down) {
        if (e < 3) {
            l.x.op(VPSLLD, value, values, imm(24 - 8 * e));
        }
        l.x.op(VPSRAD, value, e < 3 ? value : values, imm(down));
    }

    private static void halfByte(Lanes l, Vec value, Vec values, int e) {
        if (e > 0) {
            l.x.op(VPSRLD, value, values, imm(4 * e));
        }
        Vec from = e > 0 ? value : values;
        if (l.isa().hasMasks()) {
            l.x.op(VPERMPS, value, from, constant(l));
        } else {
            l.x.op(VPANDD, value, from, l.c(15));
            l.x.op(VCVTDQ2PS, value, value);
            l.sub(value, value, l.c(8f));
        }
    }

    /// What half bytes stand for as float32, or a mask for the lower ones.
    private void prepareHalfBytes(Lanes l) {
        if (bytes) {
            l.x.op(VBROADCASTSS, constant(l), l.x.constant(LOWER_HALVES));
        } else if (l.isa().hasMasks()) {
            float[] table = new float[16];
            for (int i = 0; i < table.length; i++) {
                table[i] = i - 8;
            }
            l.load(constant(l), l.x.constant(table));
        }
    }

    private void store(Lanes l, int height, boolean partial) {
        eachResult(l, height, partial, false, (total, at) -> {
            if (single && accumulate) {
                l.load(temporary(l, 0), at);
                l.add(total, total, temporary(l, 0));
            }
            l.store(at, total);
        });
    }

    /// Visits the totals' registers with their places in memory. Overwrites a pointer.
    ///
    /// @param begins whether the body sets the totals
    private void eachResult(Lanes l, int height, boolean partial, boolean begins, BiConsumer<Vec, Mem> body) {
        Reg at = RAX;
        l.x.mov(at, C_TILE);
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < width(l); j++) {
                int index = i * width(l) + j;
                Vec total = stacksTotals(l) ? temporary(l, 0) : l.v(total(l, index));
                Mem place = Mem.at(at, j * l.isa().bytes());
                if (stacksTotals(l) && !begins) {
                    l.x.op(VMOVUPS, total, stacked(l, index));
                }
                if (partial && j == width(l) - 1) {
                    l.inTailAsSet(() -> body.accept(total, place));
                } else {
                    body.accept(total, place);
                }
                if (stacksTotals(l) && begins) {
                    l.x.op(VMOVUPS, stacked(l, index), total);
                }
            }
            if (i < height - 1) {
                l.x.add(at, argument(Call.C_STRIDE));
            }
        }
    }
}
