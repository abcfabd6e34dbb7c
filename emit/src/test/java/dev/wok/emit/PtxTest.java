package dev.wok.emit;

import static dev.wok.emit.ptx.Compare.LT;
import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.CONST;
import static dev.wok.emit.ptx.Space.GENERIC;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.PARAM;
import static dev.wok.emit.ptx.Space.SHARED;
import static dev.wok.emit.ptx.Type.B32;
import static dev.wok.emit.ptx.Type.B64;
import static dev.wok.emit.ptx.Type.BF16;
import static dev.wok.emit.ptx.Type.BF16X2;
import static dev.wok.emit.ptx.Type.F16;
import static dev.wok.emit.ptx.Type.F32;
import static dev.wok.emit.ptx.Type.F64;
import static dev.wok.emit.ptx.Type.PRED;
import static dev.wok.emit.ptx.Type.S32;
import static dev.wok.emit.ptx.Type.U32;
import static dev.wok.emit.ptx.Type.U64;
import static dev.wok.emit.ptx.Type.U8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Target;
import dev.wok.testkit.Ptxas;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// The text of modules, and what is said of wrong ones.
class PtxTest {
    private static Ptx sumSquares() {
        Ptx module = Ptx.module(Target.SM_80);
        PtxKernel k = module.kernel("sum_squares").maxThreads(32);
        Reg x = k.param("x", U64);
        Reg out = k.param("out", U64);
        Reg n = k.param("n", U32);
        Reg sum = k.reg(F32, "sum", 0f);
        Reg[] v = k.regs(F32, "v", 4);
        Reg at = k.reg(U64, "at");
        Reg thread = k.reg(U32, "thread", Special.TID_X);
        k.comment("each thread sums every 32nd group of four");
        k.loop("i", thread, n, 32, i -> {
            k.madWide(at, i, 16, x);
            k.ld(GLOBAL, vec(v), at);
            k.unroll(4, u -> k.fma(sum, v[u], v[u], sum));
        });
        k.comment("the warp sums its threads");
        Reg other = k.reg(F32, "other");
        for (int bits = 16; bits > 0; bits >>= 1) {
            k.shflBfly(other, sum, bits);
            k.add(sum, sum, other);
        }
        k.when(k.compare(LT, thread, 1), () -> k.st(GLOBAL, out.at(0), sum));
        return module;
    }

    @Test
    void aKernelReadsLikeOneWrittenByHand() {
        assertEquals("""
                .version 7.0
                .target sm_80
                .address_size 64

                .visible .entry sum_squares(
                    .param .u64 x,
                    .param .u64 out,
                    .param .u32 n
                )
                .maxntid 32
                {
                    .reg .pred %i_ends, %i_goes_on, %p;
                    .reg .u32 %n, %thread, %i;
                    .reg .u64 %x, %out, %at;
                    .reg .f32 %sum, %v_<4>, %other;

                    ld.param.u64 %x, [x];
                    ld.param.u64 %out, [out];
                    ld.param.u32 %n, [n];
                    mov.f32 %sum, 0f00000000;
                    mov.u32 %thread, %tid.x;

                    // each thread sums every 32nd group of four
                    mov.u32 %i, %thread;
                    setp.ge.u32 %i_ends, %i, %n;
                    @%i_ends bra $i_end;
                $i_loop:
                        mad.wide.u32 %at, %i, 16, %x;
                        ld.global.v4.f32 {%v_0, %v_1, %v_2, %v_3}, [%at];
                        fma.rn.f32 %sum, %v_0, %v_0, %sum;
                        fma.rn.f32 %sum, %v_1, %v_1, %sum;
                        fma.rn.f32 %sum, %v_2, %v_2, %sum;
                        fma.rn.f32 %sum, %v_3, %v_3, %sum;
                        add.u32 %i, %i, 32;
                        setp.lt.u32 %i_goes_on, %i, %n;
                    @%i_goes_on bra $i_loop;
                $i_end:
                    // the warp sums its threads
                    shfl.sync.bfly.b32 %other, %sum, 16, 31, -1;
                    add.rn.f32 %sum, %sum, %other;
                    shfl.sync.bfly.b32 %other, %sum, 8, 31, -1;
                    add.rn.f32 %sum, %sum, %other;
                    shfl.sync.bfly.b32 %other, %sum, 4, 31, -1;
                    add.rn.f32 %sum, %sum, %other;
                    shfl.sync.bfly.b32 %other, %sum, 2, 31, -1;
                    add.rn.f32 %sum, %sum, %other;
                    shfl.sync.bfly.b32 %other, %sum, 1, 31, -1;
                    add.rn.f32 %sum, %sum, %other;
                    setp.lt.u32 %p, %thread, 1;
                    @%p st.global.f32 [%out], %sum;
                    ret;
                }
                """, sumSquares().text());
    }

