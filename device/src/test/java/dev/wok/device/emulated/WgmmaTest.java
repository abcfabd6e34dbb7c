package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// `wgmma` that is waited for and fenced as it must be, and not. The operands are ones, so that each product is 16.
class WgmmaTest {
    private static final String MULTIPLY =
            "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %d1, %d2, ";

    private static final String FILL = """
            .shared .align 128 .b8 s[4608];
            mov.u32 %r1, s;
            mov.u32 %r2, %t;
            shl.b32 %r3, %t, 2;
            add.u32 %r3, %r3, %r1;
            FILL:
            st.shared.u32 [%r3], 0x3f803f80; //s
            add.u32 %r3, %r3, 512;
            add.u32 %r2, %r2, 128;
            setp.lt.u32 %p1, %r2, 1152;
            @%p1 bra FILL;
            shr.u32 %r4, %r1, 4;
            cvt.u64.u32 %d1, %r4;
            or.b64 %d1, %d1, 0x0000001000080000;
            setp.eq.u32 %p6, %t, 0;
            add.u64 %d2, %d1, 128;
            """;

    private static final String STORE = """
            add.f32 %f0, %f0, %f1; //r
            add.f32 %f0, %f0, %f2;
            add.f32 %f0, %f0, %f3;
            cvt.rni.u32.f32 %r9, %f0;
            mad.wide.u32 %d3, %t, 4, %B;
            st.global.u32 [%d3], %r9;
            """;

