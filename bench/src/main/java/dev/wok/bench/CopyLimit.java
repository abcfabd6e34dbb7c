package dev.wok.bench;

import dev.wok.bench.Loops.Traffic;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/// What no exchange can beat: every token copied once for each rank that it goes to, then every row
/// read and every token read and written, with nothing in between, on all threads at once.
final class CopyLimit {
    static final String TEXT = "tokens copied to ranks, rows read, tokens updated";

    /// Regions that lie a multiple of a page apart would meet in the same lines of the first cache.
    private static final long SKEW = 17L * 64;

    private static final int REGIONS = 4;

    private final HostDevice device;
    private final List<Traffic> ways;
    private final Traffic read;
    private final Traffic update;

    CopyLimit(HostDevice device, Loops loops) {
        this.device = device;
        ways = loops.traffic(Mix.COPY);
        read = loops.traffic(Mix.READ).getFirst();
        update = loops.traffic(Mix.UPDATE).getFirst();
    }

    /// @return nanoseconds of each repeat, of the fastest way to copy
    double[] nanos(FabricJob job, int ranks, int warmUp, int repeats) {
        long each = job.bytes(ranks) + REGIONS * SKEW;
        int[] copies = IntStream.range(0, ranks * job.tokens())
                .map(token -> job.ranksOf(token, ranks))
                .toArray();
        try (Memory memory = device.memory()) {
            MemorySegment all = memory.tensor(DType.U8, ranks * each).memory();
            device.workers()
                    .run(ranks, (rank, _) -> all.asSlice(rank * each, each).fill((byte) 1));
            double[] best = new double[0];
            for (Traffic way : ways) {
                double[] nanos = new double[repeats];
                for (int i = -warmUp; i < repeats; i++) {
                    long begin = System.nanoTime();
                    device.workers()
                            .run(ranks, (rank, _) -> copy(way, job, copies, rank, all.asSlice(rank * each, each)));
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

    /// @param copies of each token of all ranks
    private void copy(Traffic way, FabricJob job, int[] copies, int rank, MemorySegment memory) {
        long row = (long) job.hidden() * Float.BYTES;
        long to = job.tokens() * row + SKEW;
        long rows = to + job.tokens() * Math.min(job.topK(), copies.length / job.tokens()) * row + SKEW;
        long y = rows + job.tokens() * job.topK() * row + SKEW;
        for (int token = 0; token < job.tokens(); token++) {
            long from = token * row;
            for (int copy = 0; copy < copies[rank * job.tokens() + token]; copy++) {
                way.run(memory, to - from, from, from + row);
                to += row;
            }
        }
        for (long token = 0; token < job.tokens(); token++) {
            long first = rows + token * job.topK() * row;
            read.run(memory, 0, first, first + job.topK() * row);
            update.run(memory, 0, y + token * row, y + (token + 1) * row);
        }
    }
}
