package dev.wok.kernel.x86;

import static dev.wok.emit.Imm.imm;
import static dev.wok.emit.Mask.K1;
import static dev.wok.emit.Mask.K2;
import static dev.wok.emit.Mask.K3;
import static dev.wok.emit.Mask.K4;
import static dev.wok.emit.Op.KMOVD;
import static dev.wok.emit.Op.KMOVW;
import static dev.wok.emit.Op.VBROADCASTSS;
import static dev.wok.emit.Op.VCVTNE2PS2BF16;
import static dev.wok.emit.Op.VMASKMOVPS;
import static dev.wok.emit.Op.VMOVDQU16;
import static dev.wok.emit.Op.VMOVUPS;
import static dev.wok.emit.Op.VPERM2F128;
import static dev.wok.emit.Op.VPERMW;
import static dev.wok.emit.Op.VPMOVZXWD;
import static dev.wok.emit.Op.VPORD;
import static dev.wok.emit.Op.VPSLLD;
import static dev.wok.emit.Op.VSHUFF32X4;
import static dev.wok.emit.Op.VUNPCKHPD;
import static dev.wok.emit.Op.VUNPCKHPS;
import static dev.wok.emit.Op.VUNPCKLPD;
import static dev.wok.emit.Op.VUNPCKLPS;
import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R11;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.R9;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RBX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;
import static dev.wok.emit.Reg.RSP;

import dev.wok.emit.Condition;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;
import dev.wok.emit.Reg;
import dev.wok.emit.Vec;
import dev.wok.tensor.DType;
import java.util.Arrays;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The code that puts operands into the layouts of [Tile]: from float32 or bf16 in memory to 32-bit groups.
///
/// Rows are given as a table of addresses, so that gathered rows cost nothing; an address of zero stands for a row of
/// zeros where it says so.
sealed interface Packing {
    void write(Lanes l);

    /// What is read and what it becomes.
    ///
    /// @param from F32 or BF16
    /// @param kind float32 groups or bf16 pairs
    /// @param rounds whether float32 groups are rounded to bf16
    record Cast(DType from, Tile.Kind kind, boolean rounds) {
        /// The elements of a row that one vector of groups takes.
        int perVector(Lanes l) {
            return l.count() * kind.perGroup();
        }

        /// Reads a vector of groups of consecutive elements. Uses registers from 24 on (with AVX2: 12 to 14).
        ///
        /// @param left how many elements there are where it is the row's end, null elsewhere; kept
        void load(Lanes l, Vec to, Reg at, @Nullable Reg left) {
            if (kind == Tile.Kind.BF16) {
                loadPairs(l, to, at, left);
            } else {
                loadFloats(l, to, at, left);
                if (rounds) {
                    int t = l.isa().hasMasks() ? 24 : 12;
                    l.roundToBf16(to, l.v(t), l.v(t + 1));
                }
            }
        }

        private void loadPairs(Lanes l, Vec to, Reg at, @Nullable Reg left) {
            if (left != null) {
                mask(l, left);
            }
            if (from == DType.BF16) {
                l.x.op(VMOVDQU16, left == null ? to : to.zeroed(K3), Mem.at(at));
                return;
            }
            Vec high = l.v(24);
            l.x.op(VMOVUPS, left == null ? to : to.zeroed(K1), Mem.at(at));
            l.x.op(VMOVUPS, left == null ? high : high.zeroed(K2), Mem.at(at, 64));
            l.x.op(VCVTNE2PS2BF16, to, high, to);
        }

        private static void mask(Lanes l, Reg left) {
            l.x.push(RAX);
            l.x.mov(RAX, -1);
            l.x.bzhi(RAX, RAX, left);
            l.x.op(KMOVW, K1, RAX);
            l.x.op(KMOVD, K3, RAX);
            l.x.shr(RAX, 16);
            l.x.op(KMOVW, K2, RAX);
            l.x.pop(RAX);
        }

