package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.Memory;
import dev.wok.device.PtxFault;
import dev.wok.device.PtxProgram;
import dev.wok.device.PtxRejected;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Launches on the emulated GPU: what fits, what is passed, what is reported.
class LaunchesTest {
    private static final String TEXT = """
            .version 8.5
            .target sm_90a
            .address_size 64
            .visible .global .align 4 .b32 seen[4] = {7, 8};
            .visible .entry add(.param .u64 pa, .param .u64 pb, .param .f32 more)
            {
            .reg .b64 %d<4>; .reg .b32 %r<4>; .reg .f32 %f<4>;
            ld.param.u64 %d0, [pa]; ld.param.u64 %d1, [pb]; ld.param.f32 %f0, [more];
            mov.u32 %r0, %tid.x;
            mul.wide.u32 %d2, %r0, 4;
            add.u64 %d0, %d0, %d2;
            add.u64 %d1, %d1, %d2;
            ld.global.f32 %f1, [%d0];
            add.f32 %f1, %f1, %f0;
            st.global.f32 [%d1], %f1;
            ld.global.u32 %r1, [seen+4];
            add.u32 %r1, %r1, 1;
            red.global.add.u32 [seen], 1;
            ret;
            }
            .visible .entry demands()
            .reqntid 32, 2, 1
            .reqnctapercluster 2, 1, 1
            { .shared .b8 s[1000]; ret; }
            .visible .entry most()
            .maxntid 64, 1, 1
            { .shared .b8 s[200000]; ret; }
            .visible .entry columns()
            {
            .shared .align 16 .b32 s[1024]; .reg .b32 %r<4>;
            mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 7; mov.u32 %r2, s; add.u32 %r1, %r1, %r2;
            st.shared.b32 [%r1], %r0;
            ret;
            }
            """;

    private static void invalid(EmulatedGpu gpu, PtxProgram program, String kernel, Launch launch, String message) {
        PtxFault fault = assertThrows(PtxFault.class, () -> gpu.stream().launch(program.function(kernel), launch));
        assertEquals(PtxFault.Kind.INVALID, fault.kind());
        assertEquals(message, fault.getMessage());
    }