    private static Ptx declarations() {
        Ptx module = Ptx.module(Target.SM_90A);
        Symbol table = module.constant("table", F32, 16, new float[] {1, -0.5f});
        Symbol ticket = module.global("ticket", U32, 1, 4);
        module.global("steps", S32, 8, new int[] {1, -2, 3, 4, 5, 6, 7, 8, 9});
        PtxKernel k = module.kernel("k")
                .threads(128, 1, 1)
                .minBlocks(2)
                .maxRegisters(64)
                .cluster(2, 1, 1);
        Reg map = k.tensorMap("weights");
        Symbol options = k.paramArray("options", U32, 4, 16);
        Reg x = k.param("x", BF16);
        Symbol tile = k.dynamicShared("tile", 1024);
        Symbol full = k.shared("full", B64, 2, 8);
        k.local("spilled", F32, 4, 16);
        Reg a = k.reg(F32, "a");
        Reg u = k.reg(U32, "u");
        k.ld(CONST, a, table.at(4));
        k.ld(PARAM, u, options.at(12));
        k.op("atom.global.add.u32", u, ticket, 1);
        k.mov(u, full);
        k.op(
                "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes",
                tile,
                tensor(map, 0, u),
                full.at(8));
        k.reg(BF16X2, "pair", 1f);
        k.reg(F16, "half", -2f);
        k.regs(B32, "r", 3);
        k.cvt(k.reg(F32, "wide"), x);
        return module;
    }

    @Test
    void aModuleDeclaresOnlyWhatItHas() {
        assertEquals("""
                .version 8.0
                .target sm_90a
                .address_size 64

                .const .align 16 .f32 table[2] = {0f3F800000, 0fBF000000};
                .global .align 4 .u32 ticket[1];
                .global .align 8 .s32 steps[9] = {1, -2, 3, 4, 5, 6, 7, 8,
                    9};
                .extern .shared .align 1024 .b8 tile[];

                .visible .entry k(
                    .param .align 64 .b8 weights[128],
                    .param .align 16 .u32 options[4],
                    .param .b16 x
                )
                .reqntid 128, 1, 1
                .minnctapersm 2
                .maxnreg 64
                .reqnctapercluster 2, 1, 1
                {
                    .reg .b16 %x, %half;
                    .reg .b32 %pair, %r_<3>;
                    .reg .u32 %u;
                    .reg .u64 %weights;
                    .reg .f32 %a, %wide;
                    .shared .align 8 .b64 full[2];
                    .local .align 16 .f32 spilled[4];

                    mov.u64 %weights, weights;
                    cvta.param.u64 %weights, %weights;
                    ld.param.b16 %x, [x];
                    ld.const.f32 %a, [table+4];
                    ld.param.u32 %u, [options+12];
                    atom.global.add.u32 %u, [ticket], 1;
                    mov.u32 %u, full;
                    cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [tile], \
                [%weights, {0, %u}], [full+8];
                    mov.b32 %pair, 1065369472;
                    mov.b16 %half, 49152;
                    cvt.f32.bf16 %wide, %x;
                    ret;
                }
                """, declarations().text());
    }

    @Test
    void anAssemblerTakesThem() {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        for (Ptx module : List.of(sumSquares(), declarations(), methods())) {
            assertEquals(Map.of(), Ptxas.assemble(module.text(), module.target().toString()), module::text);
        }
    }

