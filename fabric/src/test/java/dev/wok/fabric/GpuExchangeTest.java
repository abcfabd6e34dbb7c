package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.device.Mirrors;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Exchanges between GPUs, on emulated ones.
final class GpuExchangeTest {
    private static final List<Shape> SHAPES =
            List.of(Shape.oneMachine(1), Shape.oneMachine(2), Shape.oneMachine(3), Shape.oneMachine(4));

    /// A rank's GPU.
    private static final class OnGpu implements ExchangeContract.Place {
        private final EmulatedGpu gpu = Device.emulated();
        private final Memory memory = gpu.memory();
        private final Mirrors mirrors = new Mirrors(gpu);
        private final @Nullable GpuPeers peers;
        private final Exchange exchange;

        /// @param sees whether what travels goes from GPU to GPU
        /// @param isLate see [EmulatedGpu#delay]
        OnGpu(Fabric fabric, Exchange.Desc desc, boolean sees, boolean isLate) {
            if (isLate) {
                gpu.delay();
            }
            peers = sees
                    ? GpuPeers.of(fabric, gpu, desc.dispatch(), desc.combine()).orElseThrow()
                    : null;
            exchange = fabric.exchange(desc, mirrors, peers);
        }

        @Override
        public Exchange exchange() {
            return exchange;
        }

        @Override
        public Tensor here(Tensor host) {
            Tensor here = memory.tensor(host.dtype(), host.shape());
            gpu.upload(host, here);
            return here;
        }

        @Override
        public Tensor host(Tensor here) {
            Tensor host = Tensor.allocate(Arena.ofAuto(), here.dtype(), here.shape());
            gpu.download(here, host);
            return host;
        }

        @Override
        public void close() {
            if (peers != null) {
                peers.close();
            }
            mirrors.close();
            gpu.close();
        }
    }

    @Test
    void fromGpuToGpuAgreesWithThePlainOne() {
        ExchangeContract.check(
                "PeerExchange",
                SHAPES,
                List.of(Payload.F32, Payload.BF16),
                300,
                30,
                (fabric, desc) -> new OnGpu(fabric, desc, true, false));
    }

    /// Whatever a GPU does late is waited for.
    @Test
    void workOfGpusMayBeLate() {
        ExchangeContract.check(
                "PeerExchange.late",
                SHAPES,
                List.of(Payload.F32, Payload.BF16),
                300,
                30,
                (fabric, desc) -> new OnGpu(fabric, desc, true, true));
    }

    /// Rank 1 has all tokens and no expert, so that nothing but its own waiting keeps it from overwriting
    /// what its GPU has yet to add.
    @Test
    void memoryIsNotUsedAgainTooEarly() {
        int rounds = 4;
        Exchange.Desc desc =
                new Exchange.Desc(3, 1, new Placement(1, new int[][] {{0}, {}}), 1, Payload.F32, Payload.F32);
        Ranks.run(Shape.oneMachine(2), fabric -> {
            try (OnGpu place = new OnGpu(fabric, desc, true, true)) {
                int tokens = fabric.rank();
                Exchange exchange = place.exchange();
                Tensor chosen = place.here(Tensor.of(new int[tokens]).reshape(tokens, 1));
                Tensor weights = place.here(Tensor.of(new float[tokens]).reshape(tokens, 1));
                Exchange.Route route = exchange.route(chosen, weights);
                Tensor y = place.here(Tensor.of(new float[3 * tokens]).reshape(tokens, 3));
                for (int round = 0; round < rounds; round++) {
                    float value = 1 << 4 * round;
                    float[] row = route.rows() == 0 ? new float[0] : new float[] {value, value, value};
                    Exchange.Results results =
                            exchange.combine(route, place.here(Tensor.of(row).reshape(route.rows(), 3)), false);
                    results.addTo(y);
                    results.await();
                }
                fabric.barrier();
                float[] expected = tokens == 0 ? new float[0] : new float[] {0x1111, 0x1111, 0x1111};
                assertArrayEquals(expected, place.host(y).toFloats());
                fabric.barrier();
            }
        });
    }

    @Test
    void throughTheHostAgreesWithThePlainOne() {
        List<Shape> shapes = List.of(Shape.oneMachine(1), Shape.oneMachine(3), Shape.machines(2, 2));
        ExchangeContract.check(
                "MirroredExchange",
                shapes,
                List.of(Payload.values()),
                300,
                15,
                (fabric, desc) -> new OnGpu(fabric, desc, false, true));
    }

    @Test
    void gpusOfSeveralMachinesSeeNothingOfEachOther() {
        Ranks.run(Shape.machines(2, 1), fabric -> {
            try (EmulatedGpu gpu = Device.emulated()) {
                assertEquals(Optional.empty(), GpuPeers.of(fabric, gpu, Payload.F32));
            }
        });
    }

    @Test
    void gpusDoNotRoundToEverything() {
        try (Fabric alone = Fabric.alone();
                EmulatedGpu gpu = Device.emulated()) {
            assertTrue(GpuPeers.of(alone, gpu, Payload.FP8, Payload.BF16).isEmpty());
        }
    }
}
