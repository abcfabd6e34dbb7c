package dev.wok.fabric;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// What is known of each rank of a group: what it does, and whether it has gone. Any thread.
final class Board {
    /// What a rank does.
    ///
    /// @param doing what it said last
    /// @param operation in which it waits; empty where it does not
    /// @param waitsFor the rank that it waits for, or -1
    /// @param since when that began, as `System.nanoTime()`
    /// @param seen when it was last heard of
    record Status(String doing, String operation, int waitsFor, long since, long seen) {
        boolean waits() {
            return !operation.isEmpty();
        }

        Status doing(String what) {
            long now = System.nanoTime();
            return new Status(what, "", -1, now, now);
        }

        Status waiting(String where, int rank, long from) {
            return new Status(doing, where, rank, from, from);
        }

        Status moving() {
            return doing(doing);
        }

        @Override
        public String toString() {
            return waits() ? "in %s, waiting in %s".formatted(doing, operation) : "in " + doing;
        }
    }

    /// That a rank has gone.
    ///
    /// @param cause the rank that is to blame: itself, or the one because of which it left
    /// @param orderly whether it said so
    record Gone(int cause, String why, boolean orderly) {}

    private static final int SOON = 1000;

    private final AtomicReferenceArray<Status> statuses;
    private final AtomicReferenceArray<@Nullable Gone> gone;
    private final AtomicReferenceArray<@Nullable Departed> failures;

    Board(int ranks) {
        statuses = new AtomicReferenceArray<>(ranks);
        gone = new AtomicReferenceArray<>(ranks);
        failures = new AtomicReferenceArray<>(ranks);
        long now = System.nanoTime();
        for (int rank = 0; rank < ranks; rank++) {
            statuses.set(rank, new Status("its beginning", "", -1, now, now));
        }
    }

    int ranks() {
        return statuses.length();
    }

    Status status(int rank) {
        return statuses.get(rank);
    }

    void status(int rank, Status status) {
        statuses.set(rank, status);
    }

    /// Notes that a rank has gone; what was noted first stays.
    void gone(int rank, Gone how) {
        gone.compareAndSet(rank, null, how);
    }

    @Nullable
    Gone gone(int rank) {
        return gone.get(rank);
    }

    /// Waits a moment for what is known of a rank whose frames have ended: that comes by another way.
    private @Nullable Gone soonGone(int rank) {
        for (int turn = 0; turn < SOON && gone.get(rank) == null; turn++) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
        return gone.get(rank);
    }

    /// A failure of a rank; its first is what it will leave the group with.
    ///
    /// @param self the rank that cannot go on
    /// @param rank because of which
    Departed failure(int self, int rank, String message) {
        return noted(self, new Departed(rank, message));
    }

    /// A failure because a rank was waited for in vain.
    Departed hung(int self, int rank, String message) {
        return noted(self, new Departed(rank, message, true));
    }

    private Departed noted(int self, Departed failure) {
        failures.compareAndSet(self, null, failure);
        return failure;
    }

    /// @return the failure of a rank that cannot go on because another has gone
    Departed departed(int self, int rank) {
        Gone how = soonGone(rank);
        if (how == null || how.orderly && how.cause == rank) {
            return failure(self, rank, "rank %d has left the group. It was %s.".formatted(rank, status(rank)));
        }
        return failure(
                self,
                how.cause,
                how.orderly ? "rank %d has left the group, because %s".formatted(rank, how.why) : how.why);
    }

    /// Notes that a rank leaves, and why.
    Gone leave(int self) {
        Departed failure = failures.get(self);
        Gone how = failure == null
                ? new Gone(self, "", true)
                : new Gone(failure.rank(), String.valueOf(failure.getMessage()), true);
        gone(self, how);
        return how;
    }
}
