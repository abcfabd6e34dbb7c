package dev.wok.fabric;

import dev.wok.tensor.Copies;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Messages of rows, gathered from a tensor, spread to another.
final class Rows {
    private Rows() {}

    /// Where rows lie: the memory of a tensor whose rows have no gaps inside.
    record Place(MemorySegment memory, long stride) {
        long at(int row) {
            return row * stride;
        }
    }

    /// Rows of a message to rows of a tensor: `rows[from[i]]` to `rows[from[i + 1]]` get the message's row `i`.
    record Spread(int[] from, int[] rows) {
        int count() {
            return from.length - 1;
        }

        /// One row each.
        static Spread each(int[] rows) {
            int[] from = new int[rows.length + 1];
            Arrays.setAll(from, i -> i);
            return new Spread(from, rows);
        }
    }

    /// Sends rows of a tensor.
    static final class Gather extends Outgoing {
        private final Wire wire;
        private final Place source;
        private final int[] rows;

        Gather(ExchangeLayout.Kind kind, Wire wire, Place source, int[] rows) {
            super(kind, rows.length * wire.rowBytes());
            this.wire = wire;
            this.source = source;
            this.rows = rows;
        }

        @Override
        int next(int room) {
            return wire.fit(position, total, room);
        }

        @Override
        void fill(MemorySegment frame, long at, int bytes) {
            wire.pieces(
                    position,
                    bytes,
                    (row, column, columns, offset) ->
                            wire.encode(source.memory, source.at(rows[row]) + column, columns, frame, at + offset));
        }
    }

    /// Receives rows and spreads them.
    static class Scatter extends Incoming {
        private final Wire wire;
        private @Nullable Place target;
        private Spread spread;

        Scatter(ExchangeLayout.Kind kind, Peer peer, Wire wire, Place target, Spread spread) {
            super(kind, peer);
            this.wire = wire;
            this.target = target;
            this.spread = spread;
        }

        /// Receives rows of which it is not known yet how many come, and where they go: see [#to].
        Scatter(ExchangeLayout.Kind kind, Peer peer, Wire wire) {
            super(kind, peer);
            this.wire = wire;
            this.spread = Spread.each(new int[0]);
        }

        /// Says where the rows go.
        final void to(Place place, Spread rows) {
            target = place;
            spread = rows;
        }

        @Override
        final boolean isReady() {
            return target != null;
        }

        @Override
        final void begin(long bytes) {
            expect(bytes, spread.count() * wire.rowBytes());
        }

        @Override
        boolean take(MemorySegment frame, long at, int bytes) {
            Place place = Objects.requireNonNull(target);
            boolean whole = wire.pieces(position, bytes, (row, column, columns, offset) -> {
                for (int i = spread.from[row]; i < spread.from[row + 1]; i++) {
                    wire.decode(frame, at + offset, columns, place.memory, place.at(spread.rows[i]) + column);
                }
            });
            if (!whole) {
                throw peer.sends("a frame of a %s that ends inside a row".formatted(kind));
            }
            return true;
        }
    }

    /// Receives rows, spreads them, and passes them on to ranks of this machine as they came.
    static final class Relay extends Scatter {
        private final Wire wire;
        private final List<Forward> forwards = new ArrayList<>();
        private @Nullable MemorySegment frame;
        private long frameAt;
        private long end;

        Relay(Peer peer, Wire wire, Place target, Spread spread) {
            super(ExchangeLayout.Kind.DISPATCH, peer, wire, target, spread);
            this.wire = wire;
        }

        /// @param rows of the message, ascending
        Forward forward(int[] rows) {
            Forward forward = new Forward(rows);
            forwards.add(forward);
            return forward;
        }

        @Override
        boolean take(MemorySegment bytes, long at, int count) {
            if (frame == null) {
                super.take(bytes, at, count);
                frame = bytes;
                frameAt = at;
                end = position + count;
            }
            for (Forward forward : forwards) {
                if (forward.begun() < end) {
                    return false;
                }
            }
            frame = null;
            return true;
        }

        /// What goes on to one rank.
        final class Forward extends Outgoing {
            private final int[] rows;

            private Forward(int[] rows) {
                super(ExchangeLayout.Kind.DISPATCH, rows.length * wire.rowBytes());
                this.rows = rows;
            }

            /// @return where in the message that comes lies what goes next
            private long begun() {
                return position == total ? Long.MAX_VALUE : origin(position);
            }

            private long origin(long mine) {
                return rows[(int) (mine / wire.rowBytes())] * wire.rowBytes() + mine % wire.rowBytes();
            }

            @Override
            int next(int room) {
                int bytes = 0;
                while (frame != null && position + bytes < total && origin(position + bytes) < end) {
                    int unit = wire.unit(position + bytes);
                    if (unit > room - bytes) {
                        break;
                    }
                    bytes += unit;
                }
                return bytes;
            }

            @Override
            void fill(MemorySegment to, long at, int bytes) {
                MemorySegment from = Objects.requireNonNull(frame);
                for (int done = 0; done < bytes; ) {
                    int unit = wire.unit(position + done);
                    long source = frameAt + origin(position + done) - Relay.this.position;
                    Copies.bytes(from, source, to, at + done, unit);
                    done += unit;
                }
            }
        }
    }
}
