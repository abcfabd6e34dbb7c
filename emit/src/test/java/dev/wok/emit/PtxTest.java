package dev.wok.emit;

import static dev.wok.emit.ptx.Compare.LT;
import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Type.F32;
import static dev.wok.emit.ptx.Type.U32;
import static dev.wok.emit.ptx.Type.U64;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Target;
import org.junit.jupiter.api.Test;

/// The text of a short kernel.
class PtxTest {
    @Test
    void aKernelReadsLikeOneWrittenByHand() {
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
                """, module.text());
    }
}
