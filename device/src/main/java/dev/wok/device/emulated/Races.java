package dev.wok.device.emulated;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Who touched which word of memory in a launch, and whether anything orders two touches of the same bytes.
///
/// Each word of four bytes has a chain of records: the last ordinary write, and the reads and strong
/// writes since then, each with a mask of bytes. Two accesses race where both touch a byte, one of
/// them writes, not both are strong (atomic, volatile, relaxed, acquire, release), and the later one's
/// [Clock] does not know the earlier one (as in C. Flanagan and S. Freund, FastTrack, 2009). Clocks
/// are kept by warp, and by lane where lanes tell or hear something apart from the others. Lanes of
/// one warp are ordered by barriers that they took part in, not by running side by side.
final class Races {
    static final int WRITE = 1;
    static final int STRONG = 2;

    /// By the asynchronous proxy: bulk copies, `wgmma`.
    static final int ASYNC = 4;

    /// Strong among the threads of one block only.
    static final int IN_BLOCK = 8;

    /// Through the cache of what nobody writes: `ld.global.nc`.
    static final int READ_ONLY = 16;

    private static final int KIND = 63;
    private static final int BYTES_AT = 6;
    private static final int CODE_AT = 10;

    /// The most records of reads and strong writes that a word has; the oldest is forgotten first.
    private static final int MOST = 40;

    /// Why two accesses conflict.
    enum Reason {
        UNORDERED,
        /// They are ordered, and only a proxy fence is missing.
        UNFENCED,
        /// One goes through the read-only cache.
        READ_ONLY
    }

    /// An access that another one conflicts with.
    ///
    /// @param code the instruction's index
    /// @param lanes who made it, a bit each
    record Conflict(Reason reason, int code, boolean wrote, int cluster, int agent, int lanes) {}

    /// Who asks whether an earlier access is over.
    interface Observer {
        /// @return whether an earlier access of some lanes happened before this one
        ///
        /// @param ofLanes what clocks call each lane of theirs, or -1; empty where nothing has lanes
        boolean knows(int cluster, int agent, int time, int lanes, int[] ofLanes);

        /// @return whether the asynchronous proxy sees what was written then
        boolean isFenced(int cluster, int agent, int time);
    }

    private static final int[] NO_LANES = {};

    private final int launch;

    // Who accesses: warps, and what is asynchronous.
    private int agents;
    private int[] clusters = new int[64];
    private int[] blocks = new int[64];
    private int[] indices = new int[64];
    private int[][] lanesOf = new int[64][];

    // Records, chained; 0 ends a chain.
    private int[] who = new int[4096];
    private int[] time = new int[4096];
    private int[] lanes = new int[4096];
    private int[] what = new int[4096];
    private int[] next = new int[4096];
    private int used = 1;
    private int free;

    // The access that is being noted.
    private int byWho;
    private int atTime;
    private int inCode;

    Races(int launch) {
        this.launch = launch;
    }

    /// @param index what the cluster's clocks call it
    /// @return the number of somebody who accesses memory
    int add(int cluster, int block, int index) {
        return add(cluster, block, index, NO_LANES);
    }

    /// @param ofLanes what they call each of its lanes, where it is known apart, or -1
    int add(int cluster, int block, int index, int[] ofLanes) {
        if (agents == clusters.length) {
            clusters = Arrays.copyOf(clusters, 2 * agents);
            blocks = Arrays.copyOf(blocks, 2 * agents);
            indices = Arrays.copyOf(indices, 2 * agents);
            lanesOf = Arrays.copyOf(lanesOf, 2 * agents);
        }
        clusters[agents] = cluster;
        blocks[agents] = block;
        indices[agents] = index;
        lanesOf[agents] = ofLanes;
        return agents++;
    }

    /// Says whose accesses are noted from now on.
    ///
    /// @param code the instruction's index
    void by(int agent, int now, int code) {
        byWho = agent;
        atTime = now;
        inCode = code;
    }

