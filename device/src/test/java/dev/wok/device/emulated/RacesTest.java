package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Kernels that are ordered as they must be, and the same with one synchronisation missing.
class RacesTest {
    private static final String SWAP = """
            .shared .b32 s[64];
            mul.wide.u32 %d0, %t, 4;
            add.u64 %d1, %A, %d0;
            ld.global.u32 %r0, [%d1];
            mov.u32 %r1, s;
            shl.b32 %r2, %t, 2;
            add.u32 %r3, %r1, %r2;
            st.shared.u32 [%r3], %r0; //1
            bar.sync 0;
            xor.b32 %r4, %r2, 252;
            add.u32 %r5, %r1, %r4;
            ld.shared.u32 %r6, [%r5]; //2
            add.u64 %d2, %B, %d0;
            st.global.u32 [%d2], %r6;
            """;

    static List<Sample> samples() {
        return List.of(
                Sample.of("swap through shared memory", Launch.of(1, 64), SWAP)
                        .gives(64, i -> 63 - i)
                        .breaks(
                                "no barrier",
                                Kind.UNINITIALIZED,
                                "//2",
                                "block (0,0,0) warp 0 lanes 0-31",
                                "read byte 252 of shared memory, which nobody has written",
                                "bar.sync 0;",
                                "")
                        .breaks(
                                "a barrier of each warp alone",
                                Kind.RACE,
                                "//1",
                                "warp 1 lane",
                                "which block (0,0,0) warp 0 read in line",
                                "st.shared.u32 [%r3], %r0;",
                                "st.shared.u32 [%r3], %r0; xor.b32 %r7, %r3, 128; st.shared.u32 [%r7], %r0;",
                                "bar.sync 0;",
                                "bar.warp.sync 0xffffffff;")
                        .breaks(
                                "written again before all have read",
                                Kind.RACE,
                                "",
                                "block (0,0,0) warp",
                                "and nothing orders the two",
                                "add.u64 %d2, %B, %d0;",
                                "st.shared.u32 [%r3], %r0;\nadd.u64 %d2, %B, %d0;"),
                Sample.of(
                                "swap within a warp",
                                Launch.of(1, 32),
                                SWAP.replace("252", "124").replace("bar.sync 0", "bar.warp.sync 0xffffffff"))
                        .gives(32, i -> 31 - i)
                        .breaks(
                                "no barrier of the warp",
                                Kind.RACE,
                                "//2",
                                "block (0,0,0) warp 0 lane 0",
                                "read byte 124 of shared memory, which lane 31 of this warp wrote in line",
                                "bar.warp.sync 0xffffffff;",
                                "")
                        .breaks(
                                "a barrier of half the warp",
                                Kind.RACE,
                                "//2",
                                "lane 0",
                                "lane 31 of this warp",
                                "bar.warp.sync 0xffffffff;",
                                """
                                setp.lt.u32 %p1, %t, 16;
                                @%p1 bra LOW;
                                bar.warp.sync 0xffff0000;
                                bra BOTH;
                                LOW:
                                bar.warp.sync 0x0000ffff;
                                BOTH:
                                """),
                Sample.of("quarters of a warp apart", Launch.of(1, 32), """
                                .shared .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                shr.u32 %r4, %t, 3;
                                shl.b32 %r5, %r4, 3;
                                shl.b32 %r6, 255, %r5;      // the members of each quarter
                                st.shared.u32 [%r3], %t;
                                bar.warp.sync %r6; //1
                                shl.b32 %r7, %r5, 2;
                                add.u32 %r8, %r1, %r7;
                                ld.shared.u32 %r9, [%r8];   // all of a quarter read its first
                                bar.warp.sync %r6;
                                and.b32 %r10, %t, 7;
                                setp.eq.u32 %p1, %r10, 0;
                                @%p1 st.shared.u32 [%r8], 7; //2
                                shfl.sync.idx.b32 %r11, %t, 3, 0x181f, %r6;
                                mad.lo.u32 %r12, %r9, 100, %r11;
                                mad.wide.u32 %d0, %t, 4, %B;
                                st.global.u32 [%d0], %r12;
                                """)
                        .gives(32, i -> i / 8 * 8 * 100 + i / 8 * 8 + 3)
                        .breaks(
                                "not all of a quarter",
                                Kind.DIVERGED,
                                "//1",
                                "lane",
                                "execute what only the members 0x000000fe may",
                                "shl.b32 %r6, 255, %r5;",
                                "shl.b32 %r6, 254, %r5;")
                        .breaks(
                                "no barrier before the write",
                                Kind.RACE,
                                "//2",
                                "warp 0 lane 0",
                                "write byte 0 of shared memory, which other lanes of this warp read",
                                "ld.shared.u32 %r9, [%r8];   // all of a quarter read its first\nbar.warp.sync %r6;",
                                "ld.shared.u32 %r9, [%r8];"),
                Sample.of("lanes meet from different places", Launch.of(1, 32), """
                                .shared .b32 s[32];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                setp.lt.u32 %p1, %t, 5;
                                @%p1 bra FEW;
                                st.shared.u32 [%r3], 1;
                                bar.warp.sync 0xffffffff; //1
                                bra JOIN;
                                FEW:
                                st.shared.u32 [%r3], 2;
                                bar.warp.sync 0xffffffff;
                                JOIN:
                                xor.b32 %r4, %r3, 16;
                                ld.shared.u32 %r5, [%r4];
                                mad.wide.u32 %d0, %t, 4, %B;
                                st.global.u32 [%d0], %r5;
                                """)
                        .gives(32, i -> (i ^ 4) < 5 ? 2 : 1)
                        .breaks(
                                "some wait for the block instead",
                                Kind.BARRIER,
                                "//1",
                                "block (0,0,0) warp 0 lanes 5-31",
                                "a barrier is not reached by all that it waits for",
                                "st.shared.u32 [%r3], 2;\nbar.warp.sync 0xffffffff;",
                                "st.shared.u32 [%r3], 2;\nbarrier.sync 0;"),
                Sample.of("flag between blocks", Launch.of(2, 32), """
                                setp.ne.u32 %p1, %cta, 0;
                                @%p1 bra READER;
                                mad.wide.u32 %d0, %t, 4, %C;
                                add.u32 %r1, %t, 100;
                                st.global.u32 [%d0+4], %r1; //1
                                bar.sync 0;
                                setp.ne.u32 %p2, %t, 0;
                                @%p2 bra DONE;
                                st.release.gpu.global.u32 [%C], 1; //4
                                bra DONE;
                                READER:
                                setp.ne.u32 %p2, %t, 0;
                                @%p2 bra WAITED;
                                AGAIN:
                                ld.acquire.gpu.global.u32 %r2, [%C]; //3
                                setp.eq.u32 %p3, %r2, 0;
                                @%p3 bra AGAIN;
                                WAITED:
                                bar.sync 0;
                                mad.wide.u32 %d0, %t, 4, %C;
                                ld.global.u32 %r3, [%d0+4]; //2
                                mad.wide.u32 %d1, %t, 4, %B;
                                st.global.u32 [%d1], %r3;
                                DONE:
                                """)
                        .gives(32, i -> 100 + i)
                        .breaks(
                                "told by one lane before it knows what the others wrote",
                                Kind.RACE,
                                "//2",
                                "block (1,0,0) warp 0 lane 1",
                                "read byte 8 of I32[4096], which another block wrote in line",
                                "bar.sync 0;\nsetp.ne.u32 %p2, %t, 0;\n@%p2 bra DONE;",
                                "setp.ne.u32 %p2, %t, 0;\n@%p2 bra DONE;")
                        .breaks(
                                "heard by one lane that the others do not meet",
                                Kind.RACE,
                                "//2",
                                "block (1,0,0) warp 0 lane 1",
                                "read byte 8 of I32[4096], which another block wrote in line",
                                "WAITED:\nbar.sync 0;",
                                "WAITED:")
                        .breaks(
                                "relaxed flag",
                                Kind.RACE,
                                "//2",
                                "block (1,0,0) warp 0 lane 0",
                                "read byte 4 of I32[4096], which another block wrote in line",
                                "st.release.gpu",
                                "st.relaxed.gpu")
                        .breaks(
                                "relaxed reader",
                                Kind.RACE,
                                "//2",
                                "block (1,0,0) warp 0 lane 0",
                                "another block",
                                "ld.acquire.gpu",
                                "ld.relaxed.gpu")
                        .breaks(
                                "a release to its block alone",
                                Kind.RACE,
                                "//3",
                                "block (1,0,0) warp 0 lane 0",
                                "another block",
                                "st.release.gpu",
                                "st.release.cta")
                        .breaks(
                                "a plain read of the flag",
                                Kind.RACE,
                                "//3",
                                "block (1,0,0)",
                                "another block",
                                "ld.acquire.gpu.global",
                                "ld.global")
                        .breaks(
                                "the flag before the data",
                                Kind.RACE,
                                "//2",
                                "block (1,0,0)",
                                "another block",
                                "st.release.gpu.global.u32 [%C], 1;",
                                "",
                                "add.u32 %r1, %t, 100;",
                                "add.u32 %r1, %t, 100; setp.eq.u32 %p5, %t, 0; @%p5 st.release.gpu.global.u32 [%C], 1;"),
                Sample.of("flag with fences", Launch.of(2, 32), """
                                setp.ne.u32 %p2, %t, 0;
                                @%p2 bra DONE;
                                setp.ne.u32 %p1, %cta, 0;
                                @%p1 bra AGAIN;
                                st.global.u32 [%C+4], 5;
                                fence.acq_rel.gpu; //f1
                                st.volatile.global.u32 [%C], 1;
                                bra DONE;
                                AGAIN:
                                ld.volatile.global.u32 %r2, [%C];
                                setp.eq.u32 %p3, %r2, 0;
                                @%p3 bra AGAIN;
                                membar.gl; //f2
                                ld.global.u32 %r3, [%C+4]; //1
                                st.global.u32 [%B], %r3;
                                DONE:
                                """)
                        .gives(1, i -> 5)
                        .breaks(
                                "writer's fence",
                                Kind.RACE,
                                "//1",
                                "block (1,0,0) warp 0 lane 0",
                                "",
                                "fence.acq_rel.gpu;",
                                "")
                        .breaks("reader's fence", Kind.RACE, "//1", "block (1,0,0) warp 0 lane 0", "", "membar.gl;", "")
                        .breaks(
                                "a narrow fence",
                                Kind.RACE,
                                "//1",
                                "block (1,0,0)",
                                "",
                                "fence.acq_rel.gpu;",
                                "fence.acq_rel.cta;")
                        .breaks("a narrow fence of the reader", Kind.RACE, "//1", "", "", "membar.gl;", "membar.cta;"),
                Sample.of("the last block sums up", Launch.of(8, 32), """
                                .shared .b32 s;
                                mad.wide.u32 %d0, %cta, 4, %C;
                                setp.ne.u32 %p1, %t, 0;
                                @%p1 bra ARRIVED;
                                add.u32 %r1, %cta, 1;
                                st.global.u32 [%d0+4], %r1;
                                membar.gl;
                                atom.global.add.u32 %r2, [%C], 1;
                                membar.gl; //f
                                st.shared.u32 [s], %r2;
                                ARRIVED:
                                bar.sync 0;
                                ld.shared.u32 %r3, [s];
                                setp.ne.u32 %p2, %r3, 7;
                                @%p2 bra DONE;
                                setp.gt.u32 %p3, %t, 7;
                                mov.u32 %r4, 0;
                                mad.wide.u32 %d1, %t, 4, %C;
                                @!%p3 ld.global.u32 %r4, [%d1+4]; //1
                                redux.sync.add.u32 %r5, %r4, 0xffffffff;
                                setp.ne.u32 %p4, %t, 0;
                                @!%p4 st.global.u32 [%B], %r5;
                                DONE:
                                """)
                        .gives(1, i -> 36)
                        .breaks(
                                "writer's fence",
                                Kind.RACE,
                                "//1",
                                "block (7,0,0) warp 0 lane 0",
                                "another block",
                                "membar.gl;\natom",
                                "atom")
                        .breaks(
                                "reader's fence",
                                Kind.RACE,
                                "//1",
                                "block (7,0,0) warp 0 lane 0",
                                "",
                                "membar.gl; //f",
                                "")
                        .breaks(
                                "no barrier before what thread 0 found",
                                Kind.RACE,
                                "",
                                "warp 0 lane",
                                "lane 0 of this warp",
                                "bar.sync 0;",
                                ""),
                Sample.of("a lock", Launch.of(4, 64), """
                                AGAIN:
                                atom.acquire.gpu.global.cas.b32 %r1, [%C], 0, 1;
                                setp.ne.u32 %p1, %r1, 0;
                                @%p1 bra AGAIN;
                                ld.global.u32 %r2, [%B]; //1
                                add.u32 %r3, %r2, 1;
                                st.global.u32 [%B], %r3;
                                atom.release.gpu.global.exch.b32 %r4, [%C], 0;
                                """)
                        .gives(1, i -> 256)
                        .breaks(
                                "no acquire",
                                Kind.RACE,
                                "//1",
                                "warp 0 lane 1",
                                "lane 0 of this warp",
                                ".acquire",
                                ".relaxed")
                        .breaks(
                                "no release",
                                Kind.RACE,
                                "//1",
                                "warp 0 lane 1",
                                "lane 0 of this warp",
                                ".release",
                                ".relaxed"),
                Sample.of("all blocks meet", Launch.of(8, 64), """
                                mad.lo.u32 %r0, %cta, 64, %t;
                                mad.wide.u32 %d0, %r0, 4, %C;
                                add.u32 %r1, %r0, 3;
                                st.global.u32 [%d0+64], %r1;
                                bar.sync 0;
                                setp.ne.u32 %p1, %t, 0;
                                @%p1 bra MET;
                                fence.acq_rel.gpu; //f1
                                atom.relaxed.gpu.global.add.u32 %r2, [%C], 1;
                                AGAIN:
                                ld.relaxed.gpu.global.u32 %r3, [%C];
                                setp.lt.u32 %p2, %r3, 8;
                                @%p2 bra AGAIN;
                                fence.acq_rel.gpu; //f2
                                MET:
                                bar.sync 0; //b
                                sub.u32 %r4, 511, %r0;
                                mad.wide.u32 %d1, %r4, 4, %C;
                                ld.global.u32 %r5, [%d1+64]; //1
                                mad.wide.u32 %d2, %r0, 4, %B;
                                st.global.u32 [%d2], %r5;
                                """)
                        .gives(512, i -> 511 - i + 3)
                        .breaks("first fence", Kind.RACE, "//1", "", "another block", "fence.acq_rel.gpu; //f1", "")
                        .breaks("second fence", Kind.RACE, "//1", "", "another block", "fence.acq_rel.gpu; //f2", "")
                        .breaks(
                                "one block too many waited for",
                                Kind.HANG,
                                "",
                                "block (0,0,0) warp 0 lane 0",
                                "somebody waits for ever",
                                "%r3, 8;",
                                "%r3, 9;"),
                Sample.of("all blocks meet, asking with atomics", Launch.of(40, 32), """
                                setp.ne.u32 %p1, %t, 0;
                                @%p1 bra MET;
                                red.release.gpu.global.add.u32 [%C], 1;
                                AGAIN:
                                atom.acquire.gpu.global.or.b32 %r3, [%C], 0;
                                setp.lt.u32 %p2, %r3, 30;
                                @%p2 bra AGAIN;
                                MET:
                                """)
                        .breaks(
                                "nobody comes",
                                Kind.HANG,
                                "",
                                "lane 0",
                                "instructions ran without any effect",
                                "%r3, 30;",
                                "%r3, 41;"),
                Sample.of("the read-only cache", Launch.of(1, 32), """
                                mad.wide.u32 %d0, %t, 4, %A;
                                ld.global.nc.u32 %r0, [%d0]; //1
                                mad.wide.u32 %d1, %t, 4, %B;
                                st.global.u32 [%d1], %r0; //2
                                """)
                        .gives(32, i -> i)
                        .breaks(
                                "written behind",
                                Kind.INVALID,
                                "//2",
                                "lane 0",
                                "though .nc is for what nobody writes",
                                "%t, 4, %B",
                                "%t, 4, %A")
                        .breaks(
                                "written before",
                                Kind.INVALID,
                                "//1",
                                "lane 0",
                                "line 16 wrote in the same launch",
                                "ld.global.nc",
                                "st.global.u32 [%d0], 3;\nld.global.nc"),
                Sample.of("histogram", Launch.of(4, 64), """
                                .shared .b32 s[16];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                setp.ge.u32 %p1, %t, 16;
                                @!%p1 st.shared.u32 [%r3], 0;
                                bar.sync 0; //b1
                                and.b32 %r4, %t, 15;
                                shl.b32 %r5, %r4, 2;
                                add.u32 %r6, %r1, %r5;
                                atom.shared.add.u32 %r7, [%r6], 1; //1
                                bar.sync 0; //b2
                                @%p1 bra DONE;
                                ld.shared.u32 %r8, [%r3]; //2
                                mad.wide.u32 %d0, %t, 4, %B;
                                red.global.add.u32 [%d0], %r8;
                                DONE:
                                """)
                        .gives(16, i -> 16)
                        .breaks("before the zeros", Kind.RACE, "//1", "lane", "wrote in line", "bar.sync 0; //b1", "")
                        .breaks(
                                "before all counted",
                                Kind.RACE,
                                "",
                                "warp",
                                "and nothing orders the two",
                                "bar.sync 0; //b2",
                                "")
                        .breaks(
                                "counted without atomics",
                                Kind.RACE,
                                "",
                                "warp",
                                "and nothing orders the two",
                                "atom.shared.add.u32 %r7, [%r6], 1;",
                                "ld.shared.u32 %r7, [%r6]; add.u32 %r7, %r7, 1; st.shared.u32 [%r6], %r7;"),
                Sample.of("two warps in turn at named barriers", Launch.of(1, 64), """
                                .shared .b32 s[32];
                                mov.u32 %r1, s;
                                and.b32 %r0, %t, 31;
                                shl.b32 %r2, %r0, 2;
                                add.u32 %r3, %r1, %r2;
                                mov.u32 %r4, 0;
                                mov.u32 %r5, 0;
                                setp.lt.u32 %p1, %t, 32;
                                @!%p1 bra READER;
                                WRITE:
                                bar.sync 1, 64; //w
                                st.shared.u32 [%r3], %r4; //1
                                bar.arrive 2, 64;
                                add.u32 %r4, %r4, 1;
                                setp.lt.u32 %p2, %r4, 10;
                                @%p2 bra WRITE;
                                bra DONE;
                                READER:
                                bar.arrive 1, 64; //3
                                READ:
                                bar.sync 2, 64; //2
                                xor.b32 %r6, %r3, 64;
                                ld.shared.u32 %r7, [%r6]; //4
                                add.u32 %r5, %r5, %r7;
                                add.u32 %r4, %r4, 1;
                                setp.ge.u32 %p2, %r4, 10;
                                @!%p2 bar.arrive 1, 64; //5
                                @!%p2 bra READ;
                                mad.wide.u32 %d0, %r0, 4, %B;
                                st.global.u32 [%d0], %r5;
                                DONE:
                                """)
                        .gives(32, i -> 45)
                        .breaks(
                                "the writer does not wait",
                                Kind.BARRIER,
                                "",
                                "warp",
                                "come to barrier 2 again, before others have come there",
                                "bar.sync 1, 64; //w",
                                "",
                                "bar.arrive 1, 64; //3",
                                "",
                                "@!%p2 bar.arrive 1, 64; //5",
                                "")
                        .breaks(
                                "the wrong barrier",
                                Kind.BARRIER,
                                "",
                                "",
                                "a barrier is not reached by all that it waits for",
                                "bar.arrive 2, 64;",
                                "bar.arrive 3, 64;")
                        .breaks(
                                "other counts",
                                Kind.BARRIER,
                                "",
                                "warp",
                                "expect 32 threads at barrier 1, where others expect 64",
                                "bar.arrive 1, 64; //3",
                                "bar.arrive 1, 32;"));
    }

    @TestFactory
    Stream<DynamicTest> races() {
        return samples().stream().flatMap(Sample::tests);
    }
}
