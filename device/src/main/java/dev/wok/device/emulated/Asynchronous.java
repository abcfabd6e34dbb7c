package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/// What a warp has started and not yet waited for: copies of `cp.async`, bulk copies in groups, and `wgmma`.
///
/// Results arrive when they are waited for, as late as they may. Whoever touches them earlier is caught by [Races]: each
/// kind is an agent of its own there, whose time is the number of its group.
final class Asynchronous {
    /// A copy on its way into shared memory.
    private record Copy(int lane, int epoch, Region region, long offset, byte[] data) {}

    private final Warp warp;

    // cp.async: an epoch ends with each group and with each arrival at an mbarrier.
    private int copyAgent = -1;
    private final List<Copy> copies = new ArrayList<>();
    private final int[] epoch = new int[Warp.LANES];
    private final int[] copied = new int[Warp.LANES];
    private final List<List<Integer>> commits = new ArrayList<>();
    private int copying;

    // Bulk copies out of shared memory.
    private int bulkReads = -1;
    private int bulkWrites = -1;
    private final int[] bulkOpen = new int[Warp.LANES];
    private final int[] bulkCommitted = new int[Warp.LANES];
    private final int[] bulkRead = new int[Warp.LANES];

    // wgmma, by the whole warp.
    private int wgmmaAgent = -1;
    private int wgmmaCommitted;
    private boolean wgmmaOpen;
    private int[] busyUntil = {};
    private boolean[] isAccumulator = {};
    private boolean[] isDirty = {};
    private int busyRegisters;

    Asynchronous(Warp warp) {
        this.warp = warp;
        java.util.Arrays.fill(epoch, 1);
        for (int i = 0; i < Warp.LANES; i++) {
            commits.add(List.of());
        }
        if (warp.code.usesWgmma()) {
            busyUntil = new int[warp.code.slots()];
            isAccumulator = new boolean[warp.code.slots()];
            isDirty = new boolean[warp.code.slots()];
        }
    }

    // ------------------------------------------------------------------------------------------------ cp.async

    int copyAgent() {
        return copyAgent;
    }

    /// @return the last epoch whose copies a lane has waited for
    int copied(int lane) {
        return copied[lane];
    }

    /// Starts a copy to what the warp resolved.
    void copy(int lane, byte[] data) {
        if (copyAgent < 0) {
            copyAgent = warp.block.cluster.newAsynchronousAgent();
        }
        copying |= 1 << lane;
        int access = warp.block.grid.races.access(warp.block.cluster.id, copyAgent, epoch[lane], warp.pc());
        warp.ordering.touch(warp.region, warp.offset, data.length, Races.WRITE, access, lane);
        warp.region.markWritten(warp.offset, data.length);
        copies.add(new Copy(lane, epoch[lane], warp.region, warp.offset, data));
    }

