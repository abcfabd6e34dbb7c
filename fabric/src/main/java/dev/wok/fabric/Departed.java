package dev.wok.fabric;

/// A rank of the group has gone, hangs, or sends what cannot be: the group's work cannot go on.
public final class Departed extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final int rank;

    /// @param rank which one
    /// @param message names it, what this rank was doing, and what is known of the other
    public Departed(int rank, String message) {
        super(message);
        this.rank = rank;
    }

    /// @return the rank that has gone
    public int rank() {
        return rank;
    }
}
