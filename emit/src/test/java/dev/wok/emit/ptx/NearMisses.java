package dev.wok.emit.ptx;

import static dev.wok.emit.ptx.Ptx.pair;
import static dev.wok.emit.ptx.Ptx.tensor;
import static dev.wok.emit.ptx.Ptx.vec;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;

/// Instructions that are almost right: each leaves something out, adds something or mixes it up.
/// The builder refuses all of them; whether PTX does too, the assembler says.
final class NearMisses {
    private static final String RET = "    ret;";

    private final Target target;
    private final Ptx module;
    private final PtxKernel k;
    private final List<String> texts = new ArrayList<>();

    private NearMisses(Target target) {
        this.target = target;
        this.module = Ptx.module(target);
        this.k = module.kernel("k");
    }

    static NearMisses ofEveryProcessor() {
        NearMisses misses = new NearMisses(Target.SM_80);
        misses.forEveryProcessor();
        return misses;
    }

    static NearMisses ofHopper() {
        NearMisses misses = new NearMisses(Target.SM_90A);
        misses.forHopper();
        return misses;
    }

    Target target() {
        return target;
    }

    List<String> texts() {
        return texts;
    }

    /// @return a module with all of them, of the newest version of PTX
    String module() {
        return frame().replace(RET, String.join("\n", texts) + "\n" + RET);
    }

    /// @return the line in [#module] of the first of them, from 1 on
    int firstLine() {
        String frame = frame();
        return (int) frame.substring(0, frame.indexOf(RET)).lines().count() + 1;
    }

    private String frame() {
        return module.text().replaceFirst("\\.version .*", ".version 9.0");
    }

    private void miss(String instruction, Object... operands) {
        assertThrows(IllegalArgumentException.class, () -> k.op(instruction, operands), instruction);
        boolean isMemory = instruction.matches("(ld|st|atom|red|cp|mbarrier|ldmatrix)\\..*");
        List<String> all = new ArrayList<>();
        for (Operand operand : Operands.all(operands)) {
            boolean isPlace = operand instanceof Symbol
                    || operand instanceof Reg r && r.toString().equals("%l");
            all.add(isMemory && isPlace ? "[" + operand + "]" : operand.toString());
        }
        texts.add(instruction + " " + String.join(", ", all) + ";");
    }

    private void forEveryProcessor() {
        Reg f = k.reg(Type.F32, "f");
        Reg d = k.reg(Type.F64, "d");
        Reg h = k.reg(Type.F16, "h");
        Reg b16 = k.reg(Type.B16, "b16");
        Reg u = k.reg(Type.U32, "u");
        Reg b = k.reg(Type.B32, "b");
        Reg l = k.reg(Type.U64, "l");
        Reg p = k.reg(Type.PRED, "p");
        Reg q = k.reg(Type.PRED, "q");
        Reg[] v = k.regs(Type.F32, "v", 4);
        Reg[] w = k.regs(Type.B32, "w", 4);
        Symbol s = k.shared("s", Type.B32, 16, 16);
        miss("fma.f32", f, f, f, f);
        miss("fma.rn.f32", f, f, u, f);
        miss("fma.rn.f32", f, f, f);
        miss("fma.rn.ftz.f64", d, d, d, d);
        miss("add.f32", f, f, 1);
        miss("add.b32", b, b, b);
        miss("add.sat.u32", u, u, u);
        miss("add.u32", u, u, f);
        miss("add.u32", u, u, l);
        miss("add.u32", 1, u, u);
        miss("add.f16", h, h, f);
        miss("mul.u32", u, u, u);
        miss("mul.wide.u32", u, u, u);
        miss("mul.wide.u64", l, l, l);
        miss("mad.lo.f32", f, f, f, f);
        miss("div.f64", d, d, d);
        miss("rem.f32", f, f, f);
        miss("sqrt.f32", f, f);
        miss("sqrt.approx.f64", d, d);
        miss("ex2.approx.f64", d, d);
        miss("tanh.approx.ftz.f32", f, f);
        miss("setp.lo.s32", p, u, u);
        miss("setp.lt.b32", p, b, b);
        miss("setp.ltu.u32", p, u, u);
        miss("setp.lt.u32", u, u, u);
        miss("setp.lt.f16", pair(p, q), h, h);
        miss("setp.lt.and.u32", p, u, u);
        miss("selp.f32", f, f, f, u);
        miss("selp.pred", p, p, q, q);
        miss("mov.u32", u, f);
        miss("mov.f32", f, Special.TID_X);
        miss("mov.b64", vec(b16, b16), l);
        miss("and.u32", u, u, u);
        miss("shl.u32", u, u, u);
        miss("shr.f32", f, f, u);
        miss("cvt.f16.f32", h, f);
        miss("cvt.u32.f32", u, f);
        miss("cvt.rn.f64.f32", d, f);
        miss("cvt.rn.u32.f32", u, f);
        miss("cvt.sat.u32.u16", u, b16);
        miss("cvt.rn.f16x2.f32", b, f);
        miss("cvt.rn.bf16x2.f32", b16, f, f);
        miss("cvt.rn.e4m3x2.f32", b16, f, f);
        miss("cvta.to.shared.u64", l, s);
        miss("ld.global.f32", f, u);
        miss("ld.global.f32", f, s);
        miss("ld.global.f16", h, l);
        miss("ld.global.v4.f64", vec(d, d, d, d), l);
        miss("ld.global.v4.f32", vec(v, 0, 2), l);
        miss("ld.global.v3.f32", vec(v, 0, 3), l);
        miss("ld.global.u32", b16, l);
        miss("ld.shared.nc.f32", f, s);
        miss("ld.relaxed.u32", u, l);
        miss("ld.release.gpu.u32", u, l);
        miss("ld.shared.L2::128B.u32", u, s);
        miss("ld.global.L2::cache_hint.u32", u, l);
        miss("st.global.nc.u32", l, u);
        miss("st.const.u32", l, u);
        miss("st.acquire.gpu.u32", l, u);
        miss("st.global.ca.u32", l, u);
        miss("atom.global.add.s64", l, l, l);
        miss("atom.global.max.f32", f, l, f);
        miss("atom.global.add.f16", h, l, h);
        miss("atom.global.cas.b32", b, l, b);
        miss("red.acquire.gpu.global.add.u32", l, u);
        miss("red.global.exch.b32", l, b);
        miss("membar.cluster");
        miss("bar.sync", 16);
        miss("bar.sync", 0, 33);
        miss("bar.arrive", 0);
        miss("shfl.sync.bfly.b32", b, b, 1, 31);
        miss("shfl.sync.bfly.b64", l, l, 1, 31, -1);
        miss("vote.sync.ballot.b32", b, b, -1);
        miss("redux.sync.add.f32", f, f, -1);
        miss("cp.async.ca.shared.global", s, l, 12);
        miss("cp.async.cg.shared.global", s, l, 8);
        miss("cp.async.ca.global.shared", l, s, 16);
        miss("cp.async.wait_group", u);
        miss("ldmatrix.sync.aligned.m8n8.x4.shared.b16", vec(w, 0, 2), s);
        miss("ldmatrix.sync.aligned.m8n8.x3.shared.b16", vec(w, 0, 3), s);
        miss("ldmatrix.sync.aligned.m8n8.x4.trans.global.b16", vec(w, 0, 4), l);
        miss("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", v, vec(w, 0, 2), vec(w, 0, 2), v);
        miss("mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32", v, w, vec(w, 0, 2), v);
        miss("mma.sync.aligned.m16n8k16.row.col.bf16.bf16.bf16.bf16", vec(w, 0, 2), w, vec(w, 0, 2), vec(w, 0, 2));
        miss("mma.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32", v, w, vec(w, 0, 2), v);
        miss("mbarrier.init.shared.b64", s);
        miss("mbarrier.test_wait.parity.shared.b64", p, s, 2);
        miss("nanosleep.u64", l);
        miss("exit.uni");
        miss("cp.async.bulk.commit_group");
        miss("griddepcontrol.wait");
        miss("wgmma.fence.sync.aligned");
    }