    private static Ptx methods() {
        Ptx module = Ptx.module(Target.SM_90);
        PtxKernel k = module.kernel("k");
        Reg at = k.reg(U64, "at");
        Reg u = k.reg(U32, "u");
        Reg s = k.reg(S32, "s");
        Reg b = k.reg(B32, "b");
        Reg f = k.reg(F32, "f");
        Reg d = k.reg(F64, "d");
        Reg h = k.reg(F16, "h");
        Reg w = k.reg(BF16X2, "w");
        Reg p = k.reg(PRED, "p");
        k.mov(u, -1);
        k.mov(d, 1.0);
        k.mov(b, vec(h, h));
        k.mov(vec(h, h), w);
        k.ld(GENERIC, vec(h, h), at);
        k.ld(SHARED, w, u.at(4));
        k.st(GLOBAL, at, vec(w, w, w, w));
        k.cvt(f, s);
        k.cvt(s, f);
        k.cvt(h, f);
        k.cvt(f, h);
        k.cvt(at, u);
        k.cvt(w, f, f);
        k.selp(w, w, w, p);
        k.selp(f, f, 0f, p);
        k.add(u, u, s);
        k.add(b, u, 1);
        k.sub(w, w, w);
        k.mul(s, s, 3);
        k.mul(d, d, d);
        k.mad(u, u, u, 1);
        k.mad(f, f, f, f);
        k.mulWide(at, u, 4);
        k.madWide(at, u, 4, at);
        k.div(f, f, f);
        k.div(s, s, 3);
        k.rem(u, u, 3);
        k.min(f, f, 0f);
        k.max(w, w, w);
        k.abs(h, h);
        k.neg(s, s);
        k.ex2(f, f);
        k.lg2(f, f);
        k.rcp(f, f);
        k.rsqrt(f, f);
        k.sqrt(d, d);
        k.tanh(h, h);
        k.shl(u, u, 2);
        k.shr(s, s, 2);
        k.shr(b, b, 2);
        k.and(at, at, -16);
        k.or(b, u, s);
        k.xor(p, p, p);
        k.not(u, u);
        k.setp(Compare.EQU, p, f, f);
        k.setp(Compare.NE, p, b, 0);
        k.bar();
        k.bar(1, 64);
        k.barWarp();
        k.shflBfly(f, f, 16);
        k.shflDown(w, w, 1);
        k.shflUp(u, u, 1);
        k.shflIdx(s, s, u);
        return module;
    }

    @Test
    void methodsFindTheirWordsInTheTypes() {
        String text = methods().text();
        assertEquals("""
                    mov.u32 %u, -1;
                    mov.f64 %d, 0d3FF0000000000000;
                    mov.b32 %b, {%h, %h};
                    mov.b32 {%h, %h}, %w;
                    ld.v2.b16 {%h, %h}, [%at];
                    ld.shared.b32 %w, [%u+4];
                    st.global.v4.b32 [%at], {%w, %w, %w, %w};
                    cvt.rn.f32.s32 %f, %s;
                    cvt.rzi.s32.f32 %s, %f;
                    cvt.rn.f16.f32 %h, %f;
                    cvt.f32.f16 %f, %h;
                    cvt.u64.u32 %at, %u;
                    cvt.rn.bf16x2.f32 %w, %f, %f;
                    selp.b32 %w, %w, %w, %p;
                    selp.f32 %f, %f, 0f00000000, %p;
                    add.u32 %u, %u, %s;
                    add.u32 %b, %u, 1;
                    sub.rn.bf16x2 %w, %w, %w;
                    mul.lo.s32 %s, %s, 3;
                    mul.rn.f64 %d, %d, %d;
                    mad.lo.u32 %u, %u, %u, 1;
                    fma.rn.f32 %f, %f, %f, %f;
                    mul.wide.u32 %at, %u, 4;
                    mad.wide.u32 %at, %u, 4, %at;
                    div.rn.f32 %f, %f, %f;
                    div.s32 %s, %s, 3;
                    rem.u32 %u, %u, 3;
                    min.f32 %f, %f, 0f00000000;
                    max.bf16x2 %w, %w, %w;
                    abs.f16 %h, %h;
                    neg.s32 %s, %s;
                    ex2.approx.f32 %f, %f;
                    lg2.approx.f32 %f, %f;
                    rcp.approx.f32 %f, %f;
                    rsqrt.approx.f32 %f, %f;
                    sqrt.rn.f64 %d, %d;
                    tanh.approx.f16 %h, %h;
                    shl.b32 %u, %u, 2;
                    shr.s32 %s, %s, 2;
                    shr.b32 %b, %b, 2;
                    and.b64 %at, %at, -16;
                    or.b32 %b, %u, %s;
                    xor.pred %p, %p, %p;
                    not.b32 %u, %u;
                    setp.equ.f32 %p, %f, %f;
                    setp.ne.b32 %p, %b, 0;
                    bar.sync 0;
                    bar.sync 1, 64;
                    bar.warp.sync -1;
                    shfl.sync.bfly.b32 %f, %f, 16, 31, -1;
                    shfl.sync.down.b32 %w, %w, 1, 31, -1;
                    shfl.sync.up.b32 %u, %u, 1, 0, -1;
                    shfl.sync.idx.b32 %s, %s, %u, 31, -1;
                """, text.substring(text.indexOf("    mov.u32"), text.indexOf("    ret;")));
    }

