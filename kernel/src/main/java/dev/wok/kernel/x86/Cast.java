package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Mask.K2;
import static dev.wok.emit.x86.Mask.K3;
import static dev.wok.emit.x86.Op.KMOVD;
import static dev.wok.emit.x86.Op.KMOVW;
import static dev.wok.emit.x86.Op.VCVTNE2PS2BF16;
import static dev.wok.emit.x86.Op.VMOVDQU16;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPMOVZXWD;
import static dev.wok.emit.x86.Op.VPSLLD;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RSP;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What is read and what it becomes.
///
/// @param from F32 or BF16
/// @param kind float32 groups or bf16 pairs
/// @param rounds whether float32 groups are rounded to bf16
record Cast(DType from, Tile.Kind kind, boolean rounds) {
    /// How a type's values enter products of a precision.
    static Cast of(DType from, Tile.Kind kind, Precision in) {
        return new Cast(from, kind, in == Precision.BF16 && kind == Tile.Kind.F32 && from != DType.BF16);
    }

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
    static void loadWords(Lanes l, Vec to, Reg at, Reg left) {
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
