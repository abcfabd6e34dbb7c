package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Races.Conflict;
import org.jspecify.annotations.Nullable;

/// What one warp may rely on: which accesses of others happened before its own, by barriers, fences, acquire and
/// release (PTX ISA, memory consistency model). Of scopes it knows two: the block, and what is wider.
final class Ordering implements Races.Observer {
    /// Every lane of a warp together.
    static final int WHOLE_WARP = -1;

    /// What a release left at an address.
    ///
    /// @param wide what it tells everybody, or null
    /// @param narrow what it tells its block
    record Published(@Nullable Clock wide, Clock narrow, Block block) {}

    private final Warp warp;
    private int lane;

    // What this warp had to tell at its last fences, or null.
    private @Nullable Clock fencedWide;
    private @Nullable Clock fencedNarrow;

    // What relaxed reads found, which a fence behind them makes known, or null.
    private @Nullable Clock foundWide;
    private @Nullable Clock foundNarrow;

    // What was acquired last, which who asks again finds again.
    private @Nullable Published seen;
    private int seenBy;

    Ordering(Warp warp) {
        this.warp = warp;
    }

    @Override
    public boolean knows(int cluster, int agent, int time, int lanes, int[] ofLanes) {
        int here = warp.block.cluster.id;
        if (cluster == here) {
            if (agent == warp.agent) {
                return lane == WHOLE_WARP || warp.knows(lane, lanes, time);
            }
            if (lane != WHOLE_WARP && lanes == 1 << lane && warp.asynchronous.isDone(agent, lane, time)) {
                return true;
            }
        }
        return warp.knowsOthers(askers(), cluster, agent, time)
                || ofLanes.length > 0 && knowsEach(cluster, time, lanes, ofLanes);
    }

    /// @return whether it knows what each of some lanes did, though not what all of their warp did
    private boolean knowsEach(int cluster, int time, int lanes, int[] ofLanes) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int agent = ofLanes[Integer.numberOfTrailingZeros(rest)];
            if (agent < 0 || !warp.knowsOthers(askers(), cluster, agent, time)) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean isFenced(int cluster, int agent, int time) {
        return warp.knowsOthers(askers(), cluster, agent + 1, time);
    }

    private int askers() {
        return lane == WHOLE_WARP ? -1 : 1 << lane;
    }

    /// An ordinary access of this warp.
    void touch(Region region, long offset, int width, int kind, int byLane) {
        touch(region, offset, width, kind, warp.who, warp.time, byLane);
    }

    /// An access that something asynchronous makes for this warp.
    ///
    /// @param who its number in [Races]
    /// @param byLane who started it, or [#WHOLE_WARP]
    void touch(Region region, long offset, int width, int kind, int who, int time, int byLane) {
        lane = byLane;
        int lanes = byLane == WHOLE_WARP ? -1 : 1 << byLane;
        Races races = warp.block.grid.races;
        races.by(who, time, warp.pc());
        Conflict conflict = races.touch(region, offset, width, kind, lanes, this);
        if (conflict != null) {
            throw fault(
                    conflict,
                    region,
                    offset,
                    (kind & Races.WRITE) != 0,
                    byLane == WHOLE_WARP ? warp.currentLanes() : lanes);
        }
    }

    private PtxFault fault(Conflict conflict, Region region, long offset, boolean writes, int lanes) {
        Cluster cluster = warp.block.cluster;
        String place = "%s byte %d of %s".formatted(writes ? "write" : "read", offset, region.name);
        int line = warp.code.instructions().get(conflict.code()).line();
        boolean isOwnCluster = conflict.cluster() == cluster.id;
        return switch (conflict.reason()) {
            case UNFENCED ->
                warp.fault(
                        Kind.PROXY,
                        lanes,
                        "%s asynchronously, which line %d wrote, without fence.proxy.async between them"
                                .formatted(place, line));
            case READ_ONLY ->
                warp.fault(
                        Kind.INVALID,
                        lanes,
                        "%s, which line %d %s in the same launch, though .nc is for what nobody writes"
                                .formatted(place, line, conflict.wrote() ? "wrote" : "read with .nc"));
            case UNORDERED -> {
                if (isOwnCluster && cluster.isAsynchronous(conflict.agent())) {
                    yield warp.fault(
                            Kind.ASYNC_EARLY,
                            lanes,
                            "%s, which line %d %s asynchronously, and nobody has waited for that"
                                    .formatted(place, line, conflict.wrote() ? "writes" : "reads"));
                }
                yield warp.fault(
                        Kind.RACE,
                        lanes,
                        "%s, which %s %s in line %d, and nothing orders the two"
                                .formatted(place, who(conflict), conflict.wrote() ? "wrote" : "read", line));
            }
        };
    }

