package dev.wok.fabric;

import java.util.List;

/// What two ranks tell each other beside the frames of a link: who they are, how they link, what they do.
sealed interface Message {
    /// What a connection is for.
    enum Purpose {
        LIFELINE,
        FRAMES
    }

    /// How two ranks link.
    enum Way {
        RINGS("rings in shared memory"),
        UNIX("Unix sockets"),
        TCP("TCP"),
        UCX("UCX");

        private final String text;

        Way(String text) {
            this.text = text;
        }

        String text() {
            return text;
        }
    }

    /// Begins every connection: who accepts it gives a number to prove the secret with.
    record Challenge(byte[] nonce) implements Message {}

    /// Who connects says who it is.
    ///
    /// @param claims what it says
    /// @param nonce a number for the other to prove the secret with
    /// @param proof that it knows the secret
    record Hello(Claims claims, byte[] nonce, byte[] proof) implements Message {}

    /// @param to the rank that it takes the other for
    record Claims(int rank, int size, int to, Purpose purpose, Seat seat) {}

    /// Where a rank is.
    ///
    /// @param machine two ranks of the same share memory
    /// @param host its machine's name, for people
    /// @param address where it listens
    record Seat(String machine, String host, long pid, String address, int port) {
        @Override
        public String toString() {
            return "process %d on %s".formatted(pid, host);
        }
    }

    /// The other is let in.
    record Welcome(byte[] proof) implements Message {}

    /// It is not.
    ///
    /// @param forNow whether that may change: its place is taken by one that may be about to go
    record Refused(String why, boolean forNow) implements Message {}

    /// @param seats of all ranks
    record Table(List<Seat> seats) implements Message {}

    /// The lower of two ranks says how they link.
    ///
    /// @param path of the rings' file or of the socket; empty for TCP; for UCX its address in Base64: the upper
    ///     then offers its own
    /// @param bytes of a ring
    record Offer(Way way, String path, int bytes) implements Message {}

    /// @param why the upper cannot; empty where it does
    record Answer(String why) implements Message {}

    /// A sign of life.
    ///
    /// @param doing what the rank said last
    /// @param operation in which it waits; empty where it does not
    /// @param waitsFor the rank that it waits for, or -1
    /// @param nanos since when
    record Life(String doing, String operation, int waitsFor, long nanos) implements Message {}

    /// The last of a rank.
    ///
    /// @param cause the rank to blame
    /// @param why empty where it leaves because it is done
    record Bye(int cause, String why) implements Message {}
}
