package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Threads that share memory and barriers.
final class Block {
    static final int BARRIERS = 16;

    /// Where shared memory begins: the system keeps what lies before.
    static final int SHARED_FROM = 1024;

    /// Threads that wait for each other at a numbered barrier.
    private static final class Barrier {
        int expected;
        int arrived;

        @Nullable
        Clock clock;

        final List<Warp> warps = new ArrayList<>();
        final List<Warp.Group> groups = new ArrayList<>();
        final List<Result> results = new ArrayList<>();
        int ones;

        /// By warp, the lanes that have come.
        final int[] here;

        Barrier(int warps) {
            here = new int[warps];
        }
    }

    /// Takes what a reduction over a barrier's threads gave.
    interface Result {
        /// @param ones how many threads brought true
        /// @param all how many there were
        void accept(int ones, int all);
    }

    final Grid grid;
    final Cluster cluster;
    final int x;
    final int y;
    final int z;
    final int rank;

    /// Its number in the grid.
    final int id;

    final Region shared;
    final Warp[] warps;
    private final @Nullable Barrier[] barriers = new Barrier[BARRIERS];
    private int exited;

    Block(Grid grid, Cluster cluster, int rank, int x, int y, int z) {
        this.grid = grid;
        this.cluster = cluster;
        this.rank = rank;
        id = x + grid.gridSize(0) * (y + grid.gridSize(1) * z);
        this.x = x;
        this.y = y;
        this.z = z;
        int bytes = grid.sharedBytes();
        shared = new Region(
                "shared memory", SHARED_FROM, bytes, MemorySegment.ofArray(new byte[Math.max(8, bytes)]), false, false);
        warps = new Warp[(grid.threads() + Warp.LANES - 1) / Warp.LANES];
    }

    /// Makes the threads, when all blocks of the cluster are there.
    void start() {
        int threads = grid.threads();
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i, Math.min(Warp.LANES, threads - i * Warp.LANES));
            cluster.add(warps[i]);
        }
    }

    int index(int axis) {
        return axis == 0 ? x : axis == 1 ? y : z;
    }

    String name() {
        return "block (%d,%d,%d)".formatted(x, y, z);
    }

    void exited(int threads) {
        exited += threads;
        cluster.barrier.check();
    }

    int liveThreads() {
        return grid.threads() - exited;
    }

    /// Lanes of a warp come to a barrier.
    ///
    /// @param count of threads that come to it, or 0 for all of the block
    /// @param waits whether they stay until all others have come
    /// @param ones how many of them bring true
    /// @param result what they take away, or null
    void arrive(Warp warp, int lanes, int number, int count, boolean waits, int ones, @Nullable Result result) {
        if (number < 0 || number >= BARRIERS) {
            throw warp.fault(Kind.INVALID, lanes, "name barrier %d; there are 0 to 15".formatted(number));
        }
        if (count < 0 || count % Warp.LANES != 0 || count > warps.length * Warp.LANES) {
            throw warp.fault(
                    Kind.INVALID,
                    lanes,
                    "expect %d threads at a barrier; a multiple of 32 is possible, up to the block's %d"
                            .formatted(count, grid.threads()));
        }
        Barrier barrier = barriers[number];
        if (barrier == null) {
            barrier = new Barrier(warps.length);
            barriers[number] = barrier;
        }
        int expected = count == 0 ? warps.length * Warp.LANES : count;
        if (barrier.arrived > 0 && barrier.expected != expected) {
            throw warp.fault(
                    Kind.BARRIER,
                    lanes,
                    "expect %d threads at barrier %d, where others expect %d"
                            .formatted(expected, number, barrier.expected));
        }
        barrier.expected = expected;
        int again = barrier.here[warp.index] & lanes;
        if (again != 0) {
            throw warp.fault(
                    Kind.BARRIER, again, "come to barrier %d again, before others have come there".formatted(number));
        }
        barrier.here[warp.index] |= lanes;
        // The last warp of a block may be short: the lanes that it lacks count as come.
        int lacks = Warp.LANES - Math.min(Warp.LANES, grid.threads() - warp.index * Warp.LANES);
        barrier.arrived += Integer.bitCount(lanes) + ((lanes & 1) != 0 ? lacks : 0);
        barrier.ones += ones;
        Clock told = warp.release();
        if (barrier.clock == null) {
            barrier.clock = told;
        } else {
            barrier.clock.join(told);
        }
        if (waits) {
            barrier.warps.add(warp);
            barrier.groups.add(warp.sleep(lanes));
            if (result != null) {
                barrier.results.add(result);
            }
        }
        if (barrier.arrived > expected) {
            throw warp.fault(
                    Kind.BARRIER,
                    lanes,
                    "come to barrier %d, where %d were expected and more came".formatted(number, expected));
        }
        if (barrier.arrived == expected) {
            Clock all = barrier.clock;
            int total = barrier.ones;
            barriers[number] = null;
            barrier.results.forEach(taker -> taker.accept(total, expected));
            for (int i = 0; i < barrier.warps.size(); i++) {
                Warp waiting = barrier.warps.get(i);
                waiting.acquire(all, barrier.groups.get(i).lanes);
                waiting.sync(barrier.groups.get(i).lanes);
                waiting.wake(barrier.groups.get(i));
            }
            grid.progress();
        }
    }
}
