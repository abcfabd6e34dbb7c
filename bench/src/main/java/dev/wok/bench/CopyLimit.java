package dev.wok.bench;

import dev.wok.bench.Loops.Traffic;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// What no exchange can beat: every token copied to its rows and every row to its slot, with nothing
/// in between, on all threads at once.
final class CopyLimit {
    static final String TEXT = "copy of tokens to rows and of rows to slots";

    /// Regions that lie a multiple of a page apart would meet in the same lines of the first cache.
    private static final long SKEW = 17L * 64;

    private static final int REGIONS = 3;

    private final HostDevice device;
    private final List<Traffic> ways;

    CopyLimit(HostDevice device, Loops loops) {
        this.device = device;
        ways = loops.traffic(Mix.COPY);
    }

    /// @return nanoseconds of each repeat, of the fastest way to copy
    double[] nanos(FabricJob job, int ranks, int warmUp, int repeats) {
        long each = job.bytes() + REGIONS * SKEW;
        try (Memory memory = device.memory()) {
            MemorySegment all = memory.tensor(DType.U8, ranks * each).memory();
            device.workers()
                    .run(ranks, (rank, _) -> all.asSlice(rank * each, each).fill((byte) 1));
            double[] best = new double[0];
            for (Traffic way : ways) {
                double[] nanos = new double[repeats];
                for (int i = -warmUp; i < repeats; i++) {
                    long begin = System.nanoTime();
                    device.workers().run(ranks, (rank, _) -> copy(way, job, all.asSlice(rank * each, each)));
                    if (i >= 0) {
                        nanos[i] = System.nanoTime() - begin;
                    }
                }
                if (best.length == 0 || Repeats.median(nanos, repeats) < Repeats.median(best, repeats)) {
                    best = nanos;
                }
            }
            return best;
        }
    }

    private static void copy(Traffic way, FabricJob job, MemorySegment memory) {
        long row = (long) job.hidden() * Float.BYTES;
        long rows = job.tokens() * row + SKEW;
        long slots = rows + job.tokens() * job.topK() * row + SKEW;
        for (long token = 0; token < job.tokens(); token++) {
            for (long k = 0; k < job.topK(); k++) {
                long from = token * row;
                way.run(memory, rows + (token * job.topK() + k) * row - from, from, from + row);
            }
        }
        way.run(memory, slots - rows, rows, slots - SKEW);
    }
}
