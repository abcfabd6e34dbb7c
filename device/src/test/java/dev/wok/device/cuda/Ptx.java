package dev.wok.device.cuda;

/// PTX for tests, written by hand.
final class Ptx {
    /// `y[i] = a x[i] + y[i]` for `i < n`.
    static final String SAXPY = """
            .version 7.0
            .target sm_80
            .address_size 64

            .visible .global .align 16 .b8 table[64];

            .visible .entry saxpy(
                .param .u64 .ptr .global .align 4 x,
                .param .u64 .ptr .global .align 4 y,
                .param .f32 a,
                .param .u32 n
            )
            {
                .reg .pred %p;
                .reg .b32 %i, %n, %t, %b;
                .reg .f32 %a, %x, %y;
                .reg .b64 %px, %py, %o;
                ld.param.u64 %px, [x];
                ld.param.u64 %py, [y];
                ld.param.f32 %a, [a];
                ld.param.u32 %n, [n];
                mov.u32 %t, %tid.x;
                mov.u32 %b, %ctaid.x;
                mov.u32 %i, %ntid.x;
                mad.lo.s32 %i, %b, %i, %t;
                setp.ge.u32 %p, %i, %n;
                @%p ret;
                mul.wide.u32 %o, %i, 4;
                add.s64 %px, %px, %o;
                add.s64 %py, %py, %o;
                ld.global.f32 %x, [%px];
                ld.global.f32 %y, [%py];
                fma.rn.f32 %y, %a, %x, %y;
                st.global.f32 [%py], %y;
                ret;
            }

            .visible .entry nothing()
            {
                ret;
            }
            """;

    /// An instruction that there is not, in line 6.
    static final String BAD = """
            .version 7.0
            .target sm_80
            .address_size 64
            .visible .entry broken()
            {
                bad.f32 %x, %y;
                ret;
            }
            """;

    private Ptx() {}

    /// Copies a box of a map, one block, one thread at work.
    ///
    /// @param target of capability 9.0 or more
    static String boxes(String target) {
        return """
            .version 8.0
            .target %s
            .address_size 64

            .visible .entry box(
                .param .align 64 .b8 map[128],
                .param .u64 out,
                .param .u32 column,
                .param .u32 row
            )
            {
                .reg .pred %%p;
                .reg .b32 %%t, %%v, %%s, %%c, %%r, %%bar;
                .reg .b64 %%o, %%d, %%m;
                .shared .align 1024 .b8 tile[1024];
                .shared .align 8 .b64 full;
                mov.u32 %%t, %%tid.x;
                mov.u32 %%bar, full;
                mov.u32 %%s, tile;
                ld.param.u32 %%c, [column];
                ld.param.u32 %%r, [row];
                setp.ne.u32 %%p, %%t, 0;
                @%%p bra ready;
                mbarrier.init.shared::cta.b64 [%%bar], 1;
                fence.proxy.async.shared::cta;
            ready:
                bar.sync 0;
                @%%p bra wait;
                mbarrier.arrive.expect_tx.shared::cta.b64 %%d, [%%bar], 1024;
                mov.b64 %%m, map;
                cvta.param.u64 %%m, %%m;
                cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
                    [%%s], [%%m, {%%c, %%r}], [%%bar];
            wait:
                mbarrier.try_wait.parity.shared::cta.b64 %%p, [%%bar], 0;
                @!%%p bra wait;
                shl.b32 %%v, %%t, 2;
                add.u32 %%s, %%s, %%v;
                ld.shared.b32 %%s, [%%s];
                ld.param.u64 %%o, [out];
                mul.wide.u32 %%d, %%t, 4;
                add.s64 %%o, %%o, %%d;
                st.global.b32 [%%o], %%s;
                ret;
            }

            .visible .entry ranks(.param .u64 out)
            {
                .reg .b32 %%r, %%b;
                .reg .b64 %%o, %%d;
                griddepcontrol.wait;
                mov.u32 %%r, %%cluster_ctarank;
                mov.u32 %%b, %%ctaid.x;
                ld.param.u64 %%o, [out];
                mul.wide.u32 %%d, %%b, 4;
                add.s64 %%o, %%o, %%d;
                st.global.b32 [%%o], %%r;
                ret;
            }

            .extern .shared .align 16 .b8 dynamic[];

            .visible .entry large(.param .u64 out, .param .u32 at)
            {
                .reg .b32 %%s, %%a, %%v;
                .reg .b64 %%o;
                ld.param.u32 %%a, [at];
                mov.u32 %%s, dynamic;
                add.u32 %%s, %%s, %%a;
                mov.b32 %%v, 4711;
                st.volatile.shared.b32 [%%s], %%v;
                ld.volatile.shared.b32 %%v, [%%s];
                ld.param.u64 %%o, [out];
                st.global.b32 [%%o], %%v;
                ret;
            }
            """.formatted(target);
    }
}
