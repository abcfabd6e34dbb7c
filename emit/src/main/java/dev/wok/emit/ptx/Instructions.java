package dev.wok.emit.ptx;

import dev.wok.emit.ptx.Type.Kind;
import java.util.Arrays;

/// What kernels write most, a line each: the words that [#op] would be given come from the
/// registers' types.
///
/// Where it says `Object`, a register or a Java number may stand. Floating point is rounded to the
/// nearest after every operation: nothing is fused but what [#fma] fuses.
abstract sealed class Instructions permits Control {
    private static final int FULL_WARP = -1;

    /// Writes an instruction.
    ///
    /// @param instruction its name with all modifiers in PTX's order, such as `fma.rn.f32`
    /// @param operands in PTX's order: operands, Java numbers, and arrays of registers as vectors
    /// @throws IllegalArgumentException where PTX has no such instruction, it does not take these
    ///     operands, or the module's processor lacks it
    public abstract void op(String instruction, Object... operands);

    /// @return a new register
    public abstract Reg reg(Type type, String name);

    /// @return the type that an instruction is of: that of the first register which is not plain
    ///     bits
    private static Type typeOf(Object... operands) {
        Reg[] all = Arrays.stream(operands)
                .filter(Reg.class::isInstance)
                .map(Reg.class::cast)
                .toArray(Reg[]::new);
        return Arrays.stream(all)
                .map(Reg::type)
                .filter(t -> t.kind != Kind.BITS)
                .findFirst()
                .orElseGet(() -> all.length == 0 ? Type.B32 : all[0].type());
    }

    // ---------------------------------------------------------------------------------------------- moving

    /// `d = a`. A vector on one side packs or unpacks: `mov(w, vec(lo, hi))`. Numbers of 16 bits,
    /// and pairs of them, may be given as a Java float, which both halves of a pair get.
    ///
    /// @param a a register, special register, variable's address, vector or Java number
    public final void mov(Operand d, Object a) {
        Type type = d instanceof Reg r ? r.type() : typeOf(a);
        if (d instanceof Vec || a instanceof Vec || a instanceof Object[]) {
            op("mov" + type.asBits(), d, a);
        } else if (a instanceof Float f && Half.has(type)) {
            op("mov" + type.asBits(), d, Half.bits(type, f));
        } else {
            op("mov" + (type.kind == Kind.FLOAT ? type.declared() : word(type)), d, a);
        }
    }

    private static Type word(Type type) {
        return type == Type.U16X2 || type == Type.S16X2 ? Type.B32 : type;
    }

    /// `d = [at]`: as many bytes as `d` has.
    ///
    /// @param d a register, or a vector of 2 or 4
    /// @param at an address, or a register that holds it
    public final void ld(Space space, Operand d, Operand at) {
        op("ld" + space.suffix() + shape(d), d, at);
    }

    /// `[at] = a`: as many bytes as `a` has.
    ///
    /// @param at an address, or a register that holds it
    /// @param a a register, or a vector of 2 or 4
    public final void st(Space space, Operand at, Operand a) {
        op("st" + space.suffix() + shape(a), at, a);
    }

    private static String shape(Operand operand) {
        return operand instanceof Vec v
                ? ".v" + v.elements().size() + typeOf(v.elements().toArray()).declared()
                : "" + typeOf(operand).declared();
    }

    /// `d = a` in the other type: to the nearest number of fewer bits, to the next integer towards
    /// zero.
    public final void cvt(Reg d, Reg a) {
        Type to = d.type();
        Type from = a.type();
        boolean narrows = to.kind == Kind.FLOAT && (from.kind != Kind.FLOAT || from.bits > to.bits);
        String rounding = narrows ? ".rn" : to.kind != Kind.FLOAT && from.kind == Kind.FLOAT ? ".rzi" : "";
        op("cvt" + rounding + to + from, d, a);
    }

    /// Packs two 32-bit numbers into a pair of narrower ones, as [#cvt] rounds.
    ///
    /// @param high goes to the upper half of `d`
    public final void cvt(Reg d, Object high, Object low) {
        op("cvt.rn" + d.type() + ".f32", d, high, low);
    }

    /// `d = p ? a : b`
    public final void selp(Reg d, Object a, Object b, Reg p) {
        Type type = typeOf(d, a, b);
        op("selp" + (type.kind == Kind.FLOAT ? type.declared() : word(type)), d, a, b, p);
    }

    // ---------------------------------------------------------------------------------------------- arithmetic

    private void arithmetic(String name, String forFloats, Reg d, Object... sources) {
        Object[] all = new Object[sources.length + 1];
        all[0] = d;
        System.arraycopy(sources, 0, all, 1, sources.length);
        Type type = typeOf(all);
        op((type.kind == Kind.FLOAT ? forFloats : name) + type, all);
    }

    /// `d = a + b`
    public final void add(Reg d, Object a, Object b) {
        arithmetic("add", "add.rn", d, a, b);
    }

    /// `d = a - b`
    public final void sub(Reg d, Object a, Object b) {
        arithmetic("sub", "sub.rn", d, a, b);
    }

    /// `d = a * b`; the lower half, of integers.
    public final void mul(Reg d, Object a, Object b) {
        arithmetic("mul.lo", "mul.rn", d, a, b);
    }

    /// `d = a * b + c`; the lower half, of integers. Numbers with fractions are fused.
    public final void mad(Reg d, Object a, Object b, Object c) {
        arithmetic("mad.lo", "fma.rn", d, a, b, c);
    }

