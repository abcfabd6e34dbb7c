package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a warp has started and not yet waited for: copies of `cp.async`, bulk copies in groups, and `wgmma`.
///
/// Results arrive when they are waited for, as late as they may. Whoever touches them earlier is caught by
/// [Races]: each kind is an agent of its own there, whose time is the number of its group.
final class Asynchronous {
    /// A copy on its way into shared memory.
    private record Copy(int lane, int time, Region region, long offset, byte[] data) {}

    private final Warp warp;

    private @Nullable Groups copying;
    private final List<Copy> copies = new ArrayList<>();

    // Bulk copies out of shared memory: what they read, and what they write.
    private @Nullable Groups bulkReads;
    private @Nullable Groups bulkWrites;

    /// Whether lanes have waited for something since the clock was told.
    private boolean hasNews;

    // wgmma, by the whole warp.
    private int wgmmaAgent = -1;
    private int wgmmaWho;
    private int wgmmaCommitted;
    private boolean wgmmaOpen;

    /// How many were started.
    private int products;

    private int[] busyUntil = {};
    private String[] shapes = {};
    private boolean[] isUsed = {};
    private int busyRegisters;

    Asynchronous(Warp warp) {
        this.warp = warp;
        if (warp.code.usesWgmma()) {
            busyUntil = new int[warp.code.slots()];
            shapes = new String[warp.code.slots()];
            java.util.Arrays.fill(shapes, "");
            // The first one needs a fence too.
            isUsed = new boolean[warp.code.slots()];
            java.util.Arrays.fill(isUsed, true);
        }
    }

    /// @return whether a lane has waited for what it started itself
    boolean isDone(int agent, int lane, int time) {
        return isDone(copying, agent, lane, time)
                || isDone(bulkReads, agent, lane, time)
                || isDone(bulkWrites, agent, lane, time);
    }

    private static boolean isDone(@Nullable Groups groups, int agent, int lane, int time) {
        return groups != null && groups.agent == agent && time <= groups.done(lane);
    }

    /// Puts into the warp's clock what lanes have waited for: others hear of it, lanes of the same warp among them.
    void tell() {
        if (hasNews) {
            hasNews = false;
            tell(copying);
            tell(bulkReads);
            tell(bulkWrites);
        }
    }

    private void tell(@Nullable Groups groups) {
        if (groups != null) {
            warp.clock.set(groups.agent, groups.allDone());
        }
    }

    // ------------------------------------------------------------------------------------------------ cp.async

    private Groups copying() {
        if (copying == null) {
            copying = new Groups(warp);
        }
        return copying;
    }

    /// Notes that a copy reads what the warp resolved.
    void copyFrom(int lane, int bytes) {
        Groups groups = copying();
        warp.ordering.touch(warp.region, warp.offset, bytes, 0, groups.who, groups.start(lane), lane);
    }

    /// Starts a copy to what the warp resolved.
    void copy(int lane, byte[] data) {
        Groups groups = copying();
        int time = groups.start(lane);
        warp.ordering.touch(warp.region, warp.offset, data.length, Races.WRITE, groups.who, time, lane);
        warp.region.markWritten(warp.offset, data.length);
        copies.add(new Copy(lane, time, warp.region, warp.offset, data));
    }

    void commitCopies(int lanes) {
        copying().commit(lanes);
    }

