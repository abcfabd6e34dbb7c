package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.TensorMap;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Copies that go on while threads do something else, waited for as they must be, and not.
class AsynchronousTest {
    /// Waits for a phase of an mbarrier: its place, the parity, a label.
    private static String waitFor(String place, String parity, String label) {
        return """
                %s:
                mbarrier.try_wait.parity.shared::cta.b64 %%p15, [%s], %s; //%s
                @!%%p15 bra %s;
                """.formatted(label, place, parity, label, label);
    }

    private static final String INIT = """
            setp.ne.u32 %p14, %t, 0;
            @!%p14 mbarrier.init.shared::cta.b64 [bar], 1;
            @!%p14 fence.mbarrier_init.release.cluster;
            bar.sync 0; //init
            """;

    static List<Sample> samples() {
        return List.of(
                // Each thread copies for another one: two stages, one group ahead.
                Sample.of("cp.async in two stages", Launch.of(1, 64), """
                                .shared .align 16 .b32 s[128];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;       // where this thread copies to
                                xor.b32 %r4, %r3, 252;       // where it reads
                                mad.wide.u32 %d0, %t, 4, %A;
                                mov.u32 %r5, 0;
                                mov.u32 %r6, 0;
                                cp.async.ca.shared.global [%r3], [%d0], 4;
                                cp.async.commit_group;
                                LOOP:
                                add.u64 %d0, %d0, 256;
                                xor.b32 %r7, %r5, 1;
                                and.b32 %r7, %r7, 1;
                                shl.b32 %r7, %r7, 8;
                                add.u32 %r8, %r3, %r7;
                                cp.async.ca.shared.global [%r8], [%d0], 4; //1
                                cp.async.commit_group;
                                cp.async.wait_group 1; //w
                                bar.sync 0; //b
                                and.b32 %r9, %r5, 1;
                                shl.b32 %r9, %r9, 8;
                                add.u32 %r10, %r4, %r9;
                                ld.shared.u32 %r11, [%r10]; //2
                                add.u32 %r6, %r6, %r11;
                                bar.sync 0; //c
                                add.u32 %r5, %r5, 1;
                                setp.lt.u32 %p1, %r5, 10;
                                @%p1 bra LOOP;
                                cp.async.wait_all;
                                mad.wide.u32 %d1, %t, 4, %B;
                                st.global.u32 [%d1], %r6;
                                """)
                        .gives(64, i -> 45 * 64 + 10 * (63 - i))
                        .breaks(
                                "waits for a group too few",
                                Kind.ASYNC_EARLY,
                                "//2",
                                "block (0,0,0) warp",
                                "writes asynchronously, and nobody has waited for that",
                                "cp.async.wait_group 1;",
                                "cp.async.wait_group 2;")
                        .breaks(
                                "does not wait",
                                Kind.ASYNC_EARLY,
                                "//2",
                                "warp",
                                "asynchronously",
                                "cp.async.wait_group 1;",
                                "")
                        .breaks(
                                "no barrier behind",
                                Kind.UNINITIALIZED,
                                "//2",
                                "warp",
                                "nobody has written",
                                "bar.sync 0; //b",
                                "")
                        .breaks(
                                "no barrier before",
                                Kind.ASYNC_EARLY,
                                "",
                                "warp",
                                "asynchronously",
                                "bar.sync 0; //c",
                                ""),
                Sample.of("cp.async within a warp", Launch.of(1, 32), """
                                .shared .align 16 .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                mad.wide.u32 %d0, %t, 4, %A;
                                cp.async.ca.shared.global [%r3], [%d0], 4;
                                cp.async.wait_all; //w
                                ld.shared.u32 %r4, [%r3]; //0
                                bar.warp.sync 0xffffffff; //b
                                xor.b32 %r5, %r3, 124;
                                ld.shared.u32 %r5, [%r5]; //1
                                mad.lo.u32 %r6, %r4, 100, %r5;
                                mad.wide.u32 %d1, %t, 4, %B;
                                st.global.u32 [%d1], %r6;
                                """)
                        .gives(32, i -> 100 * i + 31 - i)
                        .breaks(
                                "no wait",
                                Kind.ASYNC_EARLY,
                                "//0",
                                "lane 0",
                                "asynchronously",
                                "cp.async.wait_all;",
                                "")
                        .breaks(
                                "no barrier",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "lane 0",
                                "asynchronously",
                                "bar.warp.sync 0xffffffff;",
                                "")
                        .breaks(
                                "its source overwritten on the way",
                                Kind.ASYNC_EARLY,
                                "//2",
                                "lane 0",
                                "write byte 0 of I32[4096], which line",
                                "cp.async.wait_all;",
                                "st.global.u32 [%d0], 7; //2\ncp.async.wait_all;"),
                Sample.of(
                                "cp.async that arrives at an mbarrier",
                                Launch.of(1, 64),
                                """
                                .shared .align 16 .b32 s[64];
                                .shared .align 8 .b64 bar;
                                setp.ne.u32 %p14, %t, 0;
                                @!%p14 mbarrier.init.shared::cta.b64 [bar], 32;
                                bar.sync 0;
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                mad.wide.u32 %d0, %t, 4, %A;
                                setp.ge.u32 %p1, %t, 32;
                                @%p1 bra READER;
                                cp.async.ca.shared.global [%r3], [%d0], 4;
                                cp.async.ca.shared.global [%r3+128], [%d0+128], 4;
                                cp.async.mbarrier.arrive.noinc.shared::cta.b64 [bar];
                                bra DONE;
                                READER:
                                """ + waitFor("bar", "0", "WAIT") + """
                                xor.b32 %r4, %r3, 4;
                                ld.shared.u32 %r5, [%r4]; //1
                                mad.wide.u32 %d1, %t, 4, %B;
                                st.global.u32 [%d1+-128], %r5;
                                DONE:
                                """)
                        .gives(32, i -> 32 + (i ^ 1))
                        .breaks(
                                "does not wait",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "warp 1 lane 0",
                                "asynchronously",
                                "@!%p15 bra WAIT;",
                                "")
                        .breaks(
                                "nobody arrives",
                                Kind.HANG,
                                "//WAIT",
                                "warp 1 lanes 0-31",
                                "32 of 32 arrivals and 0 bytes missing, phase 0",
                                "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [bar];",
                                "")
                        .breaks(
                                "not initialised",
                                Kind.UNINITIALIZED,
                                "",
                                "warp 1 lanes 0-31",
                                "as an mbarrier, which nobody has initialised",
                                "@!%p14 mbarrier.init.shared::cta.b64 [bar], 32;",
                                "")
                        .breaks(
                                "initialised behind no barrier",
                                Kind.RACE,
                                "",
                                "",
                                "nothing orders the two",
                                "bar.sync 0;",
                                ""),
                Sample.of(
                                "a bulk copy in and out",
                                Launch.of(1, 128),
                                """
                                .shared .align 128 .b32 s[256];
                                .shared .align 8 .b64 bar;
                                """ + INIT + """
                                mov.u32 %r1, s;
                                @%p14 bra WAITS;
                                mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 512; //x
                                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%A+128], 512, [bar]; //g
                                WAITS:
                                """ + waitFor("bar", "0", "WAIT") + """
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                ld.shared.u32 %r4, [%r3]; //1
                                add.u32 %r4, %r4, 1000;
                                st.shared.u32 [%r3+512], %r4;
                                fence.proxy.async.shared::cta; //f
                                bar.sync 0; //b
                                @%p14 bra DONE;
                                cp.async.bulk.global.shared::cta.bulk_group [%B], [%r1+512], 512; //2
                                cp.async.bulk.commit_group; //c
                                cp.async.bulk.wait_group.read 0; //w
                                st.shared.u32 [%r1+512], 3; //3
                                DONE:
                                """)
                        .gives(128, i -> 1032 + i)
                        .breaks(
                                "does not wait for it to land",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "lane 0",
                                "asynchronously",
                                "@!%p15 bra WAIT;",
                                "")
                        .breaks(
                                "expects less",
                                Kind.HANG,
                                "//WAIT",
                                "warp 0",
                                "and -256 bytes missing",
                                "[bar], 512; //x",
                                "[bar], 256; //x")
                        .breaks(
                                "expects more",
                                Kind.HANG,
                                "//WAIT",
                                "",
                                "bytes missing",
                                "[bar], 512; //x",
                                "[bar], 528; //x")
                        .breaks(
                                "the wrong phase",
                                Kind.UNINITIALIZED,
                                "//1",
                                "",
                                "nobody has written",
                                "[bar], 0; //WAIT",
                                "[bar], 1; //WAIT")
                        .breaks(
                                "no fence of the proxy",
                                Kind.PROXY,
                                "//2",
                                "block (0,0,0) warp 0 lane 0",
                                "without fence.proxy.async between them",
                                "fence.proxy.async.shared::cta;",
                                "")
                        .breaks(
                                "no barrier before",
                                Kind.UNINITIALIZED,
                                "//2",
                                "warp 0 lane 0",
                                "where nobody has written all",
                                "bar.sync 0; //b",
                                "")
                        .breaks(
                                "the source overwritten",
                                Kind.ASYNC_EARLY,
                                "//3",
                                "warp 0 lane 0",
                                "reads asynchronously",
                                "cp.async.bulk.wait_group.read 0;",
                                "")
                        .breaks(
                                "exits before it is read",
                                Kind.ASYNC_EARLY,
                                "",
                                "warp 0 lane 0",
                                "exit while bulk copies still read their shared memory",
                                "cp.async.bulk.wait_group.read 0;",
                                "",
                                "st.shared.u32 [%r1+512], 3;",
                                "")
                        .breaks(
                                "never a group",
                                Kind.ASYNC_EARLY,
                                "",
                                "lane 0",
                                "exit while bulk copies",
                                "cp.async.bulk.commit_group;",
                                "",
                                "st.shared.u32 [%r1+512], 3;",
                                "")
                        .breaks(
                                "the result read before it is there",
                                Kind.ASYNC_EARLY,
                                "//3",
                                "lane 0",
                                "asynchronously",
                                "st.shared.u32 [%r1+512], 3;",
                                "ld.global.u32 %r9, [%B];")
                        .breaks(
                                "a size that is no multiple of 16",
                                Kind.INVALID,
                                "//2",
                                "lane 0",
                                "copy 500 bytes in bulk",
                                "cp.async.bulk.global.shared::cta.bulk_group [%B], [%r1+512], 512; //2",
                                "mov.u32 %r39, 500;\ncp.async.bulk.global.shared::cta.bulk_group [%B], [%r1+512], %r39; //2")
                        .breaks(
                                "a misaligned source",
                                Kind.MISALIGNED,
                                "//g",
                                "lane 0",
                                "no multiple of 16",
                                "[%A+128]",
                                "[%A+4]")
                        .breaks(
                                "beyond the end",
                                Kind.OUT_OF_BOUNDS,
                                "//g",
                                "lane 0",
                                "I32[4096] has 16384 bytes, and byte 16511 of it was asked for",
                                "[%A+128]",
                                "[%A+16000]")
                        .breaks(
                                "unwritten shared memory",
                                Kind.UNINITIALIZED,
                                "//2",
                                "lane 0",
                                "copy 512 bytes from byte 512 of shared memory, where nobody has written all",
                                "st.shared.u32 [%r3+512], %r4;",
                                "")
                        .breaks(
                                "nobody waits at all",
                                Kind.ASYNC_EARLY,
                                "",
                                "block (0,0,0)",
                                "end while copies to their shared memory are on their way",
                                "WAITS:",
                                "WAITS: bra DONE;"),
                Sample.of("wait for all of a bulk group", Launch.of(1, 32), """
                                .shared .align 16 .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                st.shared.u32 [%r3], %t;
                                bar.warp.sync 0xffffffff;
                                setp.ne.u32 %p1, %t, 0;
                                @%p1 bra DONE;
                                fence.proxy.async.shared::cta;
                                cp.async.bulk.global.shared::cta.bulk_group [%B], [%r1], 128;
                                cp.async.bulk.commit_group;
                                cp.async.bulk.wait_group 0;
                                ld.global.u32 %r4, [%B+8]; //1
                                st.global.u32 [%C], %r4;
                                DONE:
                                """)
                        .gives(32, i -> i)
                        .breaks(
                                "only its source",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "lane 0",
                                "asynchronously",
                                "wait_group 0",
                                "wait_group.read 0"),
                Sample.of("tiles that leave by turns", Launch.of(1, 64), """
                                .shared .align 128 .b32 s[64];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                mov.u32 %r4, 0;
                                setp.ne.u32 %p1, %t, 0;
                                LOOP:
                                mad.lo.u32 %r5, %r4, 64, %t;
                                st.shared.u32 [%r3], %r5; //1
                                fence.proxy.async.shared::cta; //f
                                bar.sync 0;
                                @%p1 bra OTHERS;
                                mul.wide.u32 %d0, %r4, 256;
                                add.u64 %d0, %d0, %B;
                                cp.async.bulk.global.shared::cta.bulk_group [%d0], [%r1], 256; //2
                                cp.async.bulk.commit_group;
                                cp.async.bulk.wait_group.read 0; //w
                                OTHERS:
                                bar.sync 0; //b
                                add.u32 %r4, %r4, 1;
                                setp.lt.u32 %p2, %r4, 8;
                                @%p2 bra LOOP;
                                """)
                        .gives(512, i -> i)
                        .breaks(
                                "others do not hear of it",
                                Kind.RACE,
                                "//2",
                                "warp 0 lane 0",
                                "nothing orders the two",
                                "bar.sync 0; //b",
                                "")
                        .breaks(
                                "not waited for",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "warp",
                                "reads asynchronously",
                                "cp.async.bulk.wait_group.read 0;",
                                "")
                        .breaks(
                                "a fence by one that others do not know of",
                                Kind.PROXY,
                                "//2",
                                "warp 0 lane 0",
                                "without fence.proxy.async",
                                "fence.proxy.async.shared::cta; //f",
                                "@!%p1 fence.proxy.async.shared::cta;"),
                Sample.of("sums in bulk", Launch.of(4, 32), """
                                .shared .align 128 .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                add.u32 %r4, %cta, %t;
                                st.shared.u32 [%r3], %r4;
                                fence.proxy.async.shared::cta;
                                bar.sync 0;
                                setp.ne.u32 %p1, %t, 0;
                                @%p1 bra DONE;
                                cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%B], [%r1], 128; //1
                                cp.async.bulk.commit_group;
                                cp.async.bulk.wait_group 0;
                                DONE:
                                """)
                        .gives(32, i -> 6 + 4 * i)
                        .breaks(
                                "copied instead of summed",
                                Kind.RACE,
                                "//1",
                                "block (1,0,0) warp 0 lane 0",
                                "another block",
                                "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32",
                                "cp.async.bulk.global.shared::cta.bulk_group"),
                Sample.of("sums of tiles", Launch.of(4, 32), """
                                .shared .align 128 .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                add.u32 %r4, %cta, 1;
                                st.shared.u32 [%r3], %r4;
                                fence.proxy.async.shared::cta;
                                bar.sync 0;
                                setp.ne.u32 %p1, %t, 0;
                                @%p1 bra DONE;
                                mov.u64 %d0, pm;
                                cvta.param.u64 %d0, %d0;
                                mov.u32 %r5, 4;
                                mov.u32 %r6, -1;
                                cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%d0, {%r5, %r6}], [%r1];
                                cp.async.bulk.commit_group;
                                cp.async.bulk.wait_group 0;
                                ld.global.u32 %r7, [%A+16];
                                ld.global.u32 %r8, [%A+48];
                                atom.global.max.u32 %r9, [%B], %r7;
                                atom.global.max.u32 %r9, [%B+4], %r8;
                                DONE:
                                """.replace(
                                        "ld.global.u32 %r7, [%A+16];", "atom.global.or.b32 %r7, [%A+16], 0;")
                                .replace("ld.global.u32 %r8, [%A+48];", "atom.global.or.b32 %r8, [%A+48], 0;"))
                        .withMap(a -> TensorMap.of(a.reshape(512, 8), 4, 8))
                        .gives(2, i -> i == 0 ? 14 : 22),
                Sample.of("parts of copies", Launch.of(1, 32), """
                                .shared .align 16 .b32 s[128];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 4;
                                add.u32 %r3, %r1, %r2;
                                mad.wide.u32 %d0, %t, 16, %A;
                                and.b32 %r4, %t, 15;         // so many bytes of 16, zeros behind
                                setp.ge.u32 %p1, %t, 16;
                                @!%p1 cp.async.cg.shared.global.L2::128B [%r3], [%d0], 16, %r4;
                                @%p1 cp.async.ca.shared.global [%r3], [%d0], 16, %p1;
                                cp.async.wait_all;
                                ld.shared.v4.u32 {%r5, %r6, %r7, %r8}, [%r3];
                                add.u32 %r5, %r5, %r6;
                                add.u32 %r5, %r5, %r7;
                                add.u32 %r5, %r5, %r8;
                                mad.wide.u32 %d1, %t, 4, %B;
                                st.global.u32 [%d1], %r5;
                                """).gives(32, i -> {
                    int sum = 0;
                    for (int j = 0; j < 4 && i < 16; j++) {
                        int bytes = Math.clamp(i - 4 * j, 0, 4);
                        sum += bytes == 4 ? 4 * i + j : 4 * i + j & (1 << 8 * bytes) - 1;
                    }
                    return sum;
                }),
                Sample.of("phases of an mbarrier", Launch.of(1, 64), """
                                .shared .align 8 .b64 bar;
                                setp.ne.u32 %p1, %t, 0;
                                @!%p1 mbarrier.init.shared.b64 [bar], 66;
                                bar.sync 0;
                                mbarrier.arrive.shared.b64 %d0, [bar];
                                mbarrier.test_wait.shared.b64 %p2, [bar], %d0;
                                bar.sync 0;
                                @%p1 bra OTHERS;
                                selp.u32 %r1, 1, 0, %p2;
                                st.global.u32 [%B], %r1;             // not over
                                mbarrier.expect_tx.relaxed.cta.shared.b64 [bar], 10;
                                mbarrier.arrive.noComplete.shared.b64 %d1, [bar], 1;
                                mbarrier.pending_count.b64 %r2, %d1;
                                st.global.u32 [%B+4], %r2;           // two were missing
                                mbarrier.arrive_drop.shared.b64 %d1, [bar];
                                mbarrier.test_wait.parity.shared.b64 %p3, [bar], 0;
                                selp.u32 %r3, 1, 0, %p3;
                                st.global.u32 [%B+8], %r3;           // bytes are missing
                                mbarrier.complete_tx.relaxed.cta.shared.b64 [bar], 10;
                                mbarrier.test_wait.parity.shared.b64 %p3, [bar], 0;
                                selp.u32 %r3, 1, 0, %p3;
                                st.global.u32 [%B+12], %r3;          // over
                                mbarrier.arrive.shared.b64 %d1, [bar], 65;
                                mbarrier.test_wait.shared.b64 %p3, [bar], %d1;
                                selp.u32 %r3, 1, 0, %p3;
                                st.global.u32 [%B+16], %r3;          // over: one fewer since one dropped
                                mbarrier.inval.shared.b64 [bar];
                                mbarrier.init.shared.b64 [bar], 1; //i
                                OTHERS:
                                """)
                        .gives(5, i -> new int[] {0, 2, 0, 1, 1}[i])
                        .breaks(
                                "initialised twice",
                                Kind.INVALID,
                                "//i",
                                "warp 0 lane 0",
                                "initialise an mbarrier that is one already",
                                "mbarrier.inval.shared.b64 [bar];",
                                ""),
                Sample.of(
                                "sums that report to an mbarrier",
                                Launch.of(2, 32).withCluster(2, 1, 1),
                                """
                                .shared .align 16 .b32 s[2];
                                .shared .align 8 .b64 bar;
                                setp.ne.u32 %p14, %t, 0;
                                @!%p14 mbarrier.init.shared::cta.b64 [bar], 1;
                                @!%p14 mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 128;
                                @!%p14 st.shared.u32 [s], 1000;
                                barrier.cluster.arrive.release.aligned;
                                barrier.cluster.wait.acquire.aligned;
                                mov.u32 %r1, s;
                                xor.b32 %r4, %cta, 1;
                                mapa.shared::cluster.u32 %r5, %r1, %r4;
                                mov.u32 %r6, bar;
                                mapa.shared::cluster.u32 %r7, %r6, %r4;
                                red.async.relaxed.cluster.mbarrier::complete_tx::bytes.shared::cluster.add.u32 [%r5], %t, [%r7];
                                """ + waitFor("bar", "0", "WAIT") + """
                                ld.shared.u32 %r9, [s]; //1
                                mad.wide.u32 %d0, %cta, 4, %B;
                                @!%p14 st.global.u32 [%d0], %r9;
                                barrier.cluster.arrive.aligned;
                                barrier.cluster.wait.aligned;
                                """)
                        .gives(2, i -> 1496)
                        .breaks(
                                "does not wait",
                                Kind.ASYNC_EARLY,
                                "//1",
                                "block (1,0,0)",
                                "asynchronously",
                                "@!%p15 bra WAIT;",
                                ""),
                Sample.of("what changes nothing", Launch.of(1, 128), """
                                setmaxnreg.dec.sync.aligned.u32 40;
                                griddepcontrol.wait;
                                griddepcontrol.launch_dependents;
                                nanosleep.u32 20;
                                prefetch.global.L2 [%A];
                                createpolicy.fractional.L2::evict_first.b64 %d0, 1.0;
                                ld.global.L1::no_allocate.L2::cache_hint.L2::128B.u32 %r1, [%A+4], %d0;
                                cp.async.bulk.prefetch.L2.global [%A], 64;
                                mov.u32 %r2, %clock;
                                mov.u64 %d1, %globaltimer;
                                bar.red.and.pred %p1, 0, %p2;
                                bar.red.or.pred %p3, 0, !%p2;
                                selp.u32 %r3, 10, 20, %p1;
                                selp.u32 %r4, 100, 200, %p3;
                                add.u32 %r3, %r3, %r4;
                                add.u32 %r3, %r3, %r1;
                                mad.wide.u32 %d2, %t, 4, %B;
                                st.global.cs.u32 [%d2], %r3;
                                """).gives(128, i -> 121),
                pipeline());
    }