        private void loadFloats(Lanes l, Vec to, Reg at, @Nullable Reg left) {
            if (from == DType.F32) {
                if (left == null) {
                    l.load(to, Mem.at(at));
                } else {
                    tail(l, left, () -> l.load(to, Mem.at(at)));
                }
            } else if (left == null) {
                l.fromBf16(to, Mem.at(at));
            } else if (l.isa().hasMasks()) {
                mask(l, left);
                l.x.op(VPMOVZXWD, to.zeroed(K1), Mem.at(at));
                l.x.op(VPSLLD, to, to, imm(16));
            } else {
                loadWords(l, to, at, left);
            }
        }

        private static void tail(Lanes l, Reg left, Runnable body) {
            l.x.push(left);
            l.inTail(left, body);
            l.x.pop(left);
        }

        private static Reg other(Reg a, Reg b, @Nullable Reg c) {
            return Stream.of(RAX, RBX, R10, R11)
                    .filter(r -> r != a && r != b && r != c)
                    .findFirst()
                    .orElseThrow();
        }

        /// The last bf16 values of a row, one by one through the stack: AVX2 cannot load them under a mask.
        private static void loadWords(Lanes l, Vec to, Reg at, Reg left) {
            Reg index = other(at, left, null);
            Reg word = other(at, left, index);
            l.x.push(index);
            l.x.push(word);
            l.x.sub(RSP, 16);
            l.zero(to.as(16));
            l.x.op(VMOVUPS, Mem.at(RSP), to.as(16));
            l.x.xor(index, index);
            Label again = l.x.here();
            l.x.movzx16(word, Mem.at(at, index, 2, 0));
            l.x.mov16(Mem.at(RSP, index, 2, 0), word);
            l.x.add(index, 1);
            l.x.cmp(index, left);
            l.x.jump(Condition.LESS, again);
            l.fromBf16(to, Mem.at(RSP));
            l.x.add(RSP, 16);
            l.x.pop(word);
            l.x.pop(index);
        }
    }

    /// Copies parts of rows to [Tile.Layout#ROWS]. Writes whole vectors: up to one behind a row's groups.
    ///
    /// Arguments: table of row addresses, target, bytes between the target's rows, bytes to skip in each row, elements,
    /// rows (1 or more).
    record Rows(Cast cast) implements Packing {
        @Override
        public void write(Lanes l) {
            Reg left = R11;
            Reg to = R10;
            Label row = l.x.here();
            l.x.mov(RAX, Mem.at(RDI));
            l.x.add(RAX, RCX);
            l.x.mov(to, RSI);
            l.x.mov(left, R8);
            int step = cast.perVector(l);
            int bytes = step * cast.from.bytes();
            Label tail = l.x.label();
            Label next = l.x.label();
            l.x.sub(left, step);
            l.x.jump(Condition.LESS, tail);
            Label again = l.x.here();
            cast.load(l, l.v(0), RAX, null);
            l.store(Mem.at(to), l.v(0));
            l.x.add(RAX, bytes);
            l.x.add(to, l.isa().bytes());
            l.x.sub(left, step);
            l.x.jump(Condition.GREATER_OR_EQUAL, again);
            l.x.bind(tail);
            l.x.add(left, step);
            l.x.jump(Condition.EQUAL, next);
            cast.load(l, l.v(0), RAX, left);
            l.store(Mem.at(to), l.v(0));
            l.x.bind(next);
            l.x.add(RDI, Long.BYTES);
            l.x.add(RSI, RDX);
            l.x.sub(R9, 1);
            l.x.jump(Condition.NOT_EQUAL, row);
            l.end();
        }
    }

    /// Packs a piece of a matrix whose rows run along the columns of a tile: up to a vector of its columns, row after row
    /// of the common dimension.
    ///
    /// Arguments: table of row addresses, target, bytes to skip in each row, columns (1 to a vector), rows (1 or more),
    /// bytes between the target's groups. Factors for the rows, float32 in 8 bytes each, lie [#FACTORS] bytes
    /// behind the table.
    ///
    /// @param stored how many columns are written; those beyond the given ones are zeros
    /// @param scaled whether there are factors
    record Columns(Cast cast, int stored, boolean scaled) implements Packing {
        static final int FACTORS = 8 * Gemm.DEPTH_MOST;

