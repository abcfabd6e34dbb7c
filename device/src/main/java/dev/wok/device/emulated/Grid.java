package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;

/// One launch of a kernel: runs its clusters of blocks, one warp after the other for some instructions each,
/// in an order that never changes, and finds out where nothing moves any more.
final class Grid {
    /// Instructions of a warp's turn.
    private static final int TURN = 512;

    /// Instructions without any effect after which threads are taken to wait for ever.
    private static final long PATIENCE = 20_000_000;

    /// Rounds without any effect in which all threads do nothing but ask, after which they are taken to wait for ever.
    private static final int MOST_IDLE_ROUNDS = 300;

    /// Rounds after which the next blocks begin, even where those that run still get somewhere.
    private static final int LONGEST_ALONE = 64;

    /// The most blocks that run at a time.
    private static final int RESIDENT = 256;

    /// The most lines of a message that say who waits.
    private static final int MOST_SHOWN = 16;

    final Code code;
    final Allocations allocations;
    final Region parameters;
    final Races races;
    final Flags flags = new Flags();
    final Counters counters = new Counters();
    final Banks banks = new Banks();
    Region lastGlobal;

    private final int[] gridSize;
    private final int[] blockSize;
    private final int[] clusterSize;
    private final int dynamicBytes;
    private long effects;

    /// @param launch its number, for [Races]
    Grid(
            Code code,
            Allocations allocations,
            Region parameters,
            int launch,
            int[] gridSize,
            int[] blockSize,
            int[] clusterSize,
            int dynamicBytes) {
        this.code = code;
        this.allocations = allocations;
        this.parameters = parameters;
        this.gridSize = gridSize;
        this.blockSize = blockSize;
        this.clusterSize = clusterSize;
        this.dynamicBytes = dynamicBytes;
        races = new Races(launch);
        lastGlobal = parameters;
    }

    int gridSize(int axis) {
        return gridSize[axis];
    }

    int blockSize(int axis) {
        return blockSize[axis];
    }

    int clusterSize(int axis) {
        return clusterSize[axis];
    }

    int threads() {
        return blockSize[0] * blockSize[1] * blockSize[2];
    }

    int threadIndex(int linear, int axis) {
        return switch (axis) {
            case 0 -> linear % blockSize[0];
            case 1 -> linear / blockSize[0] % blockSize[1];
            default -> linear / (blockSize[0] * blockSize[1]);
        };
    }

    int dynamicBytes() {
        return dynamicBytes;
    }

    int sharedBytes() {
        return dynamicBytes == 0
                ? code.sharedBytes()
                : Decoder.aligned(code.sharedBytes(), code.dynamicAlign()) + dynamicBytes;
    }

    /// Something happened that others may wait for.
    void progress() {
        effects++;
    }

    /// Runs until all threads have exited.
    ///
    /// @throws PtxFault at the first thing that is wrong
    void run() {
        int clusters = 1;
        for (int axis = 0; axis < 3; axis++) {
            clusters *= gridSize[axis] / clusterSize[axis];
        }
        int perCluster = clusterSize[0] * clusterSize[1] * clusterSize[2];
        int most = Math.max(1, RESIDENT / perCluster);
        List<Cluster> resident = new ArrayList<>();
        int next = 0;
        long idleSince = 0;
        int idleRounds = 0;
        int alone = 0;
        long seen = -1;
        while (next < clusters || !resident.isEmpty()) {
            if (Thread.interrupted()) {
                throw new PtxFault(Kind.HANG, 0, "", "the launch was interrupted.");
            }
            if (resident.isEmpty()) {
                resident.add(cluster(next++));
            }
            boolean ran = false;
            boolean allAsk = true;
            for (Iterator<Cluster> each = resident.iterator(); each.hasNext(); ) {
                Cluster cluster = each.next();
                for (Warp warp : cluster.warps()) {
                    if (!warp.isDone() && warp.run(TURN) > 0) {
                        ran = true;
                        allAsk &= warp.yielded();
                    }
                }
                if (cluster.isDone()) {
                    requireNothingInFlight(cluster);
                    each.remove();
                }
            }
            boolean moved = effects != seen;
            seen = effects;
            idleSince = moved ? counters.instructions : idleSince;
            idleRounds = moved || !allAsk ? 0 : idleRounds + 1;
            alone++;
            if (!ran || !moved || alone > LONGEST_ALONE) {
                if (next < clusters && resident.size() < most) {
                    resident.add(cluster(next++));
                    alone = 0;
                } else if (!ran && !resident.isEmpty()) {
                    throw stuck(resident);
                }
            }
            if (counters.instructions - idleSince > PATIENCE || idleRounds > MOST_IDLE_ROUNDS) {
                throw hangs(resident, counters.instructions - idleSince);
            }
        }
    }