    /// @param open how many of the newest groups may stay on their way
    void waitCopies(int lanes, int open) {
        Groups groups = copying();
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            groups.await(Integer.numberOfTrailingZeros(rest), open);
        }
        finish(lanes);
    }

    private void finish(int lanes) {
        Groups groups = copying();
        hasNews = true;
        copies.removeIf(copy -> {
            boolean isOver = (lanes >>> copy.lane & 1) != 0 && copy.time <= groups.done(copy.lane);
            if (isOver) {
                for (int i = 0; i < copy.data.length; i++) {
                    copy.region.set(copy.offset + i, 1, copy.data[i]);
                }
                warp.block.grid.progress();
            }
            return isOver;
        });
    }

    /// The copies of some lanes up to now arrive at their mbarriers when they are done.
    ///
    /// @param barriers of each lane
    void arriveWithCopies(int lanes, MBarrier[] barriers) {
        Groups groups = copying();
        int upTo = groups.mark();
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            MBarrier barrier = barriers[lane];
            Clock told = warp.release();
            barrier.expectLanding(() -> {
                groups.finish(lane, upTo);
                finish(1 << lane);
                told.set(groups.agent, upTo);
                barrier.arrive(warp, lane, 1, told);
            });
        }
    }

    // ------------------------------------------------------------------------------------------------ bulk groups

    private Groups bulkReads() {
        if (bulkReads == null) {
            bulkReads = new Groups(warp);
        }
        return bulkReads;
    }

    private Groups bulkWrites() {
        if (bulkWrites == null) {
            bulkWrites = new Groups(warp);
        }
        return bulkWrites;
    }

    /// Notes that a bulk copy that a lane starts touches what the warp resolved.
    void touchInBulk(int lane, int bytes, int kind) {
        Groups groups = (kind & Races.WRITE) != 0 ? bulkWrites() : bulkReads();
        warp.ordering.touch(warp.region, warp.offset, bytes, kind | Races.ASYNC, groups.who, groups.start(lane), lane);
    }

    void commitBulk(int lanes) {
        bulkReads().commit(lanes);
        bulkWrites().commit(lanes);
    }

    /// @param readOnly whether only their sources are waited for
    void waitBulk(int lanes, int open, boolean readOnly) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            bulkReads().await(lane, open);
            if (!readOnly) {
                bulkWrites().await(lane, open);
            }
        }
        hasNews = true;
    }

    void requireNothingInFlight(int lanes) {
        for (int rest = lanes; rest != 0 && bulkReads != null; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (bulkReads.isOpen(lane)) {
                throw warp.fault(
                        Kind.ASYNC_EARLY,
                        1 << lane,
                        "exit while bulk copies still read their shared memory, and nobody has waited for them");
            }
        }
        if (wgmmaOpen || busyRegisters > 0) {
            throw warp.fault(Kind.WGMMA_IN_FLIGHT, lanes, "exit without having waited for wgmma");
        }
    }

    // ------------------------------------------------------------------------------------------------ wgmma

    /// Notes that `wgmma` reads what the warp resolved.
    void touchByWgmma(int bytes) {
        if (wgmmaAgent < 0) {
            wgmmaAgent = warp.block.cluster.newAsynchronousAgent();
            wgmmaWho = warp.block.grid.races.add(warp.block.cluster.id, warp.block.id, wgmmaAgent);
        }
        wgmmaOpen = true;
        warp.ordering.touch(
                warp.region, warp.offset, bytes, Races.ASYNC, wgmmaWho, wgmmaCommitted + 1, Ordering.WHOLE_WARP);
    }

    /// @param shape of the multiplication whose results these registers are, which the next one of the same shape may
    ///     go on with; empty where it only reads them
    void occupy(int[] slots, String shape) {
        for (int slot : slots) {
            if (slot < 0) {
                continue;
            }
            if (isUsed[slot]) {
                throw warp.fault(
                        Kind.WGMMA_IN_FLIGHT,
                        warp.currentLanes(),
                        "start wgmma on registers that were used since the last wgmma.fence");
            }
            busyRegisters += busyUntil[slot] == 0 ? 1 : 0;
            busyUntil[slot] = wgmmaCommitted + 1;
            shapes[slot] = shape;
        }
        wgmmaOpen = true;
        products += shape.isEmpty() ? 0 : 1;
    }

    /// @return how many `wgmma` this warp has started
    int products() {
        return products;
    }

    void fenceWgmma() {
        java.util.Arrays.fill(isUsed, false);
    }

    void commitWgmma() {
        wgmmaCommitted++;
        wgmmaOpen = false;
    }

    void waitWgmma(int open) {
        int done = wgmmaCommitted - open;
        if (wgmmaAgent >= 0 && done > 0) {
            warp.clock.set(wgmmaAgent, Math.max(warp.clock.get(wgmmaAgent), done));
        }
        for (int slot = 0; slot < busyUntil.length && busyRegisters > 0; slot++) {
            if (busyUntil[slot] != 0 && busyUntil[slot] <= done) {
                busyUntil[slot] = 0;
                busyRegisters--;
            }
        }
    }

    /// Checks the registers of an instruction before it runs, in programs that use `wgmma`.
    void check(Code.Instruction instruction) {
        if (instruction.shape().isEmpty()) {
            for (int slot : instruction.reads()) {
                requireFree(slot, !shapes[slot].isEmpty());
                isUsed[slot] = true;
            }
            for (int slot : instruction.writes()) {
                requireFree(slot, true);
                isUsed[slot] = true;
            }
        } else if (busyRegisters > 0) {
            for (int slot : instruction.writes()) {
                requireFree(slot, !shapes[slot].equals(instruction.shape()));
            }
            for (int slot : instruction.reads()) {
                requireFree(slot, !shapes[slot].isEmpty() && !shapes[slot].equals(instruction.shape()));
            }
        }
    }

    private void requireFree(int slot, boolean matters) {
        if (matters && busyUntil[slot] != 0) {
            throw warp.fault(
                    Kind.WGMMA_IN_FLIGHT,
                    warp.currentLanes(),
                    "touch a register of a wgmma that nobody has waited for (wgmma.wait_group)");
        }
    }
}