    private static void assertSays(String message, Runnable wrong) {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, wrong::run);
        assertEquals(message, String.valueOf(e.getMessage()).replaceFirst("PtxTest.java:\\d+: ", ""));
    }

    /// The line is that of the author's call, however deep in this package the mistake is noticed.
    @Test
    void aMistakeIsReportedWithTheLineThatMadeIt() {
        PtxKernel k = Ptx.module(Target.SM_80).kernel("k");
        Reg acc = k.reg(F32, "acc");
        Reg x = k.reg(F32, "x");
        Reg n = k.reg(U32, "n");
        int line = new Throwable().getStackTrace()[0].getLineNumber() + 2;
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> {
            k.unroll(4, _ -> k.fma(acc, x, n, acc));
        });
        assertEquals(
                "PtxTest.java:" + line
                        + ": fma.rn.f32 %acc, %x, %n, %acc: operand 3 is %n, a .u32 register; "
                        + "expected .f32, .b32 or a Java float",
                e.getMessage());
    }

    @Test
    void messagesSayWhatWasExpected() {
        PtxKernel k = Ptx.module(Target.SM_80).kernel("k");
        Reg f = k.reg(F32, "f");
        Reg u = k.reg(U32, "u");
        Reg l = k.reg(U64, "l");
        Reg[] v = k.regs(F32, "v", 4);
        assertSays("fmaa.rn.f32: no instruction is called fmaa", () -> k.op("fmaa.rn.f32", f, f, f, f));
        assertSays(
                "fma.f32 %f, %f, %f, %f: after fma comes .f32; expected .rm, .rn, .rp or .rz",
                () -> k.op("fma.f32", f, f, f, f));
        assertSays("add.rn.f32 %f, %f: has 2 operands; expected 3: d, a, b", () -> k.op("add.rn.f32", f, f));
        assertSays(
                "add.rn.f32 %f, %f, 1: operand 3 is 1, a Java int; expected .f32, .b32 or a Java float",
                () -> k.add(f, f, 1));
        assertSays(
                "ld.global.v4.f32 {%v_0, %v_1}, [%l]: operand 1 is {%v_0, %v_1}, a vector of 2; "
                        + "expected a vector of 4 of .f32 or .b32",
                () -> k.op("ld.global.v4.f32", vec(v, 0, 2), l.at(0)));
        assertSays(
                "ld.global.f32 %f, [%u+4]: operand 2 is [%u+4], an address; "
                        + "expected an address in .global memory (a 64-bit register or a variable there)",
                () -> k.ld(GLOBAL, f, u.at(4)));
        assertSays(
                "cp.async.cg.shared.global [%u], [%l], 8: operand 3 is 8, a Java int; expected a constant, 16",
                () -> k.op("cp.async.cg.shared.global", u.at(0), l.at(0), 8));
        assertSays(
                "wgmma.fence.sync.aligned: needs sm_90a; the module is for sm_80",
                () -> k.op("wgmma.fence.sync.aligned"));
        assertSays(
                "mov.u32 %u, %cluster_ctarank: needs sm_90 or newer; the module is for sm_80",
                () -> k.mov(u, Special.CLUSTER_CTARANK));
        assertSays(".reqnctapercluster: needs sm_90 or newer; the module is for sm_80", () -> k.cluster(2, 1, 1));
        assertSays(
                "[x], a String, is no operand; expected a register, an address, a number or a vector",
                () -> k.op("ld.global.f32", f, "[x]"));
    }

    @Test
    void declarationsAreChecked() {
        Ptx module = Ptx.module(Target.SM_80);
        PtxKernel k = module.kernel("k");
        assertSays("\"2x\" is no name; expected letters, digits and _, a letter first", () -> k.reg(F32, "2x"));
        assertSays("the module has \"k\" already; expected another name", () -> module.kernel("k"));
        k.param("x", F32);
        assertSays("the module has \"x\" already; expected another name", () -> k.dynamicShared("x", 16));
        k.dynamicShared("tile", 16);
        assertSays("k has \"tile\" already; expected another name", () -> k.param("tile", F32));
        assertSays(
                "%byte: no register is of type .u8; expected 16 bits or more, which ld.u8 fills too",
                () -> k.reg(U8, "byte"));
        assertSays(
                "big: declares 65536 bytes of shared memory; expected at most 49152: use dynamicShared",
                () -> k.shared("big", F32, 16384, 16));
        assertSays("odd: the alignment is 12; expected a power of two, in bytes", () -> k.shared("odd", F32, 4, 12));
        assertSays(
                "tight: the alignment is 2; expected at least the 4 bytes of a .f32",
                () -> k.local("tight", F32, 4, 2));
        assertSays(
                "the value 1 is a Java int; expected one for .f32",
                () -> module.constant("ones", F32, 4, new int[] {1}));
        assertSays(
                "the offset from %l is 4294967296; expected 32 bits with a sign: add the rest to a register",
                () -> k.reg(U64, "l").at(1L << 32));
    }
}
