package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Mask.K2;
import static dev.wok.emit.x86.Mask.K3;
import static dev.wok.emit.x86.Op.*;
import static dev.wok.emit.x86.Vec.xmm;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Operand;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/// The vocabulary that kernels are written in: float32 vectors of one instruction set, so that the same kernel text
/// serves AVX2 and AVX-512.
///
/* The end of a row. Kernels run a loop over whole vectors and then once over what is left, with the same text: in the
 * second, loads and stores touch only the lanes that exist. AVX-512 has mask k1 for that; AVX2 a vector of ones and zeros
 * in register 15, which a kernel that uses tails must leave alone. Lanes that do not exist read as zero.
 */
final class Lanes {
    /// The AVX2 register that holds the tail's mask.
    private static final int TAIL = 15;

    private static final int ORDERED = 7;
    private static final int FLOOR = 9;

    /// A kind of number, see [dev.wok.emit.x86.Op#VFPCLASSPS].
    private static final int DENORMAL = 0x20;

    final X86 x;
    private final Isa isa;
    private boolean inTail;
    private boolean streams;

    /// Code behind the end, which rarely runs.
    private final List<Runnable> later = new ArrayList<>();

    Lanes(X86 x, Isa isa) {
        this.x = x;
        this.isa = isa;
    }

    Isa isa() {
        return isa;
    }

    /// @return the floats of a vector
    int count() {
        return isa.lanes();
    }

    /// @return a full-width register
    Vec v(int number) {
        return new Vec(number, isa.bytes(), 0, false);
    }

    /// Loads the first values of the block that [Arguments] passes in `rdi`.
    void arguments(Reg... to) {
        for (int i = 0; i < to.length; i++) {
            x.mov(to[i], argument(i));
        }
    }

    /// @return a value of the block that [Arguments] passes in `rdi`
    Mem argument(int i) {
        return Mem.at(Reg.RDI, i * Long.BYTES);
    }

    /// @param i which value of the block: a float, for every lane
    void argument(Vec to, int i) {
        x.op(VBROADCASTSS, to, argument(i));
    }

    /// @return elements of a row, as [#each(Reg, Reg, Reg, int, Unrolled)] counts them
    Mem at(Reg row, Reg index, int copy) {
        return Mem.at(row, index, Float.BYTES, copy * isa.bytes());
    }

    /// Cleans up and returns.
    void end() {
        if (streams) {
            x.sfence();
        }
        endUnfenced();
    }

    /// Cleans up and returns; the caller sees to it that what was stored past the caches is visible
    /// to others.
    void endUnfenced() {
        x.vzeroupper();
        x.ret();
        later.forEach(Runnable::run);
        later.clear();
    }

    // ---------------------------------------------------------------------------------------------- loops

    /// Runs `body` for `index` = 0, vector by vector, up to `n` elements, the last time for what is left.
    ///
    /// @param index counts elements; use it as `Mem.at(base, index, 4, 0)`
    /// @param n elements, kept
    /// @param temporary overwritten
    void each(Reg index, Reg n, Reg temporary, Runnable body) {
        each(index, n, temporary, 1, _ -> body.run());
    }

    /// A body that is written several times in a row.
    interface Unrolled {
        /// @param copy 0 to the number of copies; its elements lie `copy * count()` after the index
        void write(int copy);
    }

    /// As [#each(Reg, Reg, Reg, Runnable)], several vectors at a time while there are as many.
    void each(Reg index, Reg n, Reg temporary, int copies, Unrolled body) {
        inGroups(index, n, temporary, copies, size -> {
            for (int i = 0; i < size; i++) {
                body.write(i);
            }
        });
    }

    /// As [#each(Reg, Reg, Reg, int, Unrolled)], written as a whole.
    ///
    /// @param body is told how many vectors it covers from the index on: `copies`, or 1 at the end
    void inGroups(Reg index, Reg n, Reg temporary, int copies, IntConsumer body) {
        Label single = x.label();
        Label tail = x.label();
        Label done = x.label();
        x.xor(index, index);
        if (copies > 1) {
            loop(index, n, temporary, copies, single, body);
            x.bind(single);
        }
        loop(index, n, temporary, 1, tail, body);
        x.bind(tail);
        x.mov(temporary, n);
        x.sub(temporary, index);
        x.jump(Condition.LESS_OR_EQUAL, done);
        inTail(temporary, () -> body.accept(1));
        x.bind(done);
    }

