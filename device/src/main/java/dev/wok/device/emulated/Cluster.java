package dev.wok.device.emulated;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Blocks that run together and reach each other's shared memory; one block where a launch names no clusters.
final class Cluster {
    final Grid grid;
    final int id;
    final List<Block> blocks = new ArrayList<>();

    final ClusterBarrier barrier;
    private final Map<Region, Map<Long, MBarrier>> mbarriers = new HashMap<>();
    private final BitSet asynchronous = new BitSet();
    private final List<Warp> warps = new ArrayList<>();
    private int agents;

    Cluster(Grid grid, int id) {
        this.grid = grid;
        this.id = id;
        barrier = new ClusterBarrier(this);
    }

    /// @return a number for somebody who accesses memory, in [Clock]
    int newAgent() {
        agents += 2;
        return agents - 2;
    }

    int newAsynchronousAgent() {
        int agent = newAgent();
        asynchronous.set(agent);
        return agent;
    }

    boolean isAsynchronous(int agent) {
        return asynchronous.get(agent);
    }

    void add(Warp warp) {
        warps.add(warp);
    }

    List<Warp> warps() {
        return warps;
    }

    String describe(int agent) {
        for (Warp warp : warps) {
            if (warp.agent == agent) {
                return "%s warp %d".formatted(warp.block.name(), warp.index);
            }
        }
        return "something asynchronous";
    }

    @Nullable
    Block block(int rank) {
        return rank >= 0 && rank < blocks.size() ? blocks.get(rank) : null;
    }

    boolean isDone() {
        for (Warp warp : warps) {
            if (!warp.isDone()) {
                return false;
            }
        }
        return true;
    }

    @Nullable
    MBarrier mbarrier(Region region, long offset) {
        Map<Long, MBarrier> there = mbarriers.get(region);
        return there == null ? null : there.get(offset);
    }

    void put(MBarrier barrier) {
        mbarriers.computeIfAbsent(barrier.region, _ -> new HashMap<>()).put(barrier.offset, barrier);
    }

    void remove(MBarrier barrier) {
        Map<Long, MBarrier> there = mbarriers.get(barrier.region);
        if (there != null) {
            there.remove(barrier.offset);
        }
    }

    List<MBarrier> mbarriers() {
        return mbarriers.values().stream()
                .flatMap(there -> there.values().stream())
                .toList();
    }
}
