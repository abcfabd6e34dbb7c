package dev.wok.fabric;

import dev.wok.tensor.Copies;
import java.lang.foreign.MemorySegment;

/// A message that is being sent.
abstract class Outgoing {
    final ExchangeLayout.Kind kind;
    final long total;
    long position;
    /// Whether another processor reads frames where they are written.
    boolean isForOthers;

    /// @param total bytes of it
    Outgoing(ExchangeLayout.Kind kind, long total) {
        this.kind = kind;
        this.total = total;
    }

    /// @param room at least [ExchangeLayout#PAYLOAD]
    /// @return bytes of the next frame, at most `room`; 0 where they are not there yet
    abstract int next(int room);

    /// Writes the next frame's bytes.
    ///
    /// @param bytes what [#next] returned
    abstract void fill(MemorySegment frame, long at, int bytes);

    /// Bytes as they lie in memory.
    static final class Bytes extends Outgoing {
        private final MemorySegment from;

        Bytes(ExchangeLayout.Kind kind, MemorySegment from) {
            super(kind, from.byteSize());
            this.from = from;
        }

        @Override
        int next(int room) {
            return (int) Math.min(room, total - position);
        }

        @Override
        void fill(MemorySegment frame, long at, int bytes) {
            Copies.bytes(from, position, frame, at, bytes);
        }
    }
}