    /// One warp loads tiles by tensor map, two warps use them: full and empty barriers, two stages.
    private static Sample pipeline() {
        return Sample.of(
                        "warps with tasks of their own",
                        Launch.of(1, 96),
                        """
                        .shared .align 128 .b32 s[128];
                        .shared .align 8 .b64 full[2];
                        .shared .align 8 .b64 empty[2];
                        mov.u32 %r1, s;
                        mov.u32 %r2, full;
                        mov.u32 %r3, empty;
                        setp.ne.u32 %p1, %t, 0;
                        @%p1 bra START;
                        mbarrier.init.shared::cta.b64 [%r2], 1;
                        mbarrier.init.shared::cta.b64 [%r2+8], 1;
                        mbarrier.init.shared::cta.b64 [%r3], 2;
                        mbarrier.init.shared::cta.b64 [%r3+8], 2;
                        fence.mbarrier_init.release.cluster;
                        START:
                        bar.sync 0;
                        mov.u32 %r4, 0;              // tile
                        mov.u32 %r15, 0;             // sum
                        setp.ge.u32 %p2, %t, 32;
                        @%p2 bra USER;
                        @%p1 bra DONE;
                        LOAD:
                        and.b32 %r5, %r4, 1;         // stage
                        shr.u32 %r6, %r4, 1;
                        and.b32 %r6, %r6, 1;         // phase
                        shl.b32 %r7, %r5, 3;
                        add.u32 %r8, %r2, %r7;       // full
                        add.u32 %r9, %r3, %r7;       // empty
                        xor.b32 %r10, %r6, 1;
                        """ + waitFor("%r9", "%r10", "EMPTY") + """
                        shl.b32 %r11, %r5, 8;
                        add.u32 %r11, %r1, %r11;
                        shl.b32 %r12, %r4, 2;
                        mov.u32 %r13, 0;
                        mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r8], 256;
                        mov.u64 %d0, pm;
                        cvta.param.u64 %d0, %d0;
                        cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r11], [%d0, {%r13, %r12}], [%r8]; //1
                        add.u32 %r4, %r4, 1;
                        setp.lt.u32 %p3, %r4, 8;
                        @%p3 bra LOAD;
                        bra DONE;
                        USER:
                        and.b32 %r5, %r4, 1;
                        shr.u32 %r6, %r4, 1;
                        and.b32 %r6, %r6, 1;
                        shl.b32 %r7, %r5, 3;
                        add.u32 %r8, %r2, %r7;
                        add.u32 %r9, %r3, %r7;
                        """ + waitFor("%r8", "%r6", "FULL") + """
                        shl.b32 %r11, %r5, 8;
                        add.u32 %r11, %r1, %r11;
                        shl.b32 %r12, %t, 2;
                        add.u32 %r12, %r11, %r12;
                        ld.shared.u32 %r14, [%r12+-128]; //2
                        add.u32 %r15, %r15, %r14;
                        bar.warp.sync 0xffffffff; //s
                        and.b32 %r16, %t, 31;
                        setp.eq.u32 %p4, %r16, 0;
                        @%p4 mbarrier.arrive.shared::cta.b64 _, [%r9]; //a
                        add.u32 %r4, %r4, 1;
                        setp.lt.u32 %p3, %r4, 8;
                        @%p3 bra USER;
                        sub.u32 %r17, %t, 32;
                        mad.wide.u32 %d1, %r17, 4, %B;
                        st.global.u32 [%d1], %r15;
                        DONE:
                        """)
                .withMap(a -> TensorMap.of(a.reshape(256, 16), 4, 16))
                .gives(64, i -> 8 * i + 28 * 64)
                .breaks("users do not wait", Kind.ASYNC_EARLY, "//2", "", "asynchronously", "@!%p15 bra FULL;", "")
                .breaks(
                        "users do not say that they are done",
                        Kind.HANG,
                        "",
                        "",
                        "2 of 2 arrivals",
                        "@%p4 mbarrier.arrive.shared::cta.b64 _, [%r9];",
                        "")
                .breaks(
                        "the loader does not wait",
                        Kind.BARRIER,
                        "",
                        "warp 0 lane 0",
                        "arrive 1 times at an mbarrier that waits for 0",
                        "xor.b32 %r10, %r6, 1;",
                        "mov.u32 %r10, 1; ld.shared.b64 %d9, [full];")
                .breaks(
                        "one lane arrives before the others have read",
                        Kind.RACE,
                        "//1",
                        "block (0,0,0) warp 0 lane 0",
                        "which block (0,0,0) warp 1 read in line",
                        "bar.warp.sync 0xffffffff; //s",
                        "")
                .breaks(
                        "users arrive before they have read",
                        Kind.RACE,
                        "",
                        "warp",
                        "nothing orders the two",
                        "ld.shared.u32 %r14, [%r12+-128];",
                        "",
                        "@%p4 mbarrier.arrive.shared::cta.b64 _, [%r9]; //a",
                        "@%p4 mbarrier.arrive.shared::cta.b64 _, [%r9];\nld.shared.u32 %r14, [%r12+-128];");
    }

    @TestFactory
    Stream<DynamicTest> asynchronous() {
        return samples().stream().flatMap(Sample::tests);
    }
}
