package dev.wok.fabric;

import dev.wok.tensor.Copies;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Messages of rows, gathered from a tensor, scattered to another.
final class Rows {
    /// What stands for a row's place where it has none.
    static final int NONE = -1;

    private Rows() {}

    /// Where rows lie: the memory of a tensor whose rows have no gaps inside.
    ///
    /// @param isLarge whether what is written here first leaves the caches before the last is written
    record Place(MemorySegment memory, long stride, boolean isLarge) {
        /// What the third-level cache keeps at most, of all ranks of a machine.
        private static final long CACHED = 1 << 25;

        /// @param ranks of this machine
        static Place of(MemorySegment memory, long stride, int ranks) {
            return new Place(memory, stride, memory.byteSize() > CACHED / ranks);
        }

        long at(int row) {
            return row * stride;
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
            for (int done = 0; done < bytes; ) {
                long here = position + done;
                int columns = wire.columns(here);
                long from = source.at(rows[wire.row(here)]) + wire.column(here);
                wire.encode(source.memory, from, columns, frame, at + done, isForOthers);
                done += wire.bytes(columns);
            }
            wire.fence();
        }
    }

    /// Receives rows of a tensor.
    static class Scatter extends Incoming {
        private final Wire wire;
        private @Nullable Place target;
        private int[] rows;

        Scatter(ExchangeLayout.Kind kind, Peer peer, Wire wire, Place target, int[] rows) {
            super(kind, peer);
            this.wire = wire;
            this.target = target;
            this.rows = rows;
        }

        /// Receives rows of which it is not known yet how many come, and where they go: see [#to].
        Scatter(ExchangeLayout.Kind kind, Peer peer, Wire wire) {
            super(kind, peer);
            this.wire = wire;
            this.rows = new int[0];
        }

        /// Says where the rows go.
        final void to(Place place, int[] places) {
            target = place;
            rows = places;
        }

        @Override
        final boolean isReady() {
            return target != null;
        }

        @Override
        final void begin(long bytes) {
            expect(bytes, rows.length * wire.rowBytes());
        }

        @Override
        int take(MemorySegment frame, long at, int bytes) {
            Place place = Objects.requireNonNull(target);
            for (int done = 0; done < bytes; ) {
                long here = position + done;
                int columns = wire.columns(here);
                requireWhole(wire.bytes(columns), bytes - done);
                int row = rows[wire.row(here)];
                if (row != NONE) {
                    long to = place.at(row) + wire.column(here);
                    wire.decode(frame, at + done, columns, place.memory, to, place.isLarge());
                }
                done += wire.bytes(columns);
            }
            wire.fence();
            return bytes;
        }
    }

    /// Receives rows, some of them for this rank, and passes them on to ranks of this machine as they
    /// came.
    static final class Relay extends Scatter {
        private final Wire wire;
        private final List<Forward> forwards = new ArrayList<>();
        private @Nullable MemorySegment frame;
        private long frameAt;
        private long end;

        Relay(Peer peer, Wire wire, Place target, int[] rows) {
            super(ExchangeLayout.Kind.DISPATCH, peer, wire, target, rows);
            this.wire = wire;
        }

        /// @param rows of the message, ascending
        Forward forward(int[] rows) {
            Forward forward = new Forward(rows);
            forwards.add(forward);
            return forward;
        }

        @Override
        int take(MemorySegment bytes, long at, int count) {
            if (frame == null) {
                int _ = super.take(bytes, at, count);
                frame = bytes;
                frameAt = at;
                end = position + count;
            }
            for (Forward forward : forwards) {
                if (forward.begun() < end) {
                    return 0;
                }
            }
            frame = null;
            return count;
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
