package dev.wok.fabric;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What separates the clocks of ranks: System.nanoTime begins anywhere in each process.
final class Clock {
    private static final int ROUNDS = 16;
    private static final ValueLayout.OfLong TIME = ValueLayout.JAVA_LONG;

    private Clock() {}

    /// Asks rank 0 for its time. All ranks call it.
    ///
    /// @return nanoseconds to add to this rank's times for rank 0's
    static long toFirst(Fabric fabric) {
        long offset = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(TIME);
            for (int rank = 1; rank < fabric.size(); rank++) {
                if (fabric.rank() == 0) {
                    answer(fabric, rank, time);
                } else if (fabric.rank() == rank) {
                    offset = ask(fabric, time);
                }
            }
        }
        return offset;
    }

    private static void answer(Fabric fabric, int rank, MemorySegment time) {
        for (int i = 0; i < ROUNDS; i++) {
            fabric.receive(time, rank);
            time.set(TIME, 0, System.nanoTime());
            fabric.send(time, rank);
        }
    }

    private static long ask(Fabric fabric, MemorySegment time) {
        long[] sent = new long[ROUNDS];
        long[] theirs = new long[ROUNDS];
        long[] received = new long[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            sent[i] = System.nanoTime();
            fabric.send(time, 0);
            fabric.receive(time, 0);
            received[i] = System.nanoTime();
            theirs[i] = time.get(TIME, 0);
        }
        return offset(sent, theirs, received);
    }

    /// Their time less ours in the middle of the quickest round trip; 0 where that is no more than the trip allows, as
    /// between processes whose clocks are one.
    ///
    /// @param sent our time when we asked, for each round
    /// @param theirs their time when they answered
    /// @param received our time when the answer was here
    static long offset(long[] sent, long[] theirs, long[] received) {
        int best = 0;
        for (int i = 1; i < sent.length; i++) {
            if (received[i] - sent[i] < received[best] - sent[best]) {
                best = i;
            }
        }
        long trip = received[best] - sent[best];
        long offset = theirs[best] - (sent[best] + trip / 2);
        return Math.abs(offset) <= trip / 2 + 1 ? 0 : offset;
    }
}