        @Override
        public void write(Lanes l) {
            boolean pairs = cast.kind == Tile.Kind.BF16;
            l.x.push(RBX);
            if (!l.isa().hasMasks() && cast.from == DType.BF16) {
                l.x.mov(RBX, RCX);
                whole(l, false, RBX);
                l.x.pop(RBX);
                l.end();
                return;
            }
            l.setTail(RCX);
            if (stored < l.count() && l.isa().hasMasks()) {
                l.x.mov(RAX, (1 << stored) - 1);
                l.x.op(KMOVW, K4, RAX);
            }
            Vec order = l.v(20);
            if (pairs) {
                int[] interleaved = new int[16];
                for (int i = 0; i < 16; i++) {
                    interleaved[i] = 16 + i << 16 | i;
                }
                l.load(order, l.x.constant(interleaved));
            }
            whole(l, pairs, RCX);
            l.x.pop(RBX);
            l.end();
        }

        private void whole(Lanes l, boolean pairs, Reg columns) {
            Label last = l.x.label();
            Label done = l.x.label();
            int perStep = pairs ? 2 : 1;
            l.x.sub(R8, perStep);
            l.x.jump(Condition.LESS, last);
            Label again = l.x.here();
            step(l, pairs, columns);
            l.x.add(RDI, perStep * Long.BYTES);
            l.x.add(RSI, R9);
            l.x.sub(R8, perStep);
            l.x.jump(Condition.GREATER_OR_EQUAL, again);
            l.x.bind(last);
            if (pairs) {
                l.x.add(R8, perStep);
                l.x.jump(Condition.EQUAL, done);
                step(l, false, columns);
            }
            l.x.bind(done);
        }

        private void step(Lanes l, boolean second, Reg columns) {
            Vec low = l.v(0);
            Vec high = l.v(1);
            row(l, low, RAX, 0, columns);
            if (cast.kind == Tile.Kind.BF16) {
                if (second) {
                    row(l, high, R10, 1, columns);
                } else {
                    l.zero(high);
                }
                if (cast.from == DType.BF16 && !scaled) {
                    l.x.op(VPSLLD, high, high, imm(16));
                    l.x.op(VPORD, low, low, high);
                } else {
                    l.x.op(VCVTNE2PS2BF16, low, high, low);
                    l.x.op(VPERMW, low, l.v(20), low);
                }
            } else if (cast.rounds) {
                l.roundToBf16(low, l.v(2), l.v(3));
            }
            if (stored == l.count()) {
                l.x.op(VMOVUPS, Mem.at(RSI), low);
            } else if (l.isa().hasMasks()) {
                l.x.op(VMOVUPS, Mem.at(RSI).under(K4), low);
            } else {
                int[] ones = new int[l.count()];
                Arrays.fill(ones, 0, stored, -1);
                l.x.op(VMOVUPS, l.v(14), l.x.constant(ones));
                l.x.op(VMASKMOVPS, Mem.at(RSI), l.v(14), low);
            }
        }

        /// Reads one row's columns: float32, or for unscaled bf16 pairs the bits.
        private void row(Lanes l, Vec to, Reg at, int which, Reg columns) {
            l.x.mov(at, Mem.at(RDI, which * Long.BYTES));
            l.x.add(at, RDX);
            if (cast.from == DType.F32) {
                l.inTailAsSet(() -> l.load(to, Mem.at(at)));
            } else if (l.isa().hasMasks()) {
                l.x.op(VPMOVZXWD, to.zeroed(K1), Mem.at(at));
                if (cast.kind == Tile.Kind.F32 || scaled) {
                    l.x.op(VPSLLD, to, to, imm(16));
                }
            } else {
                Cast.loadWords(l, to, at, columns);
            }
            if (scaled) {
                Vec factor = l.v(4);
                l.x.op(VBROADCASTSS, factor, Mem.at(RDI, FACTORS + which * Long.BYTES));
                l.mul(to, to, factor);
            }
        }
    }