    @Test
    void valuesAreAddedAndReported() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram program = gpu.load(TEXT);
            Memory memory = gpu.memory();
            Tensor a = memory.tensor(DType.F32, 64);
            Tensor b = memory.tensor(DType.F32, 64);
            Tensor host = Tensor.of(new float[64]);
            for (int i = 0; i < 64; i++) {
                host.set(i, i);
            }
            gpu.upload(host, a);
            gpu.stream().launch(program.function("add"), Launch.of(1, 64), a, b, 0.5f);
            gpu.download(b, host);
            for (int i = 0; i < 64; i++) {
                assertEquals(i + 0.5, host.get(i));
            }
            assertEquals(2 * 14, gpu.lastLaunch().instructions());
            assertEquals(Map.of(), gpu.lastLaunch().bankConflicts());
            assertEquals(16, program.variable("seen").bytes());
            assertEquals(
                    "add: 14 instructions, 13 registers declared, 0 bytes shared, 0 bytes local, parameters [pa, pb, more]",
                    program.log().lines().findFirst().orElse(""));
        }
    }

    @Test
    void unwrittenMemoryIsAnErrorToRead() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram program = gpu.load(TEXT);
            Tensor a = gpu.unwrittenMemory().tensor(DType.F32, 64);
            Tensor b = gpu.unwrittenMemory().tensor(DType.F32, 64);
            PtxFault fault = assertThrows(
                    PtxFault.class, () -> gpu.stream().launch(program.function("add"), Launch.of(1, 64), a, b, 0.5f));
            assertEquals(PtxFault.Kind.UNINITIALIZED, fault.kind());
            assertEquals("block (0,0,0) warp 0 lanes 0-31", fault.lanes());
            assertEquals(
                    "add, line 13: uninitialized: threads read byte 0 of F32[64], which nobody has written.\n"
                            + "  13 | ld.global.f32 %f1, [%d0];\n  block (0,0,0) warp 0 lanes 0-31",
                    fault.getMessage());
            gpu.stream().fill(a.slice(0, 0, 40), (byte) 0);
            PtxFault later = assertThrows(
                    PtxFault.class, () -> gpu.stream().launch(program.function("add"), Launch.of(1, 64), a, b, 0.5f));
            assertEquals("block (0,0,0) warp 1 lanes 8-31", later.lanes());
            gpu.stream().fill(a, (byte) 0);
            gpu.stream().launch(program.function("add"), Launch.of(1, 64), a, b, 0.5f);
            gpu.stream().launch(program.function("add"), Launch.of(1, 64), b, a, 0.5f);
        }
    }

    @Test
    void freedMemoryIsGone() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram program = gpu.load(TEXT);
            Memory memory = gpu.memory();
            Tensor a = memory.tensor(DType.F32, 64);
            Tensor b = gpu.memory().tensor(DType.F32, 64);
            memory.close();
            PtxFault fault = assertThrows(
                    PtxFault.class, () -> gpu.stream().launch(program.function("add"), Launch.of(1, 64), a, b, 0.5f));
            assertEquals(PtxFault.Kind.OUT_OF_BOUNDS, fault.kind());
        }
    }

    @Test
    void launchesMustFit() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram program = gpu.load(TEXT);
            Launch cluster = Launch.of(4, 32).withBlock(32, 2, 1);
            gpu.stream().launch(program.function("demands"), cluster);
            gpu.stream().launch(program.function("demands"), cluster.withCluster(2, 1, 1));
            invalid(
                    gpu,
                    program,
                    "demands",
                    Launch.of(4, 64),
                    "demands: the text demands blocks of 32x2x1 (.reqntid), not 64x1x1.");
            invalid(
                    gpu,
                    program,
                    "demands",
                    cluster.withCluster(4, 1, 1),
                    "demands: the text demands clusters of 2x1x1 (.reqnctapercluster), not 4x1x1.");
            invalid(
                    gpu,
                    program,
                    "demands",
                    cluster.withGrid(3, 1, 1),
                    "demands: a grid of 3x1x1 blocks is not one of whole clusters of 2x1x1.");
            invalid(
                    gpu,
                    program,
                    "most",
                    Launch.of(1, 96),
                    "most: blocks of 96 threads are more than the text allows (.maxntid 64).");
            invalid(
                    gpu,
                    program,
                    "most",
                    Launch.of(1, 64).withShared(40_000),
                    "most: 240000 bytes of shared memory are more than 232448.");
            assertEquals(
                    "add takes 3 arguments [pa, pb, more], not 1",
                    assertThrows(
                                    IllegalArgumentException.class,
                                    () -> gpu.stream().launch(program.function("add"), Launch.of(1, 1), 1))
                            .getMessage());
            assertEquals(
                    "add: parameter pb has 8 bytes, the argument 4",
                    assertThrows(
                                    IllegalArgumentException.class,
                                    () -> gpu.stream().launch(program.function("add"), Launch.of(1, 1), 1L, 2, 3f))
                            .getMessage());
            assertTrue(String.valueOf(assertThrows(IllegalArgumentException.class, () -> program.function("sub"))
                            .getMessage())
                    .contains("no kernel is called sub; there are [add, demands, most, columns]"));
        }
    }

    @Test
    void aLaunchCanBeInterrupted() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram program = gpu.load(TEXT);
            Thread.currentThread().interrupt();
            PtxFault fault = assertThrows(
                    PtxFault.class, () -> gpu.stream().launch(program.function("columns"), Launch.of(1, 32)));
            assertEquals(PtxFault.Kind.HANG, fault.kind());
            assertEquals("the launch was interrupted.", fault.getMessage());
        }
    }

    @Test
    void bankConflictsAreCounted() {
        try (EmulatedGpu gpu = Device.emulated()) {
            gpu.stream().launch(gpu.load(TEXT).function("columns"), Launch.of(1, 32));
            assertEquals(
                    List.of(31L), List.copyOf(gpu.lastLaunch().bankConflicts().values()));
        }
    }

    @Test
    void wrongTextsAreRejectedWithTheirLine() {
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxRejected rejected = assertThrows(
                    PtxRejected.class, () -> gpu.load(TEXT.replace("add.f32 %f1, %f1, %f0", "add.f32 %f1, %d0, %f0")));
            assertTrue(
                    rejected.log().startsWith("line 14: %d0 is a .b64 register, and add.f32 needs .f32."),
                    rejected.log());
        }
    }
}
