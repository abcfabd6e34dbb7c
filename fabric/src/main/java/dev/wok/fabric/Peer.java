package dev.wok.fabric;

/// The rank at the other end of a link, for what a link has to say of it.
///
/// @param self this rank
/// @param board what is known of both
record Peer(int rank, int self, Board board) {
    /// @return that it has gone, and why where that is known
    Departed gone() {
        return board.departed(self, rank);
    }

    /// @param what it sends that cannot be
    Departed sends(String what) {
        return board.failure(
                self, rank, "rank %d sends what cannot be: %s. It was %s.".formatted(rank, what, board.status(rank)));
    }
}
