package dev.wok.fabric;

import dev.wok.tensor.Copies;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// A message that is being received.
abstract class Incoming {
    final ExchangeLayout.Kind kind;
    final Peer peer;
    long position;
    long total = -1;

    Incoming(ExchangeLayout.Kind kind, Peer peer) {
        this.kind = kind;
        this.peer = peer;
    }

    /// Learns from the first frame how many bytes the message has.
    ///
    /// @throws Departed where it cannot have so many
    abstract void begin(long bytes);

    /// @return whether it has a place to be read to
    boolean isReady() {
        return true;
    }

    /// Reads bytes of a frame, of which the first is the message's at [#position].
    ///
    /// @return how many it has read: where it cannot go on yet, it comes again with the rest
    abstract int take(MemorySegment frame, long at, int bytes);

    void expect(long bytes, long expected) {
        if (bytes != expected) {
            throw peer.sends("a %s of %d bytes where %d were expected".formatted(kind, bytes, expected));
        }
    }

    /// @param piece bytes of a piece of a row, and `left` how many the frame still has
    void requireWhole(int piece, int left) {
        if (piece > left) {
            throw peer.sends("a frame of a %s that ends inside a row".formatted(kind));
        }
    }

    /// Bytes to where they belong.
    static final class Bytes extends Incoming {
        private final MemorySegment to;

        Bytes(ExchangeLayout.Kind kind, Peer peer, MemorySegment to) {
            super(kind, peer);
            this.to = to;
        }

        @Override
        void begin(long bytes) {
            expect(bytes, to.byteSize());
        }

        @Override
        int take(MemorySegment frame, long at, int bytes) {
            Copies.bytes(frame, at, to, position, bytes);
            return bytes;
        }
    }

    /// Bytes of which only the sender knows how many there are. Memory grows with what has come.
    static final class Unknown extends Incoming {
        private byte[] bytes = {};

        Unknown(ExchangeLayout.Kind kind, Peer peer) {
            super(kind, peer);
        }

        byte[] bytes() {
            return bytes;
        }

        @Override
        void begin(long count) {
            if (count > Integer.MAX_VALUE - Long.BYTES) {
                throw peer.sends("a %s of %d bytes, too many".formatted(kind, count));
            }
        }

        @Override
        int take(MemorySegment frame, long at, int count) {
            int end = (int) position + count;
            if (end > bytes.length) {
                bytes = Arrays.copyOf(bytes, (int) Math.min(total, Math.max(end, 2L * bytes.length)));
            }
            Copies.bytes(frame, at, bytes, (int) position, count);
            return count;
        }
    }
}
