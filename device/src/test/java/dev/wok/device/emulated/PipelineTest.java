package dev.wok.device.emulated;

import dev.wok.device.Launch;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// A matrix product as kernels for Hopper are made: one warp loads tiles, four multiply them, two stages between them;
/// alone, and two blocks that load for each other.
class PipelineTest {
    private static final int ROWS = 64;
    private static final int K = 128;

    private static int number(int row, int k) {
        return (row * 7 + k * 3) % 5 - 2;
    }

    private static int bits(int at) {
        return Float.floatToRawIntBits(number(at / K, at % K)) >>> 16;
    }

    /// `a` as a matrix of bf16; the tile is 32 of `k` wide, and swizzled.
    private static TensorMap map(Tensor a, int rows) {
        return TensorMap.of(Tensor.of(a.memory(), DType.BF16, ROWS, K), rows, 32)
                .withSwizzle(TensorMap.Swizzle.B64);
    }

    private static int product(int thread, int i) {
        int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2);
        int column = i / 4 * 8 + thread % 4 * 2 + i % 2;
        int sum = 0;
        for (int k = 0; k < K; k++) {
            sum += number(row, k) * number(column, k);
        }
        return sum;
    }

    private static final String REGISTERS =
            "%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7, %f8, %f9, %f10, %f11, %f12, %f13, %f14, %f15, "
                    + "%f16, %f17, %f18, %f19, %f20, %f21, %f22, %f23, %f24, %f25, %f26, %f27, %f28, %f29, %f30, %f31";

    private static String stores() {
        StringBuilder text = new StringBuilder("mad.wide.u32 %d9, %t, 128, %B;\n");
        for (int i = 0; i < 32; i++) {
            text.append("cvt.rni.s32.f32 %r9, %f").append(i).append(";\n");
            text.append("@%p9 st.global.u32 [%d9+").append(4 * i).append("], %r9;\n");
        }
        return text.toString();
    }

    private static final String START = """
            .shared .align 1024 .b8 s[16384];
            .shared .align 8 .b64 full[2];
            .shared .align 8 .b64 empty[2];
            mov.u32 %r1, s;
            mov.u32 %r2, full;
            mov.u32 %r3, empty;
            mov.u64 %d0, pm;
            cvta.param.u64 %d0, %d0;
            setp.ne.u32 %p1, %t, 128;
            setp.eq.u32 %p9, %cta, 0;
            @%p1 bra START;
            prefetch.tensormap [%d0];
            mbarrier.init.shared::cta.b64 [%r2], 1;
            mbarrier.init.shared::cta.b64 [%r2+8], 1;
            mbarrier.init.shared::cta.b64 [%r3], ARRIVALS;
            mbarrier.init.shared::cta.b64 [%r3+8], ARRIVALS;
            fence.mbarrier_init.release.cluster;
            START:
            MEET
            mov.u32 %r4, 0;
            setp.ge.u32 %p2, %t, 128;
            @!%p2 bra USERS;
            setmaxnreg.dec.sync.aligned.u32 40;
            @%p1 bra DONE;
            LOAD:
            and.b32 %r5, %r4, 1;
            shr.u32 %r6, %r4, 1;
            and.b32 %r6, %r6, 1;
            xor.b32 %r6, %r6, 1;
            shl.b32 %r7, %r5, 3;
            add.u32 %r8, %r2, %r7;
            add.u32 %r9, %r3, %r7;
            EMPTY:
            mbarrier.try_wait.parity.shared::cta.b64 %p5, [%r9], %r6; //empty
            @!%p5 bra EMPTY;
            shl.b32 %r10, %r5, 13;
            add.u32 %r10, %r1, %r10;
            shl.b32 %r11, %r4, 5;
            mov.u32 %r12, 0;
            mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r8], 8192;
            """;

    private static final String USERS = """
            add.u32 %r4, %r4, 1;
            setp.lt.u32 %p3, %r4, 4;
            @%p3 bra LOAD;
            bra DONE;
            USERS:
            setmaxnreg.inc.sync.aligned.u32 232;
            mov.pred %p6, 0;
            USE:
            and.b32 %r5, %r4, 1;
            shr.u32 %r6, %r4, 1;
            and.b32 %r6, %r6, 1;
            shl.b32 %r7, %r5, 3;
            add.u32 %r8, %r2, %r7;
            add.u32 %r9, %r3, %r7;
            FULL:
            mbarrier.try_wait.parity.shared::cta.b64 %p5, [%r8], %r6; //full
            @!%p5 bra FULL;
            shl.b32 %r10, %r5, 13;
            add.u32 %r10, %r1, %r10;
            shr.u32 %r11, %r10, 4;
            cvt.u64.u32 %d1, %r11;
            or.b64 %d1, %d1, 0x8000002000000000;
            add.u64 %d2, %d1, 256;
            add.u64 %d3, %d1, 2;
            add.u64 %d4, %d2, 2;
            wgmma.fence.sync.aligned; //fence
            wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {REGISTERS}, %d1, %d2, %p6, 1, 1, 0, 0; //m1
            mov.pred %p6, 1;
            wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {REGISTERS}, %d3, %d4, %p6, 1, 1, 0, 0; //m2
            wgmma.commit_group.sync.aligned;
            wgmma.wait_group.sync.aligned 0; //wait
            """.replace("REGISTERS", REGISTERS);

    private static final String END = """
            add.u32 %r4, %r4, 1;
            setp.lt.u32 %p3, %r4, 4;
            @%p3 bra USE;
            """ + stores();

    private static String copy(String to, String row, String multicast, String mask) {
        return "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes%s [%s], [%%d0, {%%r11, %s}], [%%r8]%s; //copy\n"
                .formatted(multicast, to, row, mask);
    }

    static List<Sample> samples() {
        String alone = START.replace("MEET", "bar.sync 0; //init").replace("ARRIVALS", "128")
                + copy("%r10", "%r12", "", "")
                + "add.u32 %r13, %r10, 4096;\n"
                + copy("%r13", "%r12", "", "")
                + USERS
                + "mbarrier.arrive.shared::cta.b64 _, [%r9]; //arrive\n"
                + END
                + "DONE:\n";
        // Each block loads half of A, and half of B, for both.
        String together =
                START.replace("MEET", "barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.acquire.aligned;")
                                .replace("ARRIVALS", "8")
                        + """
                  shl.b32 %r12, %cta, 5;
                  shl.b32 %r13, %cta, 11;
                  add.u32 %r10, %r10, %r13;
                  add.u32 %r14, %r10, 4096;
                  .reg .b16 %h0;
                  mov.b16 %h0, 3;
                  """
                        + copy("%r10", "%r12", ".multicast::cluster", ", %h0")
                        + copy("%r14", "%r12", ".multicast::cluster", ", %h0")
                        + USERS
                        + """
                  and.b32 %r15, %t, 31;
                  setp.lt.u32 %p7, %r15, 2;
                  mapa.shared::cluster.u32 %r16, %r9, %r15;
                  @%p7 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r16]; //arrive
                  """
                        + END
                        + """
                  DONE:
                  barrier.cluster.arrive; //end
                  barrier.cluster.wait;
                  """;
        return List.of(
                Sample.of("a product in stages", Launch.of(1, 160), alone)
                        .on(i -> bits(2 * i) | bits(2 * i + 1) << 16)
                        .withMap(a -> map(a, 64))
                        .gives(4096, i -> product(i / 32, i % 32))
                        .breaks(
                                "users do not wait for tiles",
                                Kind.ASYNC_EARLY,
                                "//m1",
                                "lanes 0-31",
                                "writes asynchronously",
                                "@!%p5 bra FULL;",
                                "")
                        .breaks(
                                "users give tiles back before they are read",
                                Kind.ASYNC_EARLY,
                                "//copy",
                                "warp 4 lane 0",
                                "reads asynchronously",
                                "wgmma.wait_group.sync.aligned 0; //wait\nmbarrier.arrive.shared::cta.b64 _, [%r9]; //arrive",
                                "mbarrier.arrive.shared::cta.b64 _, [%r9];\nwgmma.wait_group.sync.aligned 0;")
                        .breaks(
                                "the loader does not wait",
                                Kind.ASYNC_EARLY,
                                "//copy",
                                "warp 4 lane 0",
                                "writes asynchronously",
                                "@!%p5 bra EMPTY;",
                                "")
                        .breaks(
                                "nobody gives tiles back",
                                Kind.HANG,
                                "//full",
                                "warp 0 lanes 0-31",
                                "128 of 128 arrivals",
                                "mbarrier.arrive.shared::cta.b64 _, [%r9];",
                                "")
                        .breaks(
                                "half a tile expected",
                                Kind.ASYNC_EARLY,
                                "//m1",
                                "lanes 0-31",
                                "writes asynchronously",
                                "[%r8], 8192;",
                                "[%r8], 4096;")
                        .breaks(
                                "no fence of registers",
                                Kind.WGMMA_IN_FLIGHT,
                                "//m1",
                                "lanes 0-31",
                                "used since the last wgmma.fence",
                                "wgmma.fence.sync.aligned;",
                                "")
                        .breaks(
                                "no barrier behind the mbarriers' beginning",
                                Kind.UNINITIALIZED,
                                "//full",
                                "warp 0",
                                "which nobody has initialised",
                                "bar.sync 0; //init",
                                ""),
                Sample.of("a product of two blocks", Launch.of(2, 160).withCluster(2, 1, 1), together)
                        .on(i -> bits(2 * i) | bits(2 * i + 1) << 16)
                        .withMap(a -> map(a, 32))
                        .gives(4096, i -> product(i / 32, i % 32))
                        .breaks(
                                "gives tiles back to its own block alone",
                                Kind.HANG,
                                "//full",
                                "lanes 0-31",
                                "4 of 8 arrivals",
                                "setp.lt.u32 %p7, %r15, 2;",
                                "setp.eq.u32 %p7, %r15, %cta;")
                        .breaks(
                                "gives tiles back before they are read",
                                Kind.ASYNC_EARLY,
                                "//copy",
                                "warp 4 lane 0",
                                "reads asynchronously",
                                "wgmma.wait_group.sync.aligned 0; //wait\n",
                                "",
                                "@%p7 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r16]; //arrive",
                                "@%p7 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r16];\nwgmma.wait_group.sync.aligned 0;"));
    }

    @TestFactory
    Stream<DynamicTest> pipelines() {
        return samples().stream().flatMap(Sample::tests);
    }
}