    private void loop(Reg index, Reg n, Reg temporary, int copies, Label after, IntConsumer body) {
        int step = copies * count();
        Label again = x.label();
        x.lea(temporary, Mem.at(index, step));
        x.cmp(temporary, n);
        x.jump(Condition.GREATER, after);
        x.align(32);
        x.bind(again);
        body.accept(copies);
        x.add(index, step);
        x.lea(temporary, Mem.at(index, step));
        x.cmp(temporary, n);
        x.jump(Condition.LESS_OR_EQUAL, again);
    }

    /// Runs `body` as often as a counter says.
    ///
    /// @param counter at least 1, counted down to 0
    void repeat(Reg counter, Runnable body) {
        Label again = x.here();
        body.run();
        x.sub(counter, 1);
        x.jump(Condition.NOT_EQUAL, again);
    }

    /// Runs `body` until a counter is at 0: in steps of `most` while there are as many, then one by one.
    ///
    /// @param counter 0 or more
    /// @param body is told the step
    void countDown(Reg counter, int most, IntConsumer body) {
        Label few = x.label();
        Label done = x.label();
        x.sub(counter, most);
        x.jump(Condition.LESS, few);
        x.align(32);
        Label again = x.here();
        body.accept(most);
        x.sub(counter, most);
        x.jump(Condition.GREATER_OR_EQUAL, again);
        x.bind(few);
        x.add(counter, most);
        x.jump(Condition.EQUAL, done);
        repeat(counter, () -> body.accept(1));
        x.bind(done);
    }

    /// Writes a body whose loads and stores touch `left` lanes.
    ///
    /// @param left 1 to [#count], overwritten
    void inTail(Reg left, Runnable body) {
        setTail(left);
        inTail = true;
        body.run();
        inTail = false;
    }

    /// Prepares the tail's mask for [#inTailAsSet].
    ///
    /// @param left 0 to [#count], overwritten
    void setTail(Reg left) {
        if (isa.hasMasks()) {
            Reg ones = left == Reg.RAX ? Reg.R11 : Reg.RAX;
            x.push(ones);
            x.mov(ones, -1);
            x.bzhi(left, ones, left);
            x.pop(ones);
            x.op(KMOVW, K1, left);
        } else {
            Reg table = left == Reg.RAX ? Reg.R11 : Reg.RAX;
            x.push(table);
            int[] window = new int[2 * count()];
            Arrays.fill(window, 0, count(), -1);
            x.shl(left, 2);
            x.lea(table, x.constant(window).plus(count() * Float.BYTES));
            x.sub(table, left);
            x.op(VMOVUPS, v(TAIL), Mem.at(table));
            x.pop(table);
        }
    }

    /// Writes a body whose loads and stores touch the lanes that [#setTail] left.
    void inTailAsSet(Runnable body) {
        inTail = true;
        body.run();
        inTail = false;
    }

    // ---------------------------------------------------------------------------------------------- memory

    void load(Vec to, Mem from) {
        if (!inTail) {
            x.op(VMOVUPS, to, from);
        } else if (isa.hasMasks()) {
            x.op(VMOVUPS, to.zeroed(K1), from);
        } else {
            x.op(VMASKMOVPS, to, v(TAIL), from);
        }
    }

    void store(Mem to, Vec from) {
        if (!inTail) {
            x.op(VMOVUPS, to, from);
        } else if (isa.hasMasks()) {
            x.op(VMOVUPS, to.under(K1), from);
        } else {
            x.op(VMASKMOVPS, to, v(TAIL), from);
        }
    }

    /// @param past whether to store past the caches, for results so large that they leave them before anybody reads
    ///     them: the memory is not read first. Whole vectors must then be aligned
    void store(Mem to, Vec from, boolean past) {
        if (past && !inTail) {
            x.op(VMOVNTPS, to, from);
            streams = true;
        } else {
            store(to, from);
        }
    }

