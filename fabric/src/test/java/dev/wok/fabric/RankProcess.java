package dev.wok.fabric;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.device.Mirrors;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.BiConsumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/// A rank that is a process: joins the group that its environment names, and does what its argument says.
final class RankProcess {
    static final String STEP = "an endless step";

    private RankProcess() {}

    /// What a rank does once it has joined.
    enum Task {
        /// Adds up ten sums with the others.
        SUM {
            @Override
            String run(Fabric fabric) {
                long sum = 1;
                for (int round = 0; round < 10; round++) {
                    fabric.doing("round " + round);
                    long all = 0;
                    for (byte[] part : fabric.allGather(new byte[] {(byte) (sum + fabric.rank())})) {
                        all += part[0];
                    }
                    sum = all;
                }
                return "sum " + sum;
            }
        },
        /// Computes for as long as it lives.
        HANG {
            @Override
            String run(Fabric fabric) throws InterruptedException {
                fabric.doing(STEP);
                System.out.println("hangs");
                Thread.sleep(Long.MAX_VALUE);
                return "awake";
            }
        },
        /// Sends tokens to experts on GPUs and back, and through the host as well.
        EXCHANGE {
            @Override
            String run(Fabric fabric) {
                return exchange(fabric);
            }
        },
        /// Waits for rank 0, once it has heard what rank 1 does.
        WAIT {
            @Override
            String run(Fabric fabric) throws InterruptedException {
                awaitStatus(fabric, 1, STEP);
                fabric.doing("its wait");
                fabric.barrier();
                return "met";
            }
        };

        abstract String run(Fabric fabric) throws Exception;
    }

    static void awaitStatus(Fabric fabric, int rank, String doing) throws InterruptedException {
        while (!fabric.group().watchdog().board().status(rank).doing().equals(doing)) {
            Thread.sleep(5);
        }
    }

    private static String exchange(Fabric fabric) {
        int tokens = 300;
        int hidden = 40;
        Exchange.Desc desc = new Exchange.Desc(
                hidden,
                4,
                Placement.even(8, fabric.size()),
                fabric.size(),
                Exchange.Payload.BF16,
                Exchange.Payload.BF16);
        Rng rng = new Rng(fabric.rank());
        int[] chosen = IntStream.range(0, 4 * tokens)
                .map(i -> (rng.below(i / 4, 8) + i % 4) % 8)
                .toArray();
        float[] weights = new float[4 * tokens];
        float[] x = new float[tokens * hidden];
        for (int i = 0; i < x.length; i++) {
            x[i] = rng.split(1).below(i, 1000) / 7f;
            weights[i % weights.length] = 1f / (1 + i % 9);
        }
        Tensor which = Tensor.of(chosen).reshape(tokens, 4);
        Tensor factors = Tensor.of(weights).reshape(tokens, 4);
        try (Arena arena = Arena.ofConfined();
                EmulatedGpu gpu = Device.emulated();
                Mirrors mirrors = new Mirrors(gpu);
                GpuPeers peers = GpuPeers.of(fabric, gpu, desc.dispatch(), desc.combine())
                        .orElseThrow()) {
            Tensor host = Tensor.allocate(arena, DType.F32, tokens, hidden);
            host.copyFrom(Tensor.of(x).reshape(tokens, hidden));
            Tensor expected = Tensor.allocate(arena, DType.F32, tokens, hidden);
            twice(
                    fabric.exchange(desc),
                    (from, to) -> to.copyFrom(from),
                    which,
                    factors,
                    host,
                    expected,
                    count -> Tensor.allocate(arena, DType.F32, count, hidden));
            Memory memory = gpu.memory();
            Tensor y = memory.tensor(DType.F32, tokens, hidden);
            twice(
                    fabric.exchange(desc, mirrors, peers),
                    mirrors::copy,
                    here(gpu, memory, which),
                    here(gpu, memory, factors),
                    here(gpu, memory, host),
                    y,
                    count -> memory.tensor(DType.F32, count, hidden));
            Tensor found = Tensor.allocate(arena, DType.F32, tokens, hidden);
            gpu.download(y, found);
            boolean same = Arrays.equals(expected.toFloats(), found.toFloats());
            return "%s, %s".formatted(same ? "same" : "other", found.get(7) == 0 ? "nothing" : "numbers");
        }
    }

    private static Tensor here(EmulatedGpu gpu, Memory memory, Tensor host) {
        Tensor here = memory.tensor(host.dtype(), host.shape());
        gpu.upload(host, here);
        return here;
    }

    /// Experts give back the token that they get.
    private static void twice(
            Exchange exchange,
            BiConsumer<Tensor, Tensor> copy,
            Tensor chosen,
            Tensor weights,
            Tensor x,
            Tensor y,
            IntFunction<Tensor> room) {
        for (int round = 0; round < 2; round++) {
            Exchange.Arriving arriving = exchange.begin(chosen, weights, x, room);
            arriving.await();
            Exchange.Route route = arriving.route();
            Tensor rows = room.apply(route.rows());
            int rest = route.rows();
            for (int from = 0; rest > 0; from += arriving.route().arrivals()) {
                int count = Math.min(rest, route.arrivals());
                copy.accept(arriving.tokens().slice(0, 0, count), rows.slice(0, from, from + count));
                rest -= count;
            }
            Exchange.Results results = exchange.combine(route, rows, true);
            results.addTo(y);
            results.await();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Membership membership = Membership.of(System.getenv()).orElseThrow();
        try (Fabric fabric = Fabric.join(membership, Progress.silent())) {
            System.out.println(
                    Task.valueOf(arguments[0].toUpperCase(Locale.ROOT)).run(fabric));
        } catch (Departed e) {
            System.out.println(e.getMessage());
        }
    }
}
