package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Copies that add to what is there, and mbarriers that wait for fewer.
class ReductionsTest {
    private static final String WAIT = """
            wait: mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], 0;
            @!%p1 bra wait;
            """;

    /// Every thread of block 1 adds its number to a sum in block 0.
    private static Sample distributed() {
        return Sample.of("red.async", Launch.of(2, 32).withCluster(2, 1, 1), """
                .shared .align 8 .b64 bar; .shared .align 4 .u32 sum;
                setp.ne.u32 %p0, %t, 0;
                @%p0 bra made;
                st.shared.u32 [sum], 5;
                mbarrier.init.shared::cta.b64 [bar], 1;
                fence.mbarrier_init.release.cluster;
                made: barrier.cluster.arrive; barrier.cluster.wait;
                setp.eq.u32 %p2, %cta, 0;
                @%p2 bra receive;
                mov.u32 %r0, sum; mapa.shared::cluster.u32 %r0, %r0, 0;
                mov.u32 %r1, bar; mapa.shared::cluster.u32 %r1, %r1, 0;
                red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r0], %t, [%r1];
                bra done;
                receive:
                @!%p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 128;
                """ + WAIT + """
                ld.shared.u32 %r2, [sum]; //read
                @!%p0 st.global.u32 [%B], %r2;
                done: barrier.cluster.arrive; barrier.cluster.wait;
                """)
                .gives(1, _ -> 5 + 31 * 32 / 2)
                .breaks(
                        "nobody waits",
                        Kind.ASYNC_EARLY,
                        "//read",
                        "block (0,0,0)",
                        "asynchronously",
                        "@!%p1 bra wait;",
                        "");
    }

    /// A block adds a row of shared memory to global memory, in bulk.
    private static Sample bulk() {
        return Sample.of("cp.reduce.async.bulk", Launch.of(1, 32), """
                .shared .align 16 .b32 row[32];
                mov.u32 %r0, row; mad.lo.u32 %r1, %t, 4, %r0;
                add.u32 %r2, %t, 100;
                st.shared.u32 [%r1], %r2;
                fence.proxy.async;
                bar.sync 0;
                setp.ne.u32 %p0, %t, 0;
                @%p0 bra done;
                cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%B], [%r0], 128;
                cp.reduce.async.bulk.global.shared::cta.bulk_group.max.u32 [%B+64], [%r0], 64;
                cp.async.bulk.commit_group;
                cp.async.bulk.wait_group 0;
                done:
                """)
                .gives(32, i -> i < 16 ? 100 + i : Math.max(100 + i, 100 + i - 16));
    }

    /// One of two threads leaves after the first phase.
    private static Sample dropped() {
        return Sample.of("mbarrier.arrive_drop", Launch.of(1, 64), """
                .shared .align 8 .b64 bar;
                setp.ne.u32 %p0, %t, 0;
                @!%p0 mbarrier.init.shared::cta.b64 [bar], 2;
                bar.sync 0;
                setp.eq.u32 %p2, %t, 32;
                @%p2 mbarrier.arrive_drop.shared::cta.b64 %d0, [bar]; //drop
                @%p0 bra done;
                mbarrier.arrive.shared::cta.b64 %d0, [bar];
                """ + WAIT + """
                mbarrier.arrive.shared::cta.b64 %d0, [bar];
                again: mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], 1;
                @!%p1 bra again;
                st.global.u32 [%B], 1;
                done:
                """)
                .gives(1, _ -> 1)
                .breaks("nobody drops", Kind.HANG, "", "", "waits for ever", "arrive_drop", "arrive");
    }

    /// Largest and smallest of pairs of halves.
    private static Sample halves() {
        return Sample.of("red.min.noftz.f16x2", Launch.of(1, 32), """
                .reg .b32 %h0, %h1;
                mov.b32 %h0, 0x3C003C00; mov.b32 %h1, 0x3C003C00;
                setp.eq.u32 %p0, %t, 7;
                @%p0 mov.b32 %h0, 0x4000BC00;
                red.global.min.noftz.v2.f16x2 [%B], {%h0, %h1};
                red.global.max.noftz.v2.f16x2 [%B+8], {%h0, %h1};
                """)
                .gives(4, i -> i == 0 ? 0x0000BC00 : i == 1 ? 0 : i == 2 ? 0x40003C00 : 0x3C003C00);
    }

    @TestFactory
    Stream<DynamicTest> reductions() {
        return Stream.of(distributed(), bulk(), dropped(), halves()).flatMap(Sample::tests);
    }
}