    static List<Sample> samples() {
        Launch launch = Launch.of(1, 128);
        return List.of(
                Sample.of(
                                "two products",
                                launch,
                                FILL + """
                                fence.proxy.async.shared::cta; //p
                                bar.sync 0; //b
                                wgmma.fence.sync.aligned; //f
                                """ + MULTIPLY + "0, 1, 1, 0, 0; //1\n" + MULTIPLY + """
                                1, 1, 1, 0, 0; //2
                                wgmma.commit_group.sync.aligned; //c
                                wgmma.wait_group.sync.aligned 0; //w
                                bar.sync 0; //e
                                @%p6 st.shared.u32 [%r1+2048], 0; //o
                                """ + STORE)
                        .gives(128, i -> 128)
                        .breaks(
                                "no wait",
                                Kind.WGMMA_IN_FLIGHT,
                                "//r",
                                "lanes 0-31",
                                "touch a register of a wgmma that nobody has waited for",
                                "wgmma.wait_group.sync.aligned 0; //w\nbar.sync 0; //e\n@%p6 st.shared.u32 [%r1+2048], 0; //o",
                                "")
                        .breaks(
                                "no group",
                                Kind.WGMMA_IN_FLIGHT,
                                "//r",
                                "warp",
                                "touch a register of a wgmma",
                                "wgmma.commit_group.sync.aligned;",
                                "",
                                "bar.sync 0; //e\n@%p6 st.shared.u32 [%r1+2048], 0; //o",
                                "")
                        .breaks(
                                "waits for all but one",
                                Kind.WGMMA_IN_FLIGHT,
                                "//r",
                                "warp",
                                "touch a register of a wgmma",
                                "wgmma.wait_group.sync.aligned 0;",
                                "wgmma.wait_group.sync.aligned 1;",
                                "bar.sync 0; //e\n@%p6 st.shared.u32 [%r1+2048], 0; //o",
                                "")
                        .breaks(
                                "no fence before the first",
                                Kind.WGMMA_IN_FLIGHT,
                                "//1",
                                "lanes 0-31",
                                "start wgmma on registers that were used since the last wgmma.fence",
                                "wgmma.fence.sync.aligned;",
                                "")
                        .breaks(
                                "a register written behind the fence",
                                Kind.WGMMA_IN_FLIGHT,
                                "//1",
                                "warp",
                                "used since the last wgmma.fence",
                                "wgmma.fence.sync.aligned; //f",
                                "wgmma.fence.sync.aligned;\nmov.f32 %f2, 0f00000000;")
                        .breaks(
                                "a register written in between",
                                Kind.WGMMA_IN_FLIGHT,
                                "//x",
                                "warp",
                                "nobody has waited for",
                                "0, 1, 1, 0, 0; //1",
                                "0, 1, 1, 0, 0;\nmov.f32 %f2, 0f00000000; //x")
                        .breaks(
                                "another shape on the same registers",
                                Kind.WGMMA_IN_FLIGHT,
                                "//2",
                                "warp",
                                "nobody has waited for",
                                MULTIPLY + "1, 1, 1, 0, 0; //2",
                                "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, %d1, %d2, 1, 1, 1, 0, 0; //2")
                        .breaks(
                                "no fence of the proxy",
                                Kind.PROXY,
                                "//1",
                                "lanes 0-31",
                                "asynchronously, which line",
                                "fence.proxy.async.shared::cta;",
                                "")
                        .breaks(
                                "no barrier before",
                                Kind.UNINITIALIZED,
                                "//1",
                                "warp",
                                "multiply byte",
                                "bar.sync 0; //b",
                                "")
                        .breaks(
                                "operands overwritten on the way",
                                Kind.ASYNC_EARLY,
                                "//o",
                                "lane 0",
                                "reads asynchronously",
                                "wgmma.wait_group.sync.aligned 0; //w\nbar.sync 0; //e",
                                "",
                                "setp.eq.u32 %p6, %t, 0;",
                                "and.b32 %r5, %t, 31;\nsetp.eq.u32 %p6, %r5, 0;")
                        .breaks(
                                "operands overwritten while other warps multiply",
                                Kind.ASYNC_EARLY,
                                "",
                                "warp",
                                "reads asynchronously",
                                "bar.sync 0; //e",
                                "",
                                "@%p6 st.shared.u32 [%r1+2048], 0; //o",
                                "setp.lt.u32 %p3, %t, 2;\n@%p3 st.shared.u32 [%r1+2048], 0; //o")
                        .breaks(
                                "exits on the way",
                                Kind.WGMMA_IN_FLIGHT,
                                "",
                                "warp",
                                "exit without having waited for wgmma",
                                "wgmma.wait_group.sync.aligned 0; //w\nbar.sync 0; //e\n@%p6 st.shared.u32 [%r1+2048], 0; //o",
                                "ret;")
                        .breaks(
                                "a part of a warp",
                                Kind.DIVERGED,
                                "//1",
                                "lanes 8-31",
                                "pass by while others",
                                MULTIPLY + "0, 1, 1, 0, 0; //1",
                                "setp.lt.u32 %p5, %t, 8;\n@%p5 " + MULTIPLY + "0, 1, 1, 0, 0; //1")
                        .breaks(
                                "unwritten operands",
                                Kind.UNINITIALIZED,
                                "//1",
                                "warp",
                                "multiply byte",
                                "st.shared.u32 [%r3], 0x3f803f80; //s",
                                "st.shared.u8 [%r3], 1;")
                        .breaks(
                                "beyond shared memory",
                                Kind.OUT_OF_BOUNDS,
                                "//1",
                                "warp",
                                "shared memory has",
                                "add.u64 %d2, %d1, 128;",
                                "add.u64 %d2, %d1, 288;")
                        .breaks(
                                "one of four warps passes by",
                                Kind.DIVERGED,
                                "",
                                "block (0,0,0) warps 0 and 3",
                                "start 2 and 1 wgmma, which four warps must do together",
                                "0, 1, 1, 0, 0; //1",
                                "0, 1, 1, 0, 0; //1\nsetp.ge.u32 %p5, %t, 96;\n@%p5 bra SKIP;",
                                "wgmma.commit_group.sync.aligned; //c",
                                "SKIP:\nwgmma.commit_group.sync.aligned;")
                        .breaks(
                                "a base offset",
                                Kind.INVALID,
                                "//1",
                                "lanes 0-31",
                                "use a descriptor with a base offset",
                                "add.u64 %d2, %d1, 128;",
                                "add.u64 %d2, %d1, 0x0002000000000080;"),
                Sample.of(
                                "two groups, one ahead",
                                launch,
                                FILL + """
                                fence.proxy.async.shared::cta;
                                bar.sync 0;
                                wgmma.fence.sync.aligned;
                                """ + MULTIPLY + """
                                0, 1, 1, 0, 0;
                                wgmma.commit_group.sync.aligned;
                                """
                                        + MULTIPLY.replace("%f0, %f1, %f2, %f3", "%f4, %f5, %f6, %f7") + """
                                0, 1, 1, 0, 0;
                                wgmma.commit_group.sync.aligned;
                                wgmma.wait_group.sync.aligned 1; //w
                                add.f32 %f0, %f0, %f1; //r
                                wgmma.wait_group.sync.aligned 0; //v
                                add.f32 %f4, %f4, %f0; //q
                                cvt.rni.u32.f32 %r9, %f4;
                                mad.wide.u32 %d3, %t, 4, %B;
                                st.global.u32 [%d3], %r9;
                                """)
                        .gives(128, i -> 48)
                        .breaks(
                                "reads the first too early",
                                Kind.WGMMA_IN_FLIGHT,
                                "//r",
                                "warp",
                                "nobody has waited for",
                                "wgmma.wait_group.sync.aligned 1;",
                                "")
                        .breaks(
                                "reads the second too early",
                                Kind.WGMMA_IN_FLIGHT,
                                "//q",
                                "warp",
                                "nobody has waited for",
                                "wgmma.wait_group.sync.aligned 0;",
                                ""));
    }

    @TestFactory
    Stream<DynamicTest> multiplications() {
        return samples().stream().flatMap(Sample::tests);
    }
}
