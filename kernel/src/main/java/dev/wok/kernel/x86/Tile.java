package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VADDPS;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VDPBF16PS;
import static dev.wok.emit.x86.Op.VFMADD231PS;
import static dev.wok.emit.x86.Op.VPADDD;
import static dev.wok.emit.x86.Op.VPANDD;
import static dev.wok.emit.x86.Op.VPDPBUSD;
import static dev.wok.emit.x86.Op.VPSLLD;
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

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Op;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.kernel.Packed;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The inner loops of every matrix product: a block of the left operand times panels of the right one, tile by tile,
/// each tile's sums held in registers while the common dimension runs.
///
/* Both operands come in 32-bit groups along the common dimension: one float32, two bf16 or four bytes. A step takes one
 * group of each of the tile's rows, repeated in all lanes, and a vector of the right panel's groups, one per column.
 *
 * Left, [Layout#ROWS]: group (i, g) at a + i * aStride + 4 g. Left, [Layout#PANELS]: tiles of `rows` rows one after
 * another, group (i, g) of a tile at 4 (g * rows + i), tiles aStride apart.
 * Right: panels of `vectors` vectors of columns, group (g, j) at 4 (g * width + j), panels bStride apart; the last panel
 * is as narrow as whole vectors allow and its columns beyond the matrix are zeros.
 */