    /// Packs a piece of a matrix whose rows are the columns of a tile: a vector of rows, transposed.
    ///
    /// Arguments: table of a vector of row addresses (zero for a row of zeros), target, bytes to skip in each row,
    /// elements (1 or more), bytes between the target's groups.
    record Transposed(Cast cast) implements Packing {
        @Override
        public void write(Lanes l) {
            int n = l.count();
            int step = cast.perVector(l);
            Label again = l.x.label();
            Label tail = l.x.label();
            Label done = l.x.label();
            l.x.push(RBX);
            l.x.bind(again);
            l.x.cmp(RCX, step);
            l.x.jump(Condition.LESS, tail);
            for (int i = 0; i < n; i++) {
                row(l, i, false);
            }
            transpose(l);
            for (int g = 0; g < n; g++) {
                l.store(Mem.at(RSI), l.v(g));
                l.x.add(RSI, R8);
            }
            l.x.add(RDX, step * cast.from.bytes());
            l.x.sub(RCX, step);
            l.x.jump(again);
            l.x.bind(tail);
            l.x.test(RCX, RCX);
            l.x.jump(Condition.EQUAL, done);
            for (int i = 0; i < n; i++) {
                row(l, i, true);
            }
            transpose(l);
            for (int g = 0; g < n; g++) {
                l.x.cmp(RCX, g * cast.kind.perGroup());
                l.x.jump(Condition.LESS_OR_EQUAL, done);
                l.store(Mem.at(RSI), l.v(g));
                l.x.add(RSI, R8);
            }
            l.x.bind(done);
            l.x.pop(RBX);
            l.end();
        }

        private void row(Lanes l, int i, boolean last) {
            Label absent = l.x.label();
            l.zero(l.v(i));
            l.x.mov(RAX, Mem.at(RDI, i * Long.BYTES));
            l.x.test(RAX, RAX);
            l.x.jump(Condition.EQUAL, absent);
            l.x.add(RAX, RDX);
            cast.load(l, l.v(i), RAX, last ? RCX : null);
            l.x.bind(absent);
        }

        /// Registers 0 to [Lanes#count] hold rows of 32-bit values and then their columns.
        private static void transpose(Lanes l) {
            int n = l.count();
            for (int i = 0; i < n; i += 2) {
                l.x.op(VUNPCKLPS, l.v(n + i), l.v(i), l.v(i + 1));
                l.x.op(VUNPCKHPS, l.v(n + i + 1), l.v(i), l.v(i + 1));
            }
            for (int i = 0; i < n; i += 4) {
                l.x.op(VUNPCKLPD, l.v(i), l.v(n + i), l.v(n + i + 2));
                l.x.op(VUNPCKHPD, l.v(i + 1), l.v(n + i), l.v(n + i + 2));
                l.x.op(VUNPCKLPD, l.v(i + 2), l.v(n + i + 1), l.v(n + i + 3));
                l.x.op(VUNPCKHPD, l.v(i + 3), l.v(n + i + 1), l.v(n + i + 3));
            }
            for (int c = 0; c < 4; c++) {
                if (n == 8) {
                    l.x.op(VPERM2F128, l.v(8 + c), l.v(c), l.v(4 + c), imm(0x20));
                    l.x.op(VPERM2F128, l.v(4 + c), l.v(c), l.v(4 + c), imm(0x31));
                    l.move(l.v(c), l.v(8 + c));
                } else {
                    l.x.op(VSHUFF32X4, l.v(16), l.v(c), l.v(4 + c), imm(0x88));
                    l.x.op(VSHUFF32X4, l.v(17), l.v(c), l.v(4 + c), imm(0xDD));
                    l.x.op(VSHUFF32X4, l.v(18), l.v(8 + c), l.v(12 + c), imm(0x88));
                    l.x.op(VSHUFF32X4, l.v(19), l.v(8 + c), l.v(12 + c), imm(0xDD));
                    l.x.op(VSHUFF32X4, l.v(c), l.v(16), l.v(18), imm(0x88));
                    l.x.op(VSHUFF32X4, l.v(4 + c), l.v(17), l.v(19), imm(0x88));
                    l.x.op(VSHUFF32X4, l.v(8 + c), l.v(16), l.v(18), imm(0xDD));
                    l.x.op(VSHUFF32X4, l.v(12 + c), l.v(17), l.v(19), imm(0xDD));
                }
            }
        }
    }
}