    /// `d = a * b`, the whole of it: `d` has twice as many bits.
    public final void mulWide(Reg d, Reg a, Object b) {
        op("mul.wide" + a.type(), d, a, b);
    }

    /// `d = a * b + c` of the whole product: `d` and `c` have twice as many bits. How an index
    /// becomes an address.
    public final void madWide(Reg d, Reg a, Object b, Object c) {
        op("mad.wide" + a.type(), d, a, b, c);
    }

    /// `d = a * b + c`, rounded once.
    public final void fma(Reg d, Object a, Object b, Object c) {
        arithmetic("fma.rn", "fma.rn", d, a, b, c);
    }

    /// `d = a / b`
    public final void div(Reg d, Object a, Object b) {
        arithmetic("div", "div.rn", d, a, b);
    }

    /// `d = a % b`
    public final void rem(Reg d, Object a, Object b) {
        arithmetic("rem", "rem", d, a, b);
    }

    /// `d = min(a, b)`; the number, where the other is none.
    public final void min(Reg d, Object a, Object b) {
        arithmetic("min", "min", d, a, b);
    }

    /// `d = max(a, b)`; the number, where the other is none.
    public final void max(Reg d, Object a, Object b) {
        arithmetic("max", "max", d, a, b);
    }

    /// `d = |a|`
    public final void abs(Reg d, Object a) {
        arithmetic("abs", "abs", d, a);
    }

    /// `d = -a`
    public final void neg(Reg d, Object a) {
        arithmetic("neg", "neg", d, a);
    }

    /// `d = 2^a`, to about 2 units in the last place.
    public final void ex2(Reg d, Object a) {
        arithmetic("ex2.approx", "ex2.approx", d, a);
    }

    /// `d = log2(a)`, to about 22 bits.
    public final void lg2(Reg d, Object a) {
        arithmetic("lg2.approx", "lg2.approx", d, a);
    }

    /// `d = 1 / a`, to 1 unit in the last place.
    public final void rcp(Reg d, Object a) {
        arithmetic("rcp.approx", "rcp.approx", d, a);
    }

    /// `d = 1 / sqrt(a)`, to about 22 bits.
    public final void rsqrt(Reg d, Object a) {
        arithmetic("rsqrt.approx", "rsqrt.approx", d, a);
    }

    /// `d = sqrt(a)`, to the nearest number.
    public final void sqrt(Reg d, Object a) {
        arithmetic("sqrt.rn", "sqrt.rn", d, a);
    }

    /// `d = tanh(a)`, to about 11 bits.
    public final void tanh(Reg d, Object a) {
        arithmetic("tanh.approx", "tanh.approx", d, a);
    }

    // ---------------------------------------------------------------------------------------------- bits

    /// `d = a << b`
    public final void shl(Reg d, Object a, Object b) {
        op("shl" + typeOf(d, a).asBits(), d, a, b);
    }

    /// `d = a >> b`, with the sign where the type has one.
    public final void shr(Reg d, Object a, Object b) {
        op("shr" + typeOf(d, a), d, a, b);
    }

    /// `d = a & b`
    public final void and(Reg d, Object a, Object b) {
        op("and" + d.type().asBits(), d, a, b);
    }

    /// `d = a | b`
    public final void or(Reg d, Object a, Object b) {
        op("or" + d.type().asBits(), d, a, b);
    }

    /// `d = a ^ b`
    public final void xor(Reg d, Object a, Object b) {
        op("xor" + d.type().asBits(), d, a, b);
    }

    /// `d = ~a`
    public final void not(Reg d, Object a) {
        op("not" + d.type().asBits(), d, a);
    }

    // ---------------------------------------------------------------------------------------------- comparing

    /// `p = a ? b`, by the type of `a`.
    public final void setp(Compare how, Reg p, Object a, Object b) {
        op("setp." + how.word() + typeOf(a, b), p, a, b);
    }

    /// @return a new predicate that says how `a` and `b` compare
    public final Reg compare(Compare how, Object a, Object b) {
        return compare("p", how, a, b);
    }

    /// @return a new predicate of this name that says how `a` and `b` compare
    public final Reg compare(String name, Compare how, Object a, Object b) {
        Reg p = reg(Type.PRED, name);
        setp(how, p, a, b);
        return p;
    }

    // ---------------------------------------------------------------------------------------------- threads

    /// Waits for all threads of the block.
    public final void bar() {
        op("bar.sync", 0);
    }

    /// Waits for `threads` threads of the block at barrier `id`.
    ///
    /// @param id 0 to 15
    /// @param threads a multiple of 32
    public final void bar(Object id, Object threads) {
        op("bar.sync", id, threads);
    }

    /// Waits for all threads of the warp.
    public final void barWarp() {
        op("bar.warp.sync", FULL_WARP);
    }

    /// `d = a` of the lane whose number differs in these bits.
    public final void shflBfly(Reg d, Object a, Object laneBits) {
        op("shfl.sync.bfly.b32", d, a, laneBits, 31, FULL_WARP);
    }

    /// `d = a` of the lane so many further on; one's own where there is none.
    public final void shflDown(Reg d, Object a, Object lanes) {
        op("shfl.sync.down.b32", d, a, lanes, 31, FULL_WARP);
    }

    /// `d = a` of the lane so many before; one's own where there is none.
    public final void shflUp(Reg d, Object a, Object lanes) {
        op("shfl.sync.up.b32", d, a, lanes, 0, FULL_WARP);
    }

    /// `d = a` of this lane.
    public final void shflIdx(Reg d, Object a, Object lane) {
        op("shfl.sync.idx.b32", d, a, lane, 31, FULL_WARP);
    }
}
