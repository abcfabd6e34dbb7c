package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Target;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Everything that orders the products' threads, copies and tensor cores is needed: with one of them left out, the
/// emulator says so.
class BrokenProductsTest {
    private static final int SIZE = 70;
    private static final int K = 6 * 64;

    private static void run(Target target, String from, String to) {
        try (EmulatedGpu gpu = Device.emulated()) {
            Memory memory = gpu.pinned();
            Tensor a = memory.tensor(DType.BF16, SIZE, K);
            Tensor b = memory.tensor(DType.BF16, SIZE, K);
            Tensor c = memory.tensor(DType.F32, SIZE, SIZE);
            a.set(0, 1);
            b.set(0, 1);
            if (target == Target.SM_80) {
                ProductSm80 shape = ProductSm80.choose(64, 64, false);
                PtxFunction kernel = load(gpu, Programs.text(target, "product", shape::write), from, to);
                gpu.stream()
                        .launch(kernel, shape.launch(SIZE, SIZE), a, 2L * K, b, 2L * K, c, 4L * SIZE, SIZE, SIZE, K);
            } else {
                ProductSm90 shape = ProductSm90.choose(64, 64, false);
                PtxFunction kernel = load(gpu, Programs.text(target, "product", shape::write), from, to);
                gpu.stream()
                        .launch(
                                kernel,
                                shape.launch(SIZE, SIZE),
                                shape.left(a),
                                shape.right(b),
                                c,
                                4L * SIZE,
                                SIZE,
                                SIZE,
                                K);
            }
            assertEquals(1, c.get(0));
        }
    }

    private static PtxFunction load(EmulatedGpu gpu, String text, String from, String to) {
        assertTrue(text.contains(from), text);
        return gpu.load(text.replaceFirst(Pattern.quote(from), to)).function("product");
    }

    private static DynamicTest broken(Target target, Kind kind, String from, String to) {
        return dynamicTest(target + " without " + from, () -> {
            PtxFault fault = assertThrows(PtxFault.class, () -> run(target, from, to));
            assertEquals(kind, fault.kind(), fault::getMessage);
        });
    }

    @TestFactory
    Stream<DynamicTest> whatOrdersThemIsNeeded() {
        return Stream.of(
                dynamicTest("sm_80", () -> run(Target.SM_80, "ret;", "ret;")),
                dynamicTest("sm_90a", () -> run(Target.SM_90A, "ret;", "ret;")),
                broken(Target.SM_80, Kind.ASYNC_EARLY, "cp.async.wait_group 1;", ""),
                broken(Target.SM_80, Kind.ASYNC_EARLY, "bar.sync 0;", ""),
                broken(Target.SM_80, Kind.ASYNC_EARLY, "cp.async.commit_group;", ""),
                broken(Target.SM_90A, Kind.RACE, "bar.sync 0;", ""),
                broken(Target.SM_90A, Kind.WGMMA_IN_FLIGHT, "wgmma.fence.sync.aligned;", ""),
                broken(Target.SM_90A, Kind.WGMMA_IN_FLIGHT, "wgmma.wait_group.sync.aligned 0;", ""),
                broken(Target.SM_90A, Kind.ASYNC_EARLY, "wgmma.wait_group.sync.aligned 1;", ""),
                broken(
                        Target.SM_90A,
                        Kind.ASYNC_EARLY,
                        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%full_at], 16384;",
                        "mbarrier.arrive.shared::cta.b64 _, [%full_at];"),
                broken(Target.SM_90A, Kind.HANG, "mbarrier.arrive.shared::cta.b64 _, [%empty_before];", ""));
    }
}