///
/// @param kind what is multiplied
/// @param rows of a tile
/// @param vectors of columns in a tile
/// @param layout of the left operand
/// @param lastRows rows of a last, smaller tile, 0 for none
/// @param lastVectors vectors of a last, narrower panel, whose last vector is stored in part; 0 for none
/// @param accumulate whether results are added to what is there
/// @param packedBytes between the panels of a packed weight that a tile goes along; 0 where panels were
///     packed for tiles
/// @param along whether a tile takes all blocks of the common dimension, which lie one behind the other,
///     and adds up their sums in the result
record Tile(
        Kind kind,
        int rows,
        int vectors,
        Layout layout,
        int lastRows,
        int lastVectors,
        boolean accumulate,
        long packedBytes,
        boolean along) {
    enum Kind {
        F32(VFMADD231PS, VADDPS, 1),
        BF16(VDPBF16PS, VADDPS, 2),
        /// Unsigned bytes on the left, signed ones on the right, sums in int32.
        BYTES(VPDPBUSD, VPADDD, 4),
        /// Two float32 on the left, two bf16 on the right that are widened as they are read.
        WIDENED(VFMADD231PS, VADDPS, 2, 2 * Float.BYTES);

        private final Op dot;
        private final Op add;
        private final int perGroup;
        private final int leftBytes;

        Kind(Op dot, Op add, int perGroup) {
            this(dot, add, perGroup, Integer.BYTES);
        }

        Kind(Op dot, Op add, int perGroup, int leftBytes) {
            this.dot = dot;
            this.add = add;
            this.perGroup = perGroup;
            this.leftBytes = leftBytes;
        }

        /// @return the bytes of a group of the left operand
        int leftBytes() {
            return leftBytes;
        }

        /// @return what rows of the left operand are packed as
        Kind ofLeft() {
            return this == WIDENED ? F32 : this;
        }

        /// @return the elements of the common dimension in 32 bits
        int perGroup() {
            return perGroup;
        }

        int groups(int k) {
            return (k + perGroup - 1) / perGroup;
        }

        /// Adds the products of vectors of groups and one group in memory.
        ///
        /// @param sums the first of their registers
        /// @param groups the first of the vectors' registers
        /// @param temporary overwritten with AVX2
        void dots(Lanes l, int sums, int groups, int vectors, Mem group, Vec temporary) {
            if (!l.isa().hasMasks()) {
                l.x.op(VBROADCASTSS, temporary, group);
            }
            for (int v = 0; v < vectors; v++) {
                l.x.op(dot, l.v(sums + v), l.v(groups + v), l.isa().hasMasks() ? group.broadcast() : temporary);
            }
        }
    }

    enum Layout {
        ROWS,
        PANELS
    }

    /// The arguments of a call, in native memory.
    static final class Call {
        private static final int A = 0;
        private static final int B = 8;
        private static final int C = 16;
        private static final int GROUPS = 24;
        private static final int A_STRIDE = 32;
        private static final int B_STRIDE = 40;
        private static final int C_STRIDE = 48;
        private static final int TILES = 56;
        private static final int PANELS = 64;
        private static final int LAST_LANES = 72;
        private static final int BLOCKS = 80;
        private static final int LAST_GROUPS = 88;
        static final int BYTES = 96;

        private final MemorySegment block;

        Call(MemorySegment block) {
            this.block = block;
        }

        long address() {
            return block.address();
        }

        /// @param groups of the common dimension, 1 or more
        /// @param aStride bytes between rows, or between tiles in panels
        void left(long a, long aStride, int groups) {
            put(A, a);
            put(A_STRIDE, aStride);
            put(GROUPS, groups);
        }

        /// What a tile [#along] takes.
        ///
        /// @param blocks with as many groups as [#left] says, but for the last
        /// @param lastGroups 1 or more
        void blocks(int blocks, int lastGroups) {
            put(BLOCKS, blocks);
            put(LAST_GROUPS, lastGroups);
        }

        /// @param bStride bytes between panels
        void right(long b, long bStride) {
            put(B, b);
            put(B_STRIDE, bStride);
        }

        /// @param cStride bytes between rows
        void result(long c, long cStride) {
            put(C, c);
            put(C_STRIDE, cStride);
        }

        /// @param tiles whole ones
        /// @param panels whole ones
        /// @param lastLanes lanes of the last vector of a last panel that are stored
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
    private static final Reg B = RDX;
    private static final Reg C = RCX;
    private static final Reg GROUP = R8;
    private static final Reg A_STRIDE = R9;
    private static final Reg C_STRIDE = R10;
    private static final Reg TILES = R11;
    private static final Reg A_TILE = RAX;
    private static final Reg B_AT = RBX;
    private static final Reg C_TILE = RBP;
    private static final Reg PANELS = R15;
    private static final Reg[] MORE_ROWS = {A_TILE, R12, R13};
    private static final int UPPER_HALF = 0xFFFF0000;
    /// In the next panel.
    private static final Reg NEXT = R14;
    /// Blocks that are left.
    private static final Reg BLOCK = R14;
    /// Lines of the next panel that are asked for with each tile.
    private static final int SHARE = 16;
    private static final int LINE = 64;
    private static final int UNROLL = 4;

    /// How far ahead a product of few rows asks for its weight, in bytes: 512 are too few, and with 4096
    /// what comes early is pushed out again.
    static final int AHEAD = 1024;

    /// Writes the code; its argument is the address of a [Call]'s block.
    void write(Lanes l) {
        Reg[] saved = {RBX, RBP, R12, R13, R14, R15};
        for (Reg r : saved) {
            l.x.push(r);
        }
        if (lastVectors > 0) {
            l.x.mov(RCX, Mem.at(RDI, Call.LAST_LANES));
            l.setTail(RCX);
        }
        l.x.mov(B, Mem.at(RDI, Call.B));
        l.x.mov(C, Mem.at(RDI, Call.C));
        l.x.mov(A_STRIDE, Mem.at(RDI, Call.A_STRIDE));
        l.x.mov(C_STRIDE, Mem.at(RDI, Call.C_STRIDE));
        l.x.mov(PANELS, Mem.at(RDI, Call.PANELS));
        Label narrow = l.x.label();
        l.x.test(PANELS, PANELS);
        l.x.jump(Condition.EQUAL, narrow);
        Label again = l.x.here();
        panel(l, vectors, false);
        l.x.add(B, Mem.at(RDI, Call.B_STRIDE));
        l.x.add(C, vectors * l.count() * Float.BYTES);
        l.x.sub(PANELS, 1);
        l.x.jump(Condition.NOT_EQUAL, again);
        l.x.bind(narrow);
        if (lastVectors > 0) {
            panel(l, lastVectors, true);
        }
        for (int i = saved.length - 1; i >= 0; i--) {
            l.x.pop(saved[i]);
        }
        l.end();
    }

    /// All tiles of the block against one panel.
    private void panel(Lanes l, int width, boolean partial) {
        Label remainder = l.x.label();
        l.x.mov(A, Mem.at(RDI, Call.A));
        l.x.mov(C_TILE, C);
        l.x.mov(NEXT, B);
        l.x.add(NEXT, Mem.at(RDI, Call.B_STRIDE));
        l.x.mov(TILES, Mem.at(RDI, Call.TILES));
        l.x.test(TILES, TILES);
        l.x.jump(Condition.EQUAL, remainder);
        Label again = l.x.here();
        tile(l, rows, width, partial);
        if (layout == Layout.PANELS) {
            l.x.add(A, A_STRIDE);
        } else {
            advance(l, A, A_STRIDE, rows);
        }
        advance(l, C_TILE, C_STRIDE, rows);
        l.x.sub(TILES, 1);
        l.x.jump(Condition.NOT_EQUAL, again);
        l.x.bind(remainder);
        if (lastRows > 0) {
            tile(l, lastRows, width, partial);
        }
    }

    /// `pointer += count * stride`.
    private static void advance(Lanes l, Reg pointer, Reg stride, int count) {
        for (int i = 3; i >= 0; i--) {
            for (int n = 0; n < (i == 3 ? count >> 3 : count >> i & 1); n++) {
                l.x.lea(pointer, Mem.at(pointer, stride, 1 << i, 0));
            }
        }
    }

    /// While a tile is computed, what is needed next comes closer: the part of the result that it is added to, and a
    /// share of the next panel.
    private void prefetch(Lanes l, int height, int width) {
        if (accumulate) {
            l.x.mov(GROUP, C_TILE);
            for (int i = 0; i < height; i++) {
                for (int line = 0; line < width * l.isa().bytes(); line += LINE) {
                    l.x.prefetch(Mem.at(GROUP, line));
                }
                l.x.add(GROUP, C_STRIDE);
            }
        }
        int streams = packedBytes == 0 ? 1 : Math.max(1, width * l.count() / Packed.ROWS);
        int share = SHARE / streams;
        for (int s = 0; s < streams; s++) {
            for (int i = 0; i < share; i++) {
                l.x.prefetch2(Mem.at(NEXT, Math.toIntExact(s * packedBytes) + i * LINE));
            }
        }
        l.x.add(NEXT, share * LINE);
    }

    private void tile(Lanes l, int height, int width, boolean partial) {
        if (!along) {
            prefetch(l, height, width);
        }
        if (layout == Layout.ROWS) {
            for (int i = 0; 3 * i < height; i++) {
                if (i == 0) {
                    l.x.mov(MORE_ROWS[0], A);
                } else {
                    l.x.mov(MORE_ROWS[i], MORE_ROWS[i - 1]);
                    advance(l, MORE_ROWS[i], A_STRIDE, 3);
                }
            }
        } else {
            l.x.mov(A_TILE, A);
        }
        l.x.mov(B_AT, B);
        if (!along) {
            l.x.mov(GROUP, Mem.at(RDI, Call.GROUPS));
            block(l, height, width, partial, accumulate);
            return;
        }
        Label done = l.x.label();
        l.x.mov(BLOCK, Mem.at(RDI, Call.BLOCKS));
        nextBlock(l, height, width, partial, accumulate);
        l.x.jump(Condition.EQUAL, done);
        Label again = l.x.here();
        nextBlock(l, height, width, partial, true);
        l.x.jump(Condition.NOT_EQUAL, again);
        l.x.bind(done);
    }

    /// Leaves in the flags whether it was the last.
    private void nextBlock(Lanes l, int height, int width, boolean partial, boolean adds) {
        Label begin = l.x.label();
        l.x.mov(GROUP, Mem.at(RDI, Call.GROUPS));
        l.x.cmp(BLOCK, 1);
        l.x.jump(Condition.NOT_EQUAL, begin);
        l.x.mov(GROUP, Mem.at(RDI, Call.LAST_GROUPS));
        l.x.bind(begin);
        block(l, height, width, partial, adds);
        l.x.sub(BLOCK, 1);
    }

    /// @param adds whether sums are added to what is there
    private void block(Lanes l, int height, int width, boolean partial, boolean adds) {
        for (int i = 0; i < height * width; i++) {
            l.zero(l.v(i));
        }
        l.countDown(GROUP, UNROLL, groups -> {
            for (int g = 0; g < groups; g++) {
                if (along) {
                    ask(l, width, g);
                }
                step(l, height, width, g);
            }
            next(l, height, width, groups);
        });
        store(l, height, width, partial, adds);
    }

    /// Asks for what is soon read: where there are few rows, memory is what products wait for.
    private void ask(Lanes l, int width, int g) {
        for (int j = 0; j < width; j += Packed.ROWS / l.count()) {
            l.x.prefetch(Mem.at(B_AT, AHEAD + g * groupBytes(l, width) + vectorAt(l, j)));
        }
    }

    private void next(Lanes l, int height, int width, int groups) {
        l.x.add(B_AT, groups * groupBytes(l, width));
        if (layout == Layout.PANELS) {
            l.x.add(A_TILE, groups * rows * Float.BYTES);
        } else {
            for (int i = 0; 3 * i < height; i++) {
                l.x.add(MORE_ROWS[i], groups * kind.leftBytes);
            }
        }
    }

    /// One group of the common dimension, `g` behind the pointers.
    private void step(Lanes l, int height, int width, int g) {
        if (kind != Kind.WIDENED) {
            load(l, height, width, g);
            dots(l, height, width, g * kind.leftBytes);
            return;
        }
        load(l, height, width, g);
        for (int j = 0; j < width; j++) {
            l.x.op(VPSLLD, l.v(height * width + j), l.v(height * width + j), imm(Short.SIZE));
        }
        dots(l, height, width, g * kind.leftBytes);
        load(l, height, width, g);
        for (int j = 0; j < width; j++) {
            l.x.op(VPANDD, l.v(height * width + j), l.v(height * width + j), l.c(UPPER_HALF));
        }
        dots(l, height, width, g * kind.leftBytes + Float.BYTES);
    }

    private void load(Lanes l, int height, int width, int g) {
        for (int j = 0; j < width; j++) {
            int at = g * groupBytes(l, width) + vectorAt(l, j);
            l.x.op(Op.VMOVUPS, l.v(height * width + j), Mem.at(B_AT, at));
        }
    }

    /// @return the bytes between groups of the right operand
    private int groupBytes(Lanes l, int width) {
        return packedBytes == 0 ? width * l.isa().bytes() : Packed.STEP_BYTES;
    }

    private int vectorAt(Lanes l, int j) {
        int column = j * l.count();
        return packedBytes == 0
                ? column * Integer.BYTES
                : Math.toIntExact(column / Packed.ROWS * packedBytes + (long) (column % Packed.ROWS) * Integer.BYTES);
    }

    /// Adds the products of the vectors behind the sums and what lies `at` bytes behind each row's pointer.
    private void dots(Lanes l, int height, int width, int at) {
        int right = height * width;
        int spare = right + width;
        // The last register of AVX2 holds the tail's mask.
        int spares = Math.min(4, (l.isa().hasMasks() ? 32 : 15) - spare);
        for (int i = 0; i < height; i++) {
            Vec repeated = l.v(spare + i % spares);
            l.x.op(VBROADCASTSS, repeated, left(i, at));
            for (int j = 0; j < width; j++) {
                l.x.op(kind.dot, l.v(i * width + j), repeated, l.v(right + j));
            }
        }
    }

    private Mem left(int row, int at) {
        if (layout == Layout.PANELS) {
            return Mem.at(A_TILE, at * rows + row * Float.BYTES);
        }
        Reg base = MORE_ROWS[row / 3];
        return row % 3 == 0 ? Mem.at(base, at) : Mem.at(base, A_STRIDE, row % 3, at);
    }

    private void store(Lanes l, int height, int width, boolean partial, boolean adds) {
        Reg at = GROUP;
        l.x.mov(at, C_TILE);
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < width; j++) {
                Vec sum = l.v(i * width + j);
                Mem to = Mem.at(at, j * l.isa().bytes());
                if (partial && j == width - 1) {
                    // The first register behind the sums is free now.
                    Vec old = l.v(height * width);
                    l.inTailAsSet(() -> {
                        if (adds) {
                            l.load(old, to);
                            l.x.op(kind.add, sum, sum, old);
                        }
                        l.store(to, sum);
                    });
                } else {
                    if (adds) {
                        l.x.op(kind.add, sum, sum, to);
                    }
                    l.store(to, sum);
                }
            }
            if (i < height - 1) {
                l.x.add(at, C_STRIDE);
            }
        }
    }
}
