package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Everything else that a kernel can do wrong while it runs.
class FaultsTest {
    private static final String STORE = """
            mad.wide.u32 %d1, %t, 4, %B;
            st.global.u32 [%d1], %r9;
            """;

    static List<Sample> samples() {
        return List.of(
                Sample.of(
                                "each space of memory",
                                Launch.of(2, 32),
                                ".const .align 4 .b32 table[2] = {5, 6};\n.global .align 4 .b32 counter;\n",
                                """
                                .shared .align 4 .b32 s[32];
                                .shared .align 8 .b64 m;
                                .local .align 4 .b32 l[4];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 2;
                                add.u32 %r3, %r1, %r2;
                                st.shared.u32 [%r3], 1; //s
                                mov.u64 %d0, l;
                                and.b32 %r4, %r2, 12;
                                cvt.u64.u32 %d2, %r4;
                                add.u64 %d3, %d0, %d2;
                                st.local.u32 [%d3], 2; //l
                                ld.const.u32 %r5, [table+4]; //c
                                mad.wide.u32 %d4, %t, 4, %A;
                                ld.global.u32 %r6, [%d4]; //g
                                ld.shared.u32 %r7, [%r3];
                                ld.local.u32 %r8, [%d3]; //m
                                add.u32 %r9, %r5, %r6;
                                add.u32 %r9, %r9, %r7;
                                add.u32 %r9, %r9, %r8;
                                setp.eq.u32 %p1, %cta, 1;
                                @%p1 bra DONE;
                                """ + STORE + "DONE:\n")
                        .gives(32, i -> i + 9)
                        .breaks(
                                "behind global memory",
                                Kind.OUT_OF_BOUNDS,
                                "//g",
                                "block (0,0,0) warp 0 lanes 24-31",
                                "touch 4 bytes at",
                                "mad.wide.u32 %d4, %t, 4, %A;",
                                "mad.wide.u32 %d4, %t, 4, %A; add.u64 %d4, %d4, 16288;")
                        .breaks(
                                "before global memory",
                                Kind.OUT_OF_BOUNDS,
                                "//g",
                                "block (0,0,0) warp 0 lane 0",
                                "touch 4 bytes at",
                                "ld.global.u32 %r6, [%d4];",
                                "ld.global.u32 %r6, [%d4+-4];")
                        .breaks(
                                "address 0",
                                Kind.OUT_OF_BOUNDS,
                                "//g",
                                "lanes 0-31",
                                "touch 4 bytes at 0x0",
                                "mad.wide.u32 %d4, %t, 4, %A;",
                                "mov.u64 %d4, 0;")
                        .breaks(
                                "behind shared memory",
                                Kind.OUT_OF_BOUNDS,
                                "//s",
                                "lanes 24-31",
                                "shared memory has 136 bytes, and byte",
                                "st.shared.u32 [%r3], 1;",
                                "st.shared.u32 [%r3+40], 1;")
                        .breaks(
                                "behind local memory",
                                Kind.OUT_OF_BOUNDS,
                                "//l",
                                "lanes 3, 7, 11, 15, 19, 23, 27, 31",
                                "a thread has 16 bytes of local memory",
                                "st.local.u32 [%d3], 2;",
                                "st.local.u32 [%d3+4], 2;")
                        .breaks(
                                "behind a constant",
                                Kind.OUT_OF_BOUNDS,
                                "//c",
                                "lanes 0-31",
                                "table (8 bytes)",
                                "[table+4]",
                                "[table+8]")
                        .breaks(
                                "no window of memory",
                                Kind.OUT_OF_BOUNDS,
                                "//g",
                                "lanes 0-31",
                                "no memory has such addresses",
                                "ld.global.u32 %r6, [%d4];",
                                "or.b64 %d4, %d4, 0x7f00000000000000; ld.u32 %r6, [%d4];")
                        .breaks(
                                "a misaligned number",
                                Kind.MISALIGNED,
                                "//g",
                                "lanes 0-31",
                                "no multiple of 4",
                                "ld.global.u32 %r6, [%d4];",
                                "ld.global.u32 %r6, [%d4+2];")
                        .breaks(
                                "a misaligned vector",
                                Kind.MISALIGNED,
                                "//g",
                                "lanes 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31",
                                "no multiple of 8",
                                "ld.global.u32 %r6, [%d4];",
                                "ld.global.v2.u32 {%r6, %r10}, [%d4];")
                        .breaks(
                                "unwritten local memory",
                                Kind.UNINITIALIZED,
                                "//m",
                                "lanes 0-31",
                                "read byte 0 of local memory, which nobody has written",
                                "st.local.u32 [%d3], 2; //l",
                                "")
                        .breaks(
                                "unwritten half",
                                Kind.UNINITIALIZED,
                                "//m",
                                "lanes 0-31",
                                "nobody has written",
                                "st.local.u32 [%d3], 2; //l",
                                "st.local.u16 [%d3], 2;")
                        .breaks(
                                "a constant written",
                                Kind.INVALID,
                                "//c",
                                "lane 0",
                                "write to table, which is constant",
                                "ld.const.u32 %r5, [table+4];",
                                "mov.u64 %d9, table; cvta.const.u64 %d9, %d9; st.u32 [%d9], 1;")
                        .breaks(
                                "a trap",
                                Kind.INVALID,
                                "//g",
                                "block (0,0,0) warp 0 lanes 0-31",
                                "reach a trap",
                                "ld.global.u32 %r6, [%d4];",
                                "trap;")
                        .breaks(
                                "a trap of some",
                                Kind.INVALID,
                                "//g",
                                "block (0,0,0) warp 0 lanes 3-31",
                                "reach a trap",
                                "ld.global.u32 %r6, [%d4];",
                                "setp.gt.u32 %p5, %t, 2; @%p5 trap;")
                        .breaks(
                                "atomics on nothing",
                                Kind.OUT_OF_BOUNDS,
                                "//g",
                                "lane 0",
                                "",
                                "ld.global.u32 %r6, [%d4];",
                                "atom.global.add.u32 %r6, [%d4+-4], 1;")
                        .breaks(
                                "atomics on unwritten memory",
                                Kind.UNINITIALIZED,
                                "//s",
                                "lanes 0-31",
                                "change byte 0 of shared memory, which nobody has written",
                                "st.shared.u32 [%r3], 1;",
                                "atom.shared.add.u32 %r9, [%r3], 1;")
                        .breaks(
                                "shared memory is no mbarrier",
                                Kind.UNINITIALIZED,
                                "//g",
                                "lanes 0-31",
                                "as an mbarrier, which nobody has initialised",
                                "ld.global.u32 %r6, [%d4];",
                                "mbarrier.arrive.shared::cta.b64 %d9, [s];")
                        .breaks(
                                "an mbarrier in global memory",
                                Kind.INVALID,
                                "//g",
                                "lane 0",
                                "name memory that is not shared where shared memory is needed",
                                "ld.global.u32 %r6, [%d4];",
                                "mbarrier.init.b64 [%A], 1;")
                        .breaks(
                                "an mbarrier for nobody",
                                Kind.INVALID,
                                "//g",
                                "lane 0",
                                "initialise an mbarrier for 0 arrivals",
                                "ld.global.u32 %r6, [%d4];",
                                "mbarrier.init.shared.b64 [m], 0;")
                        .breaks(
                                "an mbarrier twice",
                                Kind.INVALID,
                                "//g",
                                "lane 1",
                                "initialise an mbarrier that is one already",
                                "ld.global.u32 %r6, [%d4];",
                                "mbarrier.init.shared.b64 [m], 1;")
                        .breaks(
                                "a parity of 2",
                                Kind.INVALID,
                                "//g",
                                "lane 5",
                                "wait for a phase of parity 2",
                                "ld.global.u32 %r6, [%d4];",
                                "setp.eq.u32 %p9, %t, 5; @%p9 mbarrier.init.shared.b64 [m], 1; mov.u32 %r39, 2; @%p9 mbarrier.test_wait.parity.shared.b64 %p10, [m], %r39;")
                        .breaks(
                                "too many bytes",
                                Kind.INVALID,
                                "//g",
                                "lane 5",
                                "expect more bytes at an mbarrier than it can count",
                                "ld.global.u32 %r6, [%d4];",
                                "setp.eq.u32 %p9, %t, 5; @%p9 mbarrier.init.shared.b64 [m], 1; @%p9 mbarrier.expect_tx.relaxed.cta.shared.b64 [m], 1048576;")
                        .breaks(
                                "a phase ended by .noComplete",
                                Kind.INVALID,
                                "//g",
                                "lane 5",
                                "complete a phase with .noComplete",
                                "ld.global.u32 %r6, [%d4];",
                                "setp.eq.u32 %p9, %t, 5; @%p9 mbarrier.init.shared.b64 [m], 1; @%p9 mbarrier.arrive.noComplete.shared.b64 %d9, [m], 1;")
                        .breaks(
                                "a copy from where nothing is",
                                Kind.MISALIGNED,
                                "//g",
                                "lanes 0-31",
                                "copy from address",
                                "ld.global.u32 %r6, [%d4];",
                                "cp.async.ca.shared.global [%r3], [%d4+2], 4;")
                        .breaks(
                                "a copy of more than it copies",
                                Kind.INVALID,
                                "//g",
                                "lane 0",
                                "read 5 bytes to copy 4",
                                "ld.global.u32 %r6, [%d4];",
                                "mov.u32 %r39, 5; cp.async.ca.shared.global [%r3], [%d4], 4, %r39;")
                        .breaks(
                                "a tensor map that is none",
                                Kind.INVALID,
                                "//g",
                                "lane 5",
                                "name a tensor map where there is none",
                                "ld.global.u32 %r6, [%d4];",
                                "setp.eq.u32 %p9, %t, 5; and.b32 %r11, %r1, 0x7fffff80; @%p9 mbarrier.init.shared.b64 [m], 1; and.b64 %d9, %A, -64; add.u64 %d9, %d9, 64; @%p9 cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [%r11], [%d9, {%r2}], [m];"),
                Sample.of("barriers", Launch.of(1, 96), """
                                mov.u32 %r9, %t;
                                setp.lt.u32 %p1, %t, 40;
                                setp.lt.u32 %p2, %t, 32;
                                bar.sync 0; //1
                                mov.u32 %r5, 3;
                                barrier.sync %r5, 96; //2
                                bar.red.popc.u32 %r9, 1, %p1; //3
                                """ + STORE)
                        .gives(96, i -> 40)
                        .breaks(
                                "some never come",
                                Kind.BARRIER,
                                "//2",
                                "block (0,0,0) warp 0 lanes 0-31",
                                "a barrier is not reached by all that it waits for",
                                "bar.sync 0; //1",
                                "@!%p2 bar.sync 0; //1")
                        .breaks(
                                "a part of a warp does not come",
                                Kind.DIVERGED,
                                "//1",
                                "block (0,0,0) warp 1 lanes 8-31",
                                "pass by while others of their warp execute it, which needs them all",
                                "bar.sync 0; //1",
                                "@%p1 bar.sync 0; //1")
                        .breaks(
                                "a part of a warp went elsewhere",
                                Kind.DIVERGED,
                                "//1",
                                "block (0,0,0) warp 1",
                                "a barrier is not reached by all",
                                "bar.sync 0; //1",
                                "@!%p1 bra ELSE; bar.sync 0; //1\nELSE:\nbar.sync 0;")
                        .breaks(
                                "some have exited",
                                Kind.BARRIER,
                                "//1",
                                "block (0,0,0) warp 1 lanes 8-31",
                                "warp 0 has exited",
                                "bar.sync 0; //1",
                                "@%p1 exit; bar.sync 0; //1")
                        .breaks(
                                "no such barrier",
                                Kind.INVALID,
                                "//2",
                                "lanes 0-31",
                                "name barrier 16; there are 0 to 15",
                                "mov.u32 %r5, 3;",
                                "mov.u32 %r5, 16;")
                        .breaks(
                                "a count that is no multiple of 32",
                                Kind.INVALID,
                                "//2",
                                "lanes 0-31",
                                "expect 40 threads at a barrier; a multiple of 32 is possible, up to the block's 96",
                                "barrier.sync %r5, 96;",
                                "mov.u32 %r39, 40; barrier.sync %r5, %r39;")
                        .breaks(
                                "more than there are",
                                Kind.INVALID,
                                "//2",
                                "lanes 0-31",
                                "expect 128 threads",
                                "%r5, 96",
                                "%r5, 128")
                        .breaks(
                                "a count of 0",
                                Kind.INVALID,
                                "//2",
                                "lanes 0-31",
                                "expect 0 threads at a barrier",
                                "barrier.sync %r5, 96;",
                                "mov.u32 %r6, 0; barrier.sync %r5, %r6;")
                        .breaks(
                                "other counts",
                                Kind.BARRIER,
                                "//2",
                                "warp",
                                "threads at barrier 3, where others expect",
                                "barrier.sync %r5, 96;",
                                "selp.b32 %r6, 96, 64, %p2; barrier.sync %r5, %r6;")
                        .breaks(
                                "comes twice",
                                Kind.BARRIER,
                                "//2",
                                "lanes 0-31",
                                "come to barrier 3 again, before others have come there",
                                "barrier.sync %r5, 96;",
                                "barrier.arrive %r5, 96; barrier.sync %r5, 96;"),
                Sample.of("what warps do together", Launch.of(1, 32), """
                                setp.lt.u32 %p1, %t, 5;
                                add.u32 %r1, %t, 7;
                                shfl.sync.bfly.b32 %r9, %r1, 1, 31, -1; //1
                                vote.sync.any.pred %p2, %p1, 0xffffffff; //2
                                """ + STORE)
                        .gives(32, i -> (i ^ 1) + 7)
                        .breaks(
                                "some pass by",
                                Kind.DIVERGED,
                                "//1",
                                "lanes 5-31",
                                "pass by while others of their warp execute it",
                                "shfl.sync.bfly",
                                "@%p1 shfl.sync.bfly")
                        .breaks(
                                "one is no member",
                                Kind.DIVERGED,
                                "//2",
                                "lane 31",
                                "execute what only the members 0x7fffffff may",
                                "0xffffffff; //2",
                                "0x7fffffff; //2")
                        .breaks(
                                "takes from who takes no part",
                                Kind.INVALID,
                                "//1",
                                "lane 4",
                                "take what lane 5 has, which takes no part",
                                "shfl.sync.bfly.b32 %r9, %r1, 1, 31, -1;",
                                "@%p1 shfl.sync.bfly.b32 %r9, %r1, 1, 31, 31;")
                        .breaks(
                                "never comes back",
                                Kind.HANG,
                                "",
                                "block (0,0,0) warp 0 lanes 5-31",
                                "somebody waits for ever",
                                "add.u32 %r1, %t, 7;",
                                "add.u32 %r1, %t, 7; LOOP: nanosleep.u32 1; @!%p1 bra LOOP;")
                        .breaks(
                                "some have gone elsewhere",
                                Kind.DIVERGED,
                                "//1",
                                "block (0,0,0) warp 0",
                                "a barrier is not reached by all",
                                "shfl.sync.bfly",
                                "@%p1 bra ELSE; shfl.sync.bfly",
                                "vote.sync",
                                "ELSE: vote.sync"),
                Sample.of("what needs whole warps", Launch.of(1, 48), """
                                .shared .align 128 .b8 s[1024];
                                mov.u32 %r1, s;
                                shl.b32 %r2, %t, 4;
                                add.u32 %r3, %r1, %r2;
                                and.b32 %r4, %t, 3;
                                setp.lt.u32 %p1, %t, 32;
                                st.shared.v4.u32 [%r3], {%t, %t, %t, %t}; //1
                                bar.sync 0;
                                TARGETS: .branchtargets ZERO, ONE, TWO, THREE;
                                brx.idx %r4, TARGETS; //b
                                ZERO:
                                mov.u32 %r9, 100;
                                bra OVER;
                                ONE:
                                mov.u32 %r9, 101;
                                bra OVER;
                                TWO:
                                mov.u32 %r9, 102;
                                bra OVER;
                                THREE:
                                mov.u32 %r9, 103;
                                OVER:
                                nanosleep.u32 1; //2
                                """ + STORE)
                        .gives(48, i -> 100 + i % 4)
                        .breaks(
                                "a branch to nowhere",
                                Kind.INVALID,
                                "//b",
                                "lanes 3, 7, 11, 15",
                                "branch to target 3 of 3",
                                ", THREE;",
                                ";")
                        .breaks(
                                "rows that nobody gives",
                                Kind.DIVERGED,
                                "//2",
                                "block (0,0,0) warp 1 lanes 0-15",
                                "load a row whose address lane 16 should give",
                                "nanosleep.u32 1;",
                                "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5, %r6, %r7, %r8}, [%r3];")
                        .breaks(
                                "wgmma by a warp alone",
                                Kind.DIVERGED,
                                "//2",
                                "lanes 0-",
                                "start wgmma, which four whole warps must do together",
                                "nanosleep.u32 1;",
                                "wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %d1, %d2, 1, 1, 1, 0, 0;")
                        .breaks(
                                "more threads than a barrier expects",
                                Kind.BARRIER,
                                "//2",
                                "warp",
                                "come to barrier 1, where 32 were expected and more came",
                                "nanosleep.u32 1;",
                                "and.b32 %r5, %t, 31; setp.lt.u32 %p2, %r5, 4; @!%p2 barrier.sync 1, 32;"));
    }

    @TestFactory
    Stream<DynamicTest> faults() {
        return samples().stream().flatMap(Sample::tests);
    }
}