    /// Notes that bytes are touched.
    ///
    /// @param kind of [#WRITE] and the others
    /// @param by a bit for each lane
    /// @return the access that it conflicts with, or null
    @Nullable
    Conflict touch(Region region, long offset, int width, int kind, int by, Observer observer) {
        if (region.launch != launch || region.heads.length == 0) {
            region.clearHeads(launch);
        }
        int[] heads = region.heads;
        if ((offset & 3) == 0 && width == 4) {
            return touch(heads, (int) (offset >>> 2), 15, kind, by, observer);
        }
        long end = offset + width;
        for (long at = offset; at < end; ) {
            int from = (int) (at & 3);
            int to = (int) Math.min(4, from + end - at);
            Conflict conflict = touch(heads, (int) (at >>> 2), (1 << to) - (1 << from), kind, by, observer);
            if (conflict != null) {
                return conflict;
            }
            at += to - from;
        }
        return null;
    }

    private @Nullable Conflict touch(int[] heads, int word, int bytes, int kind, int by, Observer observer) {
        // What is ordered behind all others replaces them; what is strong may be ordered behind none.
        boolean replaces = (kind & (WRITE | STRONG)) == WRITE;
        int some = 0;
        int before = 0;
        int noted = 0;
        int all = by;
        for (int at = heads[word]; at != 0; ) {
            int record = what[at];
            int after = next[at];
            int left = record >>> BYTES_AT & 15;
            if ((left & bytes) != 0) {
                if (((kind | record) & WRITE) != 0) {
                    Conflict conflict = conflict(at, kind, observer);
                    if (conflict != null) {
                        return conflict;
                    }
                }
                if (replaces) {
                    left &= ~bytes;
                    what[at] = record & ~(15 << BYTES_AT) | left << BYTES_AT;
                } else if (who[at] == byWho && (record & KIND) == kind && left == bytes) {
                    if (noted == 0 && time[at] == atTime) {
                        lanes[at] |= by;
                        all = lanes[at];
                        noted = at;
                    } else if ((lanes[at] & ~all) == 0) {
                        // The same lanes have done it again since.
                        left = 0;
                    }
                }
            }
            boolean isOneOfMany = (record & (WRITE | STRONG)) != WRITE;
            some += isOneOfMany ? 1 : 0;
            boolean isTooMuch = after == 0 && isOneOfMany && some > MOST;
            if (left == 0 || isTooMuch) {
                if (before == 0) {
                    heads[word] = after;
                } else {
                    next[before] = after;
                }
                next[at] = free;
                free = at;
            } else {
                before = at;
            }
            at = after;
        }
        if (noted == 0) {
            int at = allocate();
            who[at] = byWho;
            time[at] = atTime;
            lanes[at] = by;
            what[at] = inCode << CODE_AT | bytes << BYTES_AT | kind;
            next[at] = heads[word];
            heads[word] = at;
        }
        return null;
    }

    private @Nullable Conflict conflict(int at, int kind, Observer observer) {
        int other = what[at] & KIND;
        if (((kind | other) & READ_ONLY) != 0) {
            return conflict(Reason.READ_ONLY, at);
        }
        if ((kind & other & STRONG) != 0 && (((kind | other) & IN_BLOCK) == 0 || blocks[who[at]] == blocks[byWho])) {
            return null;
        }
        int cluster = clusters[who[at]];
        int agent = indices[who[at]];
        if (!observer.knows(cluster, agent, time[at], lanes[at], lanesOf[who[at]])) {
            return conflict(Reason.UNORDERED, at);
        }
        boolean needsFence = (kind & ASYNC) != 0 && (other & (ASYNC | WRITE)) == WRITE;
        return needsFence && !observer.isFenced(cluster, agent, time[at]) ? conflict(Reason.UNFENCED, at) : null;
    }

    private Conflict conflict(Reason reason, int at) {
        int agent = who[at];
        return new Conflict(
                reason, what[at] >>> CODE_AT, (what[at] & WRITE) != 0, clusters[agent], indices[agent], lanes[at]);
    }

    private int allocate() {
        if (free != 0) {
            int at = free;
            free = next[at];
            return at;
        }
        if (used == who.length) {
            int length = 2 * used;
            who = Arrays.copyOf(who, length);
            time = Arrays.copyOf(time, length);
            lanes = Arrays.copyOf(lanes, length);
            what = Arrays.copyOf(what, length);
            next = Arrays.copyOf(next, length);
        }
        return used++;
    }
}
