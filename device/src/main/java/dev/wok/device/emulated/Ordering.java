package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Races.Conflict;
import org.jspecify.annotations.Nullable;

/// What one warp may rely on: which accesses of others happened before its own, by barriers, fences, acquire and
/// release (PTX ISA, memory consistency model).
final class Ordering implements Races.Observer {
    /// Every lane of a warp together.
    static final int WHOLE_WARP = -1;

    /// What a release left at an address.
    record Published(Clock clock, int cluster) {}

    private final Warp warp;
    private int lane;

    /// What this warp had to tell at its last fence, or null.
    private @Nullable Clock fenced;

    /// What relaxed reads found, which a fence behind them makes known.
    private @Nullable Clock found;

    /// What had happened at this warp's last proxy fence.
    private Clock proxied = new Clock();

    Ordering(Warp warp) {
        this.warp = warp;
    }

    @Override
    public boolean knows(int cluster, int agent, int time, int ofLane) {
        int here = warp.block.cluster.id;
        if (cluster == here && agent == warp.agent) {
            return lane == WHOLE_WARP || lane == ofLane || time <= warp.synced[lane];
        }
        if (cluster == here && agent == warp.asynchronous.copyAgent() && lane == ofLane) {
            return time <= warp.asynchronous.copied(lane);
        }
        return warp.clock.knows(cluster, here, agent, time);
    }

    @Override
    public boolean isFenced(int cluster, int agent, int time) {
        int here = warp.block.cluster.id;
        return cluster == here && warp.block.cluster.proxyFenced.get(agent) >= time
                || proxied.knows(cluster, here, agent, time);
    }

    /// An ordinary access of this warp.
    void touch(Region region, long offset, int width, int kind, int byLane) {
        lane = byLane;
        Conflict conflict =
                warp.block.grid.races.touch(region, offset, width, kind, warp.access(), byLane, this);
        if (conflict != null) {
            throw fault(conflict, region, offset, (kind & Races.WRITE) != 0, 1 << byLane);
        }
    }

    /// An access that something asynchronous makes for this warp.
    ///
    /// @param access its number, for the asynchronous agent
    /// @param byLane who started it, or [#WHOLE_WARP]
    void touch(Region region, long offset, int width, int kind, int access, int byLane) {
        lane = byLane;
        Conflict conflict = warp.block.grid.races.touch(
                region, offset, width, kind, access, byLane == WHOLE_WARP ? Warp.LANES : byLane, this);
        if (conflict != null) {
            int lanes = byLane == WHOLE_WARP ? warp.currentLanes() : 1 << byLane;
            throw fault(conflict, region, offset, (kind & Races.WRITE) != 0, lanes);
        }
    }

    private PtxFault fault(Conflict conflict, Region region, long offset, boolean writes, int lanes) {
        Cluster cluster = warp.block.cluster;
        String place = "%s byte %d of %s".formatted(writes ? "write" : "read", offset, region.name);
        int line = warp.code.instructions().get(conflict.code()).line();
        if (conflict.isProxy()) {
            return warp.fault(
                    Kind.PROXY,
                    lanes,
                    "%s asynchronously, which line %d wrote, without fence.proxy.async between them"
                            .formatted(place, line));
        }
        boolean isOwnCluster = conflict.cluster() == cluster.id;
        if (isOwnCluster && cluster.isAsynchronous(conflict.agent())) {
            return warp.fault(
                    Kind.ASYNC_EARLY,
                    lanes,
                    "%s, which line %d %s asynchronously, and nobody has waited for that"
                            .formatted(place, line, conflict.wrote() ? "writes" : "reads"));
        }
        String who = isOwnCluster && conflict.agent() == warp.agent
                ? (conflict.lane() < Warp.LANES ? "lane %d of this warp".formatted(conflict.lane()) : "other lanes of this warp")
                : isOwnCluster ? cluster.describe(conflict.agent()) : "another block";
        return warp.fault(
                Kind.RACE,
                lanes,
                "%s, which %s %s in line %d, and nothing orders the two"
                        .formatted(place, who, conflict.wrote() ? "wrote" : "read", line));
    }

    // ------------------------------------------------------------------------------------------------ fences

    /// `fence`, `membar`.
    void fence(int lanes) {
        if (found != null) {
            warp.acquire(found, lanes);
            found = null;
        }
        fenced = warp.release();
    }

    /// `fence.proxy.async`.
    void fenceProxy() {
        warp.block.cluster.proxyFenced.set(warp.agent, warp.time);
        proxied = warp.clock.copy();
        warp.release();
    }

    /// A strong write at what the warp resolved.
    ///
    /// @param isUpdate whether it read there as well, so that what others released stays visible
    void published(boolean isRelease, boolean isUpdate) {
        Clock told = isRelease ? warp.release() : fenced;
        Flags flags = warp.block.grid.flags;
        Published before = flags.get(warp.region, warp.offset);
        int here = warp.block.cluster.id;
        if (told == null) {
            if (!isUpdate && before != null) {
                flags.remove(warp.region, warp.offset);
            }
            return;
        }
        Clock sum = told.copy();
        if (isUpdate && before != null) {
            sum.join(before.clock, before.cluster, here);
        }
        flags.put(warp.region, warp.offset, new Published(sum, here));
    }

    /// A strong read at what the warp resolved.
    void observed(boolean isAcquire, int byLane) {
        Published published = warp.block.grid.flags.get(warp.region, warp.offset);
        if (published == null) {
            return;
        }
        Clock told = new Clock();
        told.join(published.clock, published.cluster, warp.block.cluster.id);
        if (isAcquire) {
            warp.acquire(told, 1 << byLane);
        } else if (found == null) {
            found = told;
        } else {
            found.join(told);
        }
    }
}