    private void forHopper() {
        Reg l = k.reg(Type.U64, "l");
        Reg u = k.reg(Type.U32, "u");
        Reg c = k.reg(Type.S32, "c");
        Reg p = k.reg(Type.PRED, "p");
        Reg[] v = k.regs(Type.F32, "v", 8);
        Symbol s = k.shared("s", Type.B32, 16, 16);
        Symbol bar = k.shared("bar", Type.B64, 1, 8);
        String load = "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes";
        miss(load, s, tensor(l, c), bar);
        miss(load, s, tensor(l, c, c, c), bar);
        miss(load, s, tensor(l, c, c));
        miss(load + ".L2::cache_hint", s, tensor(l, c, c), bar);
        miss(load + ".multicast::cluster", s, tensor(l, c, c), bar);
        miss("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group", s, tensor(l, c, c));
        miss("cp.async.bulk.global.shared::cta.bulk_group", l, s, 8);
        miss("cp.async.bulk.wait_group", u);
        String wgmma = "wgmma.mma_async.sync.aligned.";
        miss(wgmma + "m64n16k16.f32.bf16.bf16", v, l, l, p, 1, 1, 0);
        miss(wgmma + "m64n16k16.f32.bf16.bf16", v, l, l, p, 1, 0, 0, 0);
        miss(wgmma + "m64n16k16.f32.bf16.bf16", vec(v, 0, 4), l, l, p, 1, 1, 0, 0);
        miss(wgmma + "m64n12k16.f32.bf16.bf16", vec(v, 0, 6), l, l, p, 1, 1, 0, 0);
        miss(wgmma + "m64n16k8.f32.bf16.bf16", v, l, l, p, 1, 1, 0, 0);
        miss(wgmma + "m64n16k16.f16.bf16.bf16", vec(v, 0, 4), l, l, p, 1, 1, 0, 0);
        miss(wgmma + "m64n16k32.f32.e4m3.e4m3", v, l, l, p, 1, 1, 0, 0);
        miss("setmaxnreg.inc.sync.aligned.u32", 20);
        miss("setmaxnreg.inc.sync.aligned.u32", 100);
        miss("mbarrier.try_wait.shared::cluster.b64", p, s, l);
        miss("mbarrier.arrive.shared::cluster.b64", l, s);
        miss("elect.sync", p, -1);
        miss("red.global.add.v8.f32", l, vec((Object[]) v));
        miss("add.rn.f32x2", l, l, l);
        miss("barrier.cluster.sync");
    }
}
