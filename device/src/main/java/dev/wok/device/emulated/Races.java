package dev.wok.device.emulated;

import java.util.Arrays;

/// Who touched which word of memory in a launch, and whether anything orders two touches of the same bytes.
///
/// Each word of four bytes has a chain of records: the last write and the reads since then, each with a mask of bytes.
/// Two accesses race where both touch a byte, one of them writes, not both are strong (atomic, volatile, relaxed,
/// acquire, release), and the later one's [Clock] does not know the earlier one (as in C. Flanagan and S. Freund,
/// FastTrack, 2009). Clocks are kept by warp: a barrier that one lane arrives at orders what its whole warp did before.
/// Lanes of one warp are ordered by barriers that the warp took part in, not by running side by side.
final class Races {
    static final int WRITE = 1;
    static final int STRONG = 2;

    /// By the asynchronous proxy: bulk copies, `wgmma`.
    static final int ASYNC = 4;

    private static final int MANY = 32;

    /// The most reads that a word remembers; the oldest is forgotten first.
    private static final int MOST_READS = 40;

    /// An access that another one conflicts with.
    ///
    /// @param isProxy whether it is ordered, and only a proxy fence is missing
    record Conflict(int code, boolean wrote, boolean wasAsync, int cluster, int agent, int lane, boolean isProxy) {}

    private final int launch;

    // Accesses: what the lanes of a warp did in one instruction.
    private int accesses;
    private int[] cluster = new int[1024];
    private int[] agent = new int[1024];
    private int[] time = new int[1024];
    private int[] code = new int[1024];

    // Records: access << 32 | lane << 8 | bytes << 4 | kind, chained; 0 ends a chain.
    private long[] records = new long[4096];
    private int[] next = new int[4096];
    private int used = 1;
    private int free;

    Races(int launch) {
        this.launch = launch;
    }

    /// Notes an access; its bytes follow with [#touch].
    ///
    /// @param where the instruction's index
    /// @return its number
    int access(int inCluster, int byAgent, int atTime, int where) {
        if (accesses == cluster.length) {
            int length = 2 * accesses;
            cluster = Arrays.copyOf(cluster, length);
            agent = Arrays.copyOf(agent, length);
            time = Arrays.copyOf(time, length);
            code = Arrays.copyOf(code, length);
        }
        cluster[accesses] = inCluster;
        agent[accesses] = byAgent;
        time[accesses] = atTime;
        code[accesses] = where;
        return accesses++;
    }

    /// Who asks whether an earlier access is over.
    interface Observer {
        /// @return whether an earlier access happened before this one
        boolean knows(int cluster, int agent, int time, int lane);

        /// @return whether the asynchronous proxy sees what was written then
        boolean isFenced(int cluster, int agent, int time);
    }

    /// Notes that an access touches bytes.
    ///
    /// @param kind of [#WRITE], [#STRONG] and [#ASYNC]
    /// @return the access that it races with, or null
    @org.jspecify.annotations.Nullable Conflict touch(
            Region region, long offset, int width, int kind, int access, int lane, Observer observer) {
        if (region.launch != launch || region.heads.length == 0) {
            region.heads = region.heads.length == 0
                    ? new int[Math.toIntExact(region.size + 3 >>> 2)]
                    : cleared(region.heads);
            region.launch = launch;
        }
        long end = offset + width;
        for (long at = offset; at < end; ) {
            int from = (int) (at & 3);
            int to = (int) Math.min(4, from + end - at);
            int bytes = (1 << to) - (1 << from);
            Conflict conflict = touch(region.heads, (int) (at >>> 2), bytes, kind, access, lane, observer);
            if (conflict != null) {
                return conflict;
            }
            at += to - from;
        }
        return null;
    }

    private static int[] cleared(int[] heads) {
        Arrays.fill(heads, 0);
        return heads;
    }

    private @org.jspecify.annotations.Nullable Conflict touch(
            int[] heads, int word, int bytes, int kind, int access, int lane, Observer observer) {
        boolean writes = (kind & WRITE) != 0;
        int reads = 0;
        int before = 0;
        boolean isNoted = false;
        for (int at = heads[word]; at != 0; ) {
            long record = records[at];
            int after = next[at];
            int recordBytes = (int) (record >>> 4) & 15;
            if ((recordBytes & bytes) != 0) {
                int recordKind = (int) record & 7;
                int earlier = (int) (record >>> 32);
                if (conflicts(kind, recordKind)) {
                    Conflict conflict = conflict(record, kind, observer);
                    if (conflict != null) {
                        return conflict;
                    }
                }
                if (writes) {
                    recordBytes &= ~bytes;
                    records[at] = record & ~(15L << 4) | (long) recordBytes << 4;
                } else if (!isNoted && recordKind == kind && recordBytes == bytes && sameAgent(earlier, access)) {
                    boolean isSameLane = ((int) (record >>> 8) & 63) == lane;
                    if (isSameLane || time[earlier] == time[access]) {
                        records[at] = record(access, isSameLane ? lane : MANY, bytes, kind);
                        isNoted = true;
                    }
                }
            }
            reads += (record & WRITE) == 0 ? 1 : 0;
            boolean isLastRead = after == 0 && reads > MOST_READS && (record & WRITE) == 0;
            if (recordBytes == 0 || isLastRead) {
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
        if (!isNoted) {
            int at = allocate();
            records[at] = record(access, lane, bytes, kind);
            next[at] = heads[word];
            heads[word] = at;
        }
        return null;
    }

    private static boolean conflicts(int kind, int other) {
        return ((kind | other) & WRITE) != 0 && (kind & other & STRONG) == 0;
    }

    private boolean sameAgent(int one, int other) {
        return agent[one] == agent[other] && cluster[one] == cluster[other];
    }

    private @org.jspecify.annotations.Nullable Conflict conflict(long record, int kind, Observer observer) {
        int earlier = (int) (record >>> 32);
        int lane = (int) (record >>> 8) & 63;
        boolean isKnown = observer.knows(cluster[earlier], agent[earlier], time[earlier], lane);
        boolean needsFence = (kind & ASYNC) != 0 && (record & (ASYNC | WRITE)) == WRITE;
        if (isKnown && (!needsFence || observer.isFenced(cluster[earlier], agent[earlier], time[earlier]))) {
            return null;
        }
        return new Conflict(
                code[earlier],
                (record & WRITE) != 0,
                (record & ASYNC) != 0,
                cluster[earlier],
                agent[earlier],
                lane,
                isKnown);
    }

    private static long record(int access, int lane, int bytes, int kind) {
        return (long) access << 32 | (long) lane << 8 | (long) bytes << 4 | kind;
    }

    private int allocate() {
        if (free != 0) {
            int at = free;
            free = next[at];
            return at;
        }
        if (used == records.length) {
            records = Arrays.copyOf(records, 2 * used);
            next = Arrays.copyOf(next, 2 * used);
        }
        return used++;
    }
}