    /// Sets the lanes that do not exist to a value; without effect outside a tail.
    ///
    /// @param temporary overwritten
    void fillTail(Vec value, float filler, Vec temporary) {
        if (!inTail) {
            return;
        }
        broadcast(temporary, filler);
        if (isa.hasMasks()) {
            x.op(VBLENDMPS, value.under(K1), temporary, value);
        } else {
            x.op(VBLENDVPS, value, temporary, value, v(TAIL));
        }
    }

    /// @return a memory operand that reads this value in every lane
    Mem c(float value) {
        if (isa.hasMasks()) {
            return x.constant(value).broadcast();
        }
        float[] copies = new float[count()];
        Arrays.fill(copies, value);
        return x.constant(copies);
    }

    /// @return a memory operand that reads this value in every lane
    Mem c(int bits) {
        return c(Float.intBitsToFloat(bits));
    }

    void broadcast(Vec to, float value) {
        if (Float.floatToRawIntBits(value) == 0) {
            zero(to);
        } else {
            x.op(VBROADCASTSS, to, x.constant(value));
        }
    }

    /// @param bits a register whose lower half holds a float's bits
    void broadcast(Vec to, Reg bits) {
        x.op(VMOVD, xmm(to.number()), bits);
        x.op(VBROADCASTSS, to, xmm(to.number()));
    }

    void zero(Vec to) {
        x.op(VPXORD, to, to, to);
    }

    void move(Vec to, Vec from) {
        x.op(VMOVUPS, to, from);
    }

    // ---------------------------------------------------------------------------------------------- arithmetic

    void add(Vec to, Vec a, Operand b) {
        x.op(VADDPS, to, a, b);
    }

    void sub(Vec to, Vec a, Operand b) {
        x.op(VSUBPS, to, a, b);
    }

    void mul(Vec to, Vec a, Operand b) {
        x.op(VMULPS, to, a, b);
    }

    void div(Vec to, Vec a, Operand b) {
        x.op(VDIVPS, to, a, b);
    }

    /// `to += a * b`.
    void fma(Vec to, Vec a, Operand b) {
        x.op(VFMADD231PS, to, a, b);
    }

    /// `to = to * a + b`.
    void scale(Vec to, Vec a, Operand b) {
        x.op(VFMADD213PS, to, a, b);
    }

    /// `to = max(a, b)`; `b` where one of them is no number.
    void max(Vec to, Vec a, Operand b) {
        x.op(VMAXPS, to, a, b);
    }

    /// Adds all lanes; the sum stands in the lowest lane of `value`. Halves are added pairwise.
    ///
    /// @param temporary overwritten
    void sum(Vec value, Vec temporary) {
        reduce(VADDPS, value, temporary);
    }

    /// The largest lane, in the lowest lane of `value`; numbers only.
    ///
    /// @param temporary overwritten
    void largest(Vec value, Vec temporary) {
        reduce(VMAXPS, value, temporary);
    }

    /// The largest lane as an int, in the lowest lane of `value`.
    ///
    /// @param temporary overwritten
    void largestInt(Vec value, Vec temporary) {
        reduce(VPMAXSD, value, temporary);
    }

    private void reduce(dev.wok.emit.x86.Op op, Vec value, Vec temporary) {
        if (isa.bytes() == 64) {
            x.op(VEXTRACTF64X4, temporary.as(32), value, imm(1));
            x.op(op, value.as(32), value.as(32), temporary.as(32));
        }
        if (isa.hasMasks()) {
            x.op(VEXTRACTF32X4, temporary.as(16), value.as(32), imm(1));
        } else {
            x.op(VEXTRACTF128, temporary.as(16), value.as(32), imm(1));
        }
        x.op(op, value.as(16), value.as(16), temporary.as(16));
        x.op(VPERMILPS, temporary.as(16), value.as(16), imm(0x4E));
        x.op(op, value.as(16), value.as(16), temporary.as(16));
        x.op(VMOVSHDUP, temporary.as(16), value.as(16));
        x.op(op, value.as(16), value.as(16), temporary.as(16));
    }

