package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.TensorMap;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Blocks that reach into each other's shared memory.
class ClustersTest {
    private static final Launch FOUR = Launch.of(8, 32).withCluster(4, 1, 1);

    static List<Sample> samples() {
        return List.of(
                Sample.of("a sum over the blocks of a cluster", FOUR, """
                                .shared .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                mad.lo.u32 %r4, %cta, 100, %t;
                                st.shared.u32 [%r3], %r4;
                                barrier.cluster.arrive.release.aligned; //a1
                                barrier.cluster.wait.acquire.aligned; //w1
                                mov.u32 %r5, 0;
                                mov.u32 %r6, 0;
                                LOOP:
                                mapa.shared::cluster.u32 %r7, %r3, %r5;
                                ld.shared::cluster.u32 %r8, [%r7]; //1
                                add.u32 %r6, %r6, %r8;
                                add.u32 %r5, %r5, 1;
                                setp.lt.u32 %p1, %r5, 4;
                                @%p1 bra LOOP;
                                barrier.cluster.arrive.aligned; //a2
                                barrier.cluster.wait.aligned; //w2
                                st.shared.u32 [%r3], %r6; //3
                                mad.lo.u32 %r9, %cta, 32, %t;
                                mad.wide.u32 %d0, %r9, 4, %B;
                                st.global.u32 [%d0], %r6;
                                """)
                        .gives(256, i -> 4 * (i % 32) + 100 * (i < 128 ? 6 : 22))
                        .breaks(
                                "no barrier before",
                                Kind.UNINITIALIZED,
                                "//1",
                                "block (0,0,0) warp 0 lanes 0-31",
                                "nobody has written",
                                "barrier.cluster.arrive.release.aligned; //a1\nbarrier.cluster.wait.acquire.aligned; //w1",
                                "")
                        .breaks(
                                "only the block's barrier before",
                                Kind.UNINITIALIZED,
                                "//1",
                                "",
                                "",
                                "barrier.cluster.arrive.release.aligned; //a1\nbarrier.cluster.wait.acquire.aligned; //w1",
                                "bar.sync 0;")
                        .breaks(
                                "a relaxed arrival",
                                Kind.RACE,
                                "//1",
                                "block (3,0,0) warp 0 lane 0",
                                "which block (0,0,0) warp 0 wrote in line",
                                "arrive.release",
                                "arrive.relaxed")
                        .breaks(
                                "no barrier behind",
                                Kind.OUT_OF_BOUNDS,
                                "//1",
                                "block (0,0,0) warp 0 lanes 0-31",
                                "block (3,0,0) of the cluster has exited",
                                "barrier.cluster.arrive.aligned; //a2\nbarrier.cluster.wait.aligned; //w2",
                                "")
                        .breaks(
                                "written again while others read",
                                Kind.RACE,
                                "",
                                "block",
                                "nothing orders the two",
                                "barrier.cluster.arrive.aligned; //a2\nbarrier.cluster.wait.aligned; //w2\nst.shared.u32 [%r3], %r6; //3",
                                "st.shared.u32 [%r3], %r6;\nbarrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;")
                        .breaks(
                                "a block that the cluster lacks",
                                Kind.OUT_OF_BOUNDS,
                                "//1",
                                "lanes 0-31",
                                "the cluster has no block 4",
                                "setp.lt.u32 %p1, %r5, 4;",
                                "setp.lt.u32 %p1, %r5, 5;")
                        .breaks(
                                "waits without having arrived",
                                Kind.BARRIER,
                                "//w1",
                                "lanes 0-31",
                                "wait at the cluster's barrier without having arrived",
                                "barrier.cluster.arrive.release.aligned; //a1",
                                "")
                        .breaks(
                                "arrives twice",
                                Kind.BARRIER,
                                "//a1",
                                "lane 0",
                                "arrive twice at the cluster's barrier",
                                "barrier.cluster.arrive.release.aligned; //a1",
                                "barrier.cluster.arrive.release.aligned;\nbarrier.cluster.arrive.release.aligned; //a1"),
                Sample.of("a fence and a relaxed arrival", FOUR, """
                                .shared .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                st.shared.u32 [%r3], %t;
                                fence.acq_rel.cluster; //f
                                barrier.cluster.arrive.relaxed.aligned;
                                barrier.cluster.wait.aligned;
                                mov.u32 %r4, 2;
                                mapa.shared::cluster.u32 %r7, %r3, %r4;
                                ld.shared::cluster.u32 %r8, [%r7]; //1
                                mad.wide.u32 %d0, %t, 4, %B;
                                setp.eq.u32 %p1, %cta, 0;
                                @%p1 st.global.u32 [%d0], %r8;
                                barrier.cluster.arrive.aligned;
                                barrier.cluster.wait.aligned;
                                """)
                        .gives(32, i -> i)
                        .breaks("no fence", Kind.RACE, "//1", "block", "nothing orders", "fence.acq_rel.cluster;", ""),
                Sample.of("stores that report to an mbarrier", Launch.of(2, 32).withCluster(2, 1, 1), """
                                .shared .align 16 .b32 s[32];
                                .shared .align 8 .b64 bar;
                                setp.ne.u32 %p14, %t, 0;
                                @!%p14 mbarrier.init.shared::cta.b64 [bar], 1;
                                @!%p14 mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 128;
                                barrier.cluster.arrive.release.aligned;
                                barrier.cluster.wait.acquire.aligned;
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                xor.b32 %r4, %cta, 1;
                                mapa.shared::cluster.u32 %r5, %r3, %r4;
                                mov.u32 %r6, bar;
                                mapa.shared::cluster.u32 %r7, %r6, %r4;
                                mad.lo.u32 %r8, %cta, 100, %t;
                                st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r5], %r8, [%r7];
                                WAIT:
                                mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [bar], 0;
                                @!%p1 bra WAIT;
                                ld.shared.u32 %r9, [%r3]; //1
                                mad.lo.u32 %r10, %cta, 32, %t;
                                mad.wide.u32 %d0, %r10, 4, %B;
                                st.global.u32 [%d0], %r9;
                                barrier.cluster.arrive.aligned; //e
                                barrier.cluster.wait.aligned;
                                """)
                        .gives(64, i -> i < 32 ? 100 + i : i - 32)
                        .breaks(
                                "does not wait",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "block (1,0,0) warp 0 lane 0",
                                "asynchronously, and nobody has waited",
                                "@!%p1 bra WAIT;",
                                ""),
                Sample.of("arrivals from another block", Launch.of(2, 32).withCluster(2, 1, 1), """
                                .shared .align 8 .b64 bar;
                                .shared .align 128 .b32 s[32];
                                setp.ne.u32 %p14, %t, 0;
                                @!%p14 mbarrier.init.shared::cta.b64 [bar], 32;
                                fence.mbarrier_init.release.cluster; //f
                                barrier.cluster.arrive.relaxed.aligned;
                                barrier.cluster.wait.aligned;
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                mov.u32 %r0, 0;
                                setp.eq.u32 %p1, %cta, 0;
                                @%p1 bra READER;
                                mapa.shared::cluster.u32 %r4, %r3, %r0;
                                st.shared::cluster.u32 [%r4], %t;
                                mov.u32 %r5, bar;
                                mapa.shared::cluster.u32 %r6, %r5, %r0;
                                mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r6]; //2
                                bra DONE;
                                READER:
                                mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [bar], 0;
                                @!%p2 bra READER;
                                xor.b32 %r7, %r3, 64;
                                ld.shared.u32 %r8, [%r7]; //1
                                mad.wide.u32 %d0, %t, 4, %B;
                                st.global.u32 [%d0], %r8;
                                DONE:
                                barrier.cluster.arrive;
                                barrier.cluster.wait;
                                """)
                        .gives(32, i -> i ^ 16)
                        .breaks(
                                "a relaxed arrival",
                                Kind.RACE,
                                "//1",
                                "block (0,0,0) warp 0 lane 0",
                                "block (1,0,0) warp 0 wrote",
                                "arrive.release.cluster",
                                "arrive.relaxed.cluster")
                        .breaks(
                                "a relaxed wait",
                                Kind.RACE,
                                "//1",
                                "block (0,0,0) warp 0 lane 0",
                                "block (1,0,0) warp 0 wrote",
                                "parity.acquire.cluster",
                                "parity.relaxed.cluster")
                        .breaks(
                                "nobody hears of the mbarrier",
                                Kind.RACE,
                                "//2",
                                "block (1,0,0) warp 0 lane 0",
                                "block (0,0,0) warp 0 wrote",
                                "fence.mbarrier_init.release.cluster;",
                                ""),
                Sample.of("one copy for two blocks", Launch.of(2, 32).withCluster(2, 1, 1), """
                                .shared .align 128 .b32 s[64];
                                .shared .align 8 .b64 bar;
                                setp.ne.u32 %p14, %t, 0;
                                @!%p14 mbarrier.init.shared::cta.b64 [bar], 1;
                                @!%p14 mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 256;
                                fence.mbarrier_init.release.cluster;
                                barrier.cluster.arrive.relaxed.aligned;
                                barrier.cluster.wait.aligned;
                                mov.u32 %r1, s;
                                shl.b32 %r2, %cta, 7;
                                add.u32 %r3, %r1, %r2;       // each block loads a half for both
                                shl.b32 %r4, %cta, 2;
                                mov.u32 %r5, 8;
                                mov.b16 %h0, 3;
                                mov.u64 %d0, pm;
                                cvta.param.u64 %d0, %d0;
                                @%p14 bra WAIT;
                                cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%r3], [%d0, {%r5, %r4}], [bar], %h0; //2
                                WAIT:
                                mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [bar], 0;
                                @!%p1 bra WAIT;
                                shl.b32 %r6, %t, 2;
                                add.u32 %r7, %r1, %r6;
                                ld.shared.u32 %r8, [%r7]; //1
                                ld.shared.u32 %r9, [%r7+128];
                                mad.lo.u32 %r8, %r9, 10000, %r8;
                                mad.lo.u32 %r10, %cta, 32, %t;
                                mad.wide.u32 %d1, %r10, 4, %B;
                                st.global.u32 [%d1], %r8;
                                barrier.cluster.arrive.aligned;
                                barrier.cluster.wait.aligned;
                                """.replace(
                                        "mov.b16 %h0", ".reg .b16 %h0;\nmov.b16 %h0"))
                        .withMap(a -> TensorMap.of(a.reshape(256, 16), 4, 8))
                        .gives(64, i -> {
                            int first = i % 32 / 8 * 16 + 8 + i % 8;
                            return first + 10000 * (first + 64);
                        })
                        .breaks(
                                "only for itself",
                                Kind.HANG,
                                "",
                                "",
                                "256 bytes missing",
                                "mov.b16 %h0, 3;",
                                "mov.b16 %h0, 1;"));
    }

    @TestFactory
    Stream<DynamicTest> clusters() {
        return samples().stream().flatMap(Sample::tests);
    }
}
