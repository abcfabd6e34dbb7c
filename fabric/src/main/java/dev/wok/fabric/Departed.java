package dev.wok.fabric;

/// A rank of the group has gone, hangs, or sends what cannot be: the group's work cannot go on.
public final class Departed extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final int rank;
    private final boolean hung;

    /// @param rank which one
    /// @param message names it, what this rank was doing, and what is known of the other
    public Departed(int rank, String message) {
        this(rank, message, false);
    }

    Departed(int rank, String message, boolean hung) {
        super(message);
        this.rank = rank;
        this.hung = hung;
    }

    /// @return whether this rank waited for it in vain, though it may live: then it says nothing of that itself
    public boolean hung() {
        return hung;
    }

    /// @return the rank that has gone
    public int rank() {
        return rank;
    }
}
