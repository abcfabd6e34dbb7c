package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Routing;
import dev.wok.kernel.Routing.Desc;
import dev.wok.kernel.Routing.Plan;
import dev.wok.kernel.Routing.Scoring;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// Choices that are no experts: the emulator stops kernels that read or write outside of their tensors.
class RoutingPtxTest {
    @Test
    void whatIsNoExpertIsSortedBehindAllExperts() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Routing routing = new RoutingPtx(new Programs(gpu, Target.SM_80));
            Tensor chosen =
                    OnGpu.copy(gpu, Tensor.of(2, -1, 0, 3, 2, Integer.MAX_VALUE).reshape(3, 2));
            Plan plan = new Plan(
                    gpu.pinned().tensor(DType.I32, 4),
                    gpu.pinned().tensor(DType.I32, 6),
                    gpu.pinned().tensor(DType.I32, 6));
            Tensor load = OnGpu.copy(gpu, Tensor.of(10, 20, 30));
            routing.plan(chosen, plan, load);
            gpu.stream().synchronize();
            assertArrayEquals(new int[] {0, 1, 1, 3}, plan.offsets().toInts());
            assertArrayEquals(new int[] {2, 0, 4, 1, 3, 5}, plan.rowSlot().toInts());
            assertArrayEquals(new int[] {1, 3, 0, 4, 2, 5}, plan.slotRow().toInts());
            assertArrayEquals(new int[] {11, 20, 32}, load.toInts());
        }
    }

    @Test
    void whatIsNoExpertSpoilsItsTokensGradients() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Routing routing = new RoutingPtx(new Programs(gpu, Target.SM_80));
            for (Scoring scoring : Scoring.values()) {
                for (boolean normalize : new boolean[] {false, true}) {
                    Desc desc = new Desc(scoring, 3, 2, 1, 1, normalize, 1);
                    Tensor scores = OnGpu.copy(
                            gpu, Tensor.of(0.1f, 0.2f, 0.3f, 0.1f, 0.2f, 0.3f).reshape(2, 3));
                    Tensor chosen = OnGpu.copy(gpu, Tensor.of(1, 3, 0, 2).reshape(2, 2));
                    Tensor dWeights = OnGpu.copy(gpu, Tensor.of(1f, 0f, 1f, 2f).reshape(2, 2));
                    Tensor dLogits = gpu.pinned().tensor(DType.F32, 2, 3);
                    routing.backward(desc, scores, chosen, dWeights, null, dLogits);
                    gpu.stream().synchronize();
                    for (int i = 0; i < 6; i++) {
                        assertEquals(i < 3, Double.isNaN(dLogits.get(i)), desc + ", " + i);
                    }
                }
            }
        }
    }
}