    private Cluster cluster(int id) {
        Cluster cluster = new Cluster(this, id);
        int[] count = new int[3];
        for (int axis = 0; axis < 3; axis++) {
            count[axis] = gridSize[axis] / clusterSize[axis];
        }
        int x = id % count[0] * clusterSize[0];
        int y = id / count[0] % count[1] * clusterSize[1];
        int z = id / (count[0] * count[1]) * clusterSize[2];
        for (int k = 0; k < clusterSize[2]; k++) {
            for (int j = 0; j < clusterSize[1]; j++) {
                for (int i = 0; i < clusterSize[0]; i++) {
                    int rank = cluster.blocks.size();
                    cluster.blocks.add(new Block(this, cluster, rank, x + i, y + j, z + k));
                }
            }
        }
        cluster.blocks.forEach(Block::start);
        progress();
        return cluster;
    }

    private void requireNothingInFlight(Cluster cluster) {
        for (Warp warp : cluster.warps()) {
            Warp first = warp.block.warps[warp.index / 4 * 4];
            int products = warp.asynchronous.products();
            if (products != first.asynchronous.products()) {
                throw fault(
                        Kind.DIVERGED,
                        0,
                        "%s warps %d and %d".formatted(warp.block.name(), first.index, warp.index),
                        "start %d and %d wgmma, which four warps must do together"
                                .formatted(first.asynchronous.products(), products));
            }
        }
        for (MBarrier barrier : cluster.mbarriers()) {
            if (barrier.isBusy()) {
                throw fault(
                        Kind.ASYNC_EARLY,
                        0,
                        cluster.blocks.getFirst().name(),
                        "end while copies to their shared memory are on their way: the mbarrier at byte %d was not waited for"
                                .formatted(barrier.offset));
            }
        }
    }

    /// Every thread waits for another one.
    private PtxFault stuck(List<Cluster> resident) {
        List<String> waiting = new ArrayList<>();
        Warp.Group first = null;
        String who = "";
        for (Cluster cluster : resident) {
            for (Warp warp : cluster.warps()) {
                for (Warp.Group group : warp.groups) {
                    waiting.add("%s wait in line %s".formatted(warp.who(group.lanes), place(group.at)));
                    // Who waits for lanes of its own warp says more than who waits for all.
                    if (first == null || first.isWaiting && group.isPaused) {
                        first = group;
                        who = warp.who(group.lanes);
                    }
                }
                if (warp.isDone()) {
                    waiting.add("%s warp %d has exited".formatted(warp.block.name(), warp.index));
                }
            }
        }
        int line = first == null ? 0 : code.instructions().get(first.at).line();
        return new PtxFault(
                first != null && first.isPaused ? Kind.DIVERGED : Kind.BARRIER,
                line,
                who,
                "%s, line %d: a barrier is not reached by all that it waits for.\n  %s"
                        .formatted(code.routine().name(), line, shortened(waiting)));
    }

    private String place(int instruction) {
        int line = code.instructions().get(instruction).line();
        return line + ": " + code.listing().text(line);
    }

    private static String shortened(List<String> lines) {
        int more = lines.size() - MOST_SHOWN;
        return lines.stream().limit(MOST_SHOWN).collect(Collectors.joining("\n  "))
                + (more > 0 ? "\n  and %d more".formatted(more) : "");
    }

    private PtxFault hangs(List<Cluster> resident, long instructions) {
        List<String> where = new ArrayList<>();
        Warp.Group first = null;
        String who = "";
        for (Cluster cluster : resident) {
            for (Warp warp : cluster.warps()) {
                for (Warp.Group group : warp.groups) {
                    where.add("%s in line %s".formatted(warp.who(group.lanes), place(group.at)));
                    if (first == null || !first.isRunnable() && group.isRunnable()) {
                        first = group;
                        who = warp.who(group.lanes);
                    }
                }
            }
            cluster.mbarriers()
                    .forEach(barrier -> where.add("the mbarrier at byte %d of %s: %s"
                            .formatted(barrier.offset, barrier.region.name, barrier.state())));
        }
        return new PtxFault(
                Kind.HANG,
                first == null ? 0 : code.instructions().get(first.at).line(),
                who,
                "%s: %d instructions ran without any effect; somebody waits for ever.\n  %s"
                        .formatted(code.routine().name(), instructions, shortened(where)));
    }

    /// @param who such as `block (0,0,0) warp 1 lanes 0-3`
    /// @param what they do
    PtxFault fault(Kind kind, int line, String who, String what) {
        String text = code.listing().text(line);
        String name = kind.name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
        return new PtxFault(
                kind,
                line,
                who,
                line == 0
                        ? "%s: %s: threads %s.\n  %s".formatted(code.routine().name(), name, what, who)
                        : "%s, line %d: %s: threads %s.\n  %d | %s\n  %s"
                                .formatted(code.routine().name(), line, name, what, line, text, who));
    }
}