    void commitCopies(int lanes) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (commits.get(lane).isEmpty()) {
                commits.set(lane, new ArrayList<>());
            }
            commits.get(lane).add(epoch[lane]++);
        }
    }

    /// @param open how many of the newest groups may stay on their way
    void waitCopies(int lanes, int open) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            List<Integer> groups = commits.get(lane);
            if (groups.size() > open) {
                finish(lane, groups.get(groups.size() - 1 - open));
            }
        }
        learnCopied();
    }

    private void finish(int lane, int upTo) {
        copied[lane] = Math.max(copied[lane], upTo);
        for (Iterator<Copy> each = copies.iterator(); each.hasNext(); ) {
            Copy copy = each.next();
            if (copy.lane == lane && copy.epoch <= upTo) {
                for (int i = 0; i < copy.data.length; i++) {
                    copy.region.set(copy.offset + i, 1, copy.data[i]);
                }
                each.remove();
            }
        }
        warp.block.grid.progress();
    }

    /// Others hear of copies with the next barrier.
    private void learnCopied() {
        if (copyAgent >= 0) {
            int all = Integer.MAX_VALUE;
            for (int rest = copying; rest != 0; rest &= rest - 1) {
                all = Math.min(all, copied[Integer.numberOfTrailingZeros(rest)]);
            }
            warp.clock.set(copyAgent, all);
        }
    }

    /// A lane's copies up to now arrive at an mbarrier when they are done.
    void arriveWithCopies(int lane, MBarrier barrier) {
        int upTo = epoch[lane]++;
        Clock told = warp.release();
        barrier.expectLanding(() -> {
            finish(lane, upTo);
            if (copyAgent >= 0) {
                told.set(copyAgent, upTo);
            }
            barrier.arrive(warp, lane, 1, told);
        });
    }

    // ------------------------------------------------------------------------------------------------ bulk groups

    private void bulkAgents() {
        if (bulkReads < 0) {
            bulkReads = warp.block.cluster.newAsynchronousAgent();
            bulkWrites = warp.block.cluster.newAsynchronousAgent();
        }
    }

    /// @return the access of a bulk copy that a lane starts
    int bulkAccess(int lane, boolean writes) {
        bulkAgents();
        bulkOpen[lane]++;
        return warp.block.grid.races.access(
                warp.block.cluster.id, writes ? bulkWrites : bulkReads, bulkCommitted[lane] + 1, warp.pc());
    }

    void commitBulk(int lanes) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            bulkCommitted[lane]++;
            bulkOpen[lane] = 0;
        }
    }

    /// @param readOnly whether only their sources are waited for
    void waitBulk(int lanes, int open, boolean readOnly) {
        bulkAgents();
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int done = Math.max(0, bulkCommitted[lane] - open);
            bulkRead[lane] = Math.max(bulkRead[lane], done);
            warp.clock.set(bulkReads, Math.max(warp.clock.get(bulkReads), done));
            if (!readOnly) {
                warp.clock.set(bulkWrites, Math.max(warp.clock.get(bulkWrites), done));
            }
        }
    }

    void requireNothingInFlight(int lanes) {
        for (int rest = lanes; rest != 0 && bulkReads >= 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (bulkOpen[lane] > 0 || bulkCommitted[lane] > bulkRead[lane]) {
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

    int wgmmaAccess() {
        if (wgmmaAgent < 0) {
            wgmmaAgent = warp.block.cluster.newAsynchronousAgent();
        }
        wgmmaOpen = true;
        return warp.block.grid.races.access(
                warp.block.cluster.id, wgmmaAgent, wgmmaCommitted + 1, warp.pc());
    }

    /// @param accumulates whether these registers are the results, which the next `wgmma` of the same shape may go on with
    void occupy(int[] slots, boolean accumulates) {
        for (int slot : slots) {
            if (isDirty[slot]) {
                throw warp.fault(
                        Kind.WGMMA_IN_FLIGHT,
                        warp.currentLanes(),
                        "start wgmma on registers that were written since the last wgmma.fence");
            }
            busyRegisters += busyUntil[slot] == 0 ? 1 : 0;
            busyUntil[slot] = wgmmaCommitted + 1;
            isAccumulator[slot] = accumulates;
        }
    }

    void fenceWgmma() {
        java.util.Arrays.fill(isDirty, false);
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
        boolean isWgmma = instruction.statement().opcode().equals("wgmma");
        if (busyRegisters > 0) {
            for (int slot : instruction.reads()) {
                requireFree(slot, instruction, isWgmma);
            }
            for (int slot : instruction.writes()) {
                requireFree(slot, instruction, isWgmma);
            }
        }
        if (!isWgmma) {
            for (int slot : instruction.writes()) {
                isDirty[slot] = true;
            }
        }
    }

    private void requireFree(int slot, Code.Instruction instruction, boolean isWgmma) {
        if (busyUntil[slot] != 0 && !(isWgmma && isAccumulator[slot]) && !isReadAlone(slot, instruction)) {
            throw warp.fault(
                    Kind.WGMMA_IN_FLIGHT,
                    warp.currentLanes(),
                    "touch a register of a wgmma that nobody has waited for (wgmma.wait_group)");
        }
    }

    /// What `wgmma` only reads may be read by others too.
    private boolean isReadAlone(int slot, Code.Instruction instruction) {
        if (isAccumulator[slot]) {
            return false;
        }
        for (int written : instruction.writes()) {
            if (written == slot) {
                return false;
            }
        }
        return true;
    }
}