    private String who(Conflict conflict) {
        Cluster cluster = warp.block.cluster;
        if (conflict.cluster() != cluster.id) {
            return "another block";
        }
        if (conflict.agent() != warp.agent) {
            return cluster.describe(conflict.agent());
        }
        int others = lane == WHOLE_WARP ? conflict.lanes() : conflict.lanes() & ~(1 << lane);
        return Integer.bitCount(others) == 1
                ? "lane %d of this warp".formatted(Integer.numberOfTrailingZeros(others))
                : "other lanes of this warp";
    }

    // ------------------------------------------------------------------------------------------------ fences

    /// `fence`, `membar`.
    void fence(int lanes, boolean isWide) {
        if (foundNarrow != null) {
            warp.acquire(foundNarrow, lanes);
            foundNarrow = null;
        }
        if (isWide && foundWide != null) {
            warp.acquire(foundWide, lanes);
            foundWide = null;
        }
        fencedNarrow = warp.release();
        fencedWide = isWide ? fencedNarrow : fencedWide;
    }

    /// `fence.proxy.async`.
    void fenceProxy() {
        warp.fenceProxy();
    }

    /// @return what this warp had to tell at its last fence for more than its block, or null
    @Nullable
    Clock fencedWide() {
        return fencedWide;
    }

    /// A strong write at what the warp resolved.
    ///
    /// @param isUpdate whether it read there as well, so that what others released stays visible
    void published(Accesses.Order order, boolean isUpdate) {
        Clock narrow = order.isRelease() ? warp.release() : fencedNarrow;
        Clock wide = !order.isWide() ? null : order.isRelease() ? narrow : fencedWide;
        Flags flags = warp.block.grid.flags;
        Published before = flags.get(warp.region, warp.offset);
        int here = warp.block.cluster.id;
        if (narrow == null) {
            if (!isUpdate && before != null) {
                flags.remove(warp.region, warp.offset);
            }
            return;
        }
        Clock sumNarrow = narrow.copy();
        Clock sumWide = wide == null ? null : wide.copy();
        if (isUpdate && before != null) {
            int there = before.block.cluster.id;
            Clock told = before.block == warp.block ? before.narrow : before.wide;
            if (told != null) {
                sumNarrow.join(told, there, here);
            }
            if (before.wide != null) {
                sumWide = sumWide == null ? new Clock() : sumWide;
                sumWide.join(before.wide, there, here);
            }
        }
        flags.put(warp.region, warp.offset, new Published(sumWide, sumNarrow, warp.block));
    }

    /// A strong read at what the warp resolved.
    void observed(Accesses.Order order, int byLane) {
        Published published = warp.block.grid.flags.get(warp.region, warp.offset);
        if (published == null || order.isAcquire() && published == seen && byLane == seenBy) {
            return;
        }
        boolean isOwn = published.block == warp.block;
        Clock all = isOwn ? published.narrow : order.isWide() ? published.wide : null;
        if (all == null) {
            return;
        }
        Clock told = new Clock();
        told.join(all, published.block.cluster.id, warp.block.cluster.id);
        if (order.isAcquire()) {
            warp.acquire(told, 1 << byLane);
            seen = published;
            seenBy = byLane;
        } else if (isOwn) {
            foundNarrow = joined(foundNarrow, told);
        } else {
            foundWide = joined(foundWide, told);
        }
    }

    private static Clock joined(@Nullable Clock found, Clock told) {
        if (found == null) {
            return told;
        }
        found.join(told);
        return found;
    }
}