    /* e^a = 2^n e^r with n = round(a / ln 2), r = a - n ln 2 in two steps (the high part of ln 2 has few bits, so n times
     * it is exact), and e^r by the polynomial of the Cephes library. Results below the normal numbers are gradual, from -104
     * on zero, infinite where they overflow; what is no number stays none. Relative error below 1.5e-7 above -87.3.
     */
    /// `a = e^a`.
    ///
    /// @param n overwritten
    /// @param p overwritten
    void exp(Vec a, Vec n, Vec p) {
        broadcast(n, -104f);
        max(a, n, a);
        broadcast(n, 89f);
        x.op(VMINPS, a, n, a);
        mul(n, a, c(1.44269504f));
        x.op(VRNDSCALEPS, n, n, imm(8));
        x.op(VFMADD231PS, a, n, c(-0.693359375f));
        x.op(VFMADD231PS, a, n, c(2.12194440e-4f));
        broadcast(p, 1.9875691500e-4f);
        scale(p, a, c(1.3981999507e-3f));
        scale(p, a, c(8.3334519073e-3f));
        scale(p, a, c(4.1665795894e-2f));
        scale(p, a, c(1.6666665459e-1f));
        scale(p, a, c(5.0000001201e-1f));
        scale(p, a, c(1f));
        scale(p, a, c(1f));
        if (isa.hasMasks()) {
            x.op(VSCALEFPS, a, p, n);
            return;
        }
        // 2^n in two halves, so that n may lie beyond the exponents of normal numbers.
        x.op(VCVTPS2DQ, n, n);
        x.op(VPSRAD, a, n, imm(1));
        x.op(VPSUBD, n, n, a);
        x.op(VPADDD, a, a, c(127));
        x.op(VPSLLD, a, a, imm(23));
        mul(p, p, a);
        x.op(VPADDD, n, n, c(127));
        x.op(VPSLLD, n, n, imm(23));
        mul(a, p, n);
    }

    /* 2^t with t = a / ln 2 rounded once, which is what makes the error grow with a: 2^floor(t) times a polynomial of
     * degree 5 in the rest, 1 at 0, with the least relative error from 0 to 1. AVX2 takes what lies below 2^-126 for zero.
     */
    /// `a = e^a` of numbers that are not positive, for a sum with a one in it: off by a factor of (2.5 - 2.3 a) u,
    /// u = 2^-24. What is no number stays none.
    ///
    /// @param n overwritten
    /// @param p overwritten
    void expInSum(Vec a, Vec n, Vec p) {
        mul(a, a, c(1.44269504f));
        if (isa.hasMasks()) {
            x.op(VREDUCEPS, n, a, imm(FLOOR));
        } else {
            broadcast(n, -127f);
            max(a, n, a);
            x.op(VRNDSCALEPS, p, a, imm(FLOOR));
            sub(n, a, p);
            move(a, p);
        }
        broadcast(p, 0.0018671305f);
        scale(p, n, c(0.00901703f));
        scale(p, n, c(0.055799913f));
        scale(p, n, c(0.24016444f));
        scale(p, n, c(0.6931513f));
        scale(p, n, c(1f));
        if (isa.hasMasks()) {
            x.op(VSCALEFPS, a, p, a);
        } else {
            broadcast(n, 0x1p23f);
            scale(a, n, c(127 * 0x1p23f));
            x.op(VCVTPS2DQ, a, a);
            mul(a, a, p);
        }
    }

    /// `a = 1 / (1 + e^-a)`.
    ///
    /// @param n overwritten
    /// @param p overwritten
    void sigmoid(Vec a, Vec n, Vec p) {
        x.op(VXORPS, a, a, c(0x80000000));
        exp(a, n, p);
        add(a, a, c(1f));
        broadcast(n, 1f);
        div(a, n, a);
    }

    /// Rounds to bf16, nearest even, and leaves float32 with the lower half zero. What is no number stays none.
    ///
    /// @param t overwritten
    /// @param s overwritten
    void roundToBf16(Vec a, Vec t, Vec s) {
        // Times one: a signalling NaN becomes a quiet one, which the cut below leaves a NaN.
        mul(a, a, c(1f));
        x.op(VPSRLD, t, a, imm(16));
        x.op(VPANDD, t, t, c(1));
        x.op(VPADDD, t, t, c(0x7FFF));
        x.op(VPADDD, t, a, t);
        if (isa.hasMasks()) {
            x.op(VCMPPS, K2, a, a, imm(ORDERED));
            x.op(VMOVUPS, a.under(K2), t);
        } else {
            x.op(VCMPPS, s, a, a, imm(ORDERED));
            x.op(VBLENDVPS, a, a, t, s);
        }
        x.op(VPANDD, a, a, c(0xFFFF0000));
    }

