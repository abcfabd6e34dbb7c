package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// `barrier.cluster`: every thread of a cluster arrives, and later waits for all others to have arrived.
final class ClusterBarrier {
    private final Cluster cluster;
    private int arrived;
    private int phase;
    private @Nullable Clock clock;

    /// What the last phase made known.
    private Clock done = new Clock();

    private final List<Warp> warps = new ArrayList<>();
    private final List<Warp.Group> groups = new ArrayList<>();

    ClusterBarrier(Cluster cluster) {
        this.cluster = cluster;
    }

    int phase() {
        return phase;
    }

    void arrive(Warp warp, int lanes, boolean isRelease) {
        arrived += Integer.bitCount(lanes);
        // A relaxed arrival tells what the last fence had to tell.
        Clock told = isRelease ? warp.release() : warp.ordering.fencedWide();
        if (told != null && clock == null) {
            clock = told.copy();
        } else if (told != null && clock != null) {
            clock.join(told);
        }
        check();
    }

    /// @param arrivedIn the phase in which these lanes arrived
    void await(Warp warp, int lanes, int arrivedIn) {
        if (arrivedIn < 0) {
            throw warp.fault(Kind.BARRIER, lanes, "wait at the cluster's barrier without having arrived");
        }
        if (phase > arrivedIn) {
            pass(warp, lanes);
            return;
        }
        warps.add(warp);
        groups.add(warp.sleep(lanes));
    }

    private void pass(Warp warp, int lanes) {
        warp.acquire(done, lanes);
        warp.sync(lanes);
    }

    /// Ends the phase where every thread that lives has arrived.
    void check() {
        int live = cluster.blocks.stream().mapToInt(Block::liveThreads).sum();
        if (arrived == 0 || arrived < live) {
            return;
        }
        arrived = 0;
        phase++;
        if (clock != null) {
            done.join(clock);
            clock = null;
        }
        for (int i = 0; i < warps.size(); i++) {
            pass(warps.get(i), groups.get(i).lanes);
            warps.get(i).wake(groups.get(i));
        }
        warps.clear();
        groups.clear();
        cluster.grid.progress();
    }
}