    /// Rounds to bf16, nearest even, packed in the lower half of `to`. The processor's own instruction
    /// takes denormal numbers for zero; without it they are rounded too.
    ///
    /// @param from overwritten where the processor has no instruction for it
    /// @param t overwritten
    /// @param s overwritten
    void toBf16(Vec to, Vec from, Vec t, Vec s) {
        Vec half = to.as(isa.bytes() / 2);
        if (isa.hasBf16()) {
            x.op(VCVTNEPS2BF16, half, from);
            return;
        }
        roundToBf16(from, t, s);
        x.op(VPSRLD, t, from, imm(16));
        if (isa.hasMasks()) {
            x.op(VPMOVDW, half, t);
        } else {
            packHalves(half.as(32), t);
        }
    }

    /// Rounds to bf16 as [#toBf16] does, small numbers too, which the processor's instruction flushes to zero, and
    /// stores; with AVX2 whole vectors only.
    ///
    /// @param from overwritten
    /// @param t overwritten
    /// @param s overwritten
    /// @param past as for [#store(Mem, Vec, boolean)]
    void storeAsBf16(Mem to, Vec from, Vec t, Vec s, boolean past) {
        roundToBf16(from, t, s);
        x.op(VPSRLD, t, from, imm(16));
        Vec half = t.as(isa.bytes() / 2);
        if (inTail) {
            x.op(VPMOVDW, to.under(K1), t);
            return;
        }
        if (isa.hasMasks()) {
            x.op(VPMOVDW, half, t);
        } else {
            packHalves(t, t);
        }
        store(to, half, past);
    }

    /// As [#storeAsBf16], vectors one behind the other, by the processor's own instruction where it has one and no
    /// number is so small that it would be flushed to zero.
    ///
    /// @param first register of the vectors, which are overwritten
    /// @param t overwritten
    /// @param s overwritten
    void storeAllAsBf16(Mem to, int first, int count, Vec t, Vec s, boolean past) {
        if (!isa.hasBf16() || inTail || count % 2 != 0) {
            for (int i = 0; i < count; i++) {
                storeAsBf16(to.plus(i * isa.bytes() / 2), v(first + i), t, s, past);
            }
            return;
        }
        Label small = x.label();
        Label done = x.label();
        for (int i = 0; i < count; i += 2) {
            x.op(VFPCLASSPS, K2, v(first + i), imm(DENORMAL));
            x.op(VFPCLASSPS, K3, v(first + i + 1), imm(DENORMAL));
            x.op(KORTESTW, K2, K3);
            x.jump(Condition.NOT_EQUAL, small);
        }
        for (int i = 0; i < count; i += 2) {
            x.op(VCVTNE2PS2BF16, t, v(first + i + 1), v(first + i));
            store(to.plus(i * isa.bytes() / 2), t, past);
        }
        x.bind(done);
        later.add(() -> {
            x.bind(small);
            for (int i = 0; i < count; i++) {
                storeAsBf16(to.plus(i * isa.bytes() / 2), v(first + i), t, s, past);
            }
            x.jump(done);
        });
    }

    private void packHalves(Vec to, Vec t) {
        x.op(VPACKUSDW, t, t, t);
        x.op(VPERMQ, to, t, imm(0xD8));
    }

    /// Loads bf16 as float32; with AVX2 whole vectors only.
    void loadBf16(Vec to, Mem from) {
        x.op(VPMOVZXWD, inTail ? to.zeroed(K1) : to, from);
        x.op(VPSLLD, to, to, imm(16));
    }

    /// Widens bf16 to float32.
    ///
    /// @param from as many 16-bit values as there are lanes, in memory or in the lower half of a register
    void fromBf16(Vec to, Operand from) {
        x.op(VPMOVZXWD, to, from instanceof Vec f ? f.as(isa.bytes() / 2) : from);
        x.op(VPSLLD, to, to, imm(16));
    }
}
