package dev.wok.fabric;

import dev.wok.fabric.ExchangeLayout.Kind;
import dev.wok.tensor.Copies;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/// Sums parts of all ranks in their order, block by block: of a block the parts of rank 0 are added, then those of rank
/// 1, and so on. What comes before its turn waits in its link.
final class Summing extends Operation {
    /// Floats that are summed at once: they stay in the first-level cache.
    private static final int BLOCK = 1 << 13;

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Traffic traffic;
    private final List<MemorySegment> parts;
    private final long[] bounds;
    private final MemorySegment sum;
    private final long first;
    private final long count;
    private final float[] block = new float[BLOCK];
    private long begun;
    private int turn;
    private boolean fresh = true;

    /// @param bounds see [Fabric#reduceScatter]
    Summing(Traffic traffic, List<MemorySegment> parts, long[] bounds, MemorySegment sum) {
        super(traffic, "sum");
        this.traffic = traffic;
        this.parts = parts;
        this.bounds = bounds;
        this.sum = sum;
        this.first = bounds[traffic.rank()];
        this.count = bounds[traffic.rank() + 1] - first;
    }

    void begin() {
        for (int peer = 0; peer < traffic.size(); peer++) {
            if (peer != traffic.rank()) {
                long theirs = bounds[peer + 1] - bounds[peer];
                if (theirs > 0) {
                    send(new Giving(bounds[peer], theirs), peer);
                }
                if (count > 0) {
                    receive(new Taking(traffic.peer(peer)));
                }
            }
        }
    }

    /// Adds this rank's own parts when it is their turn.
    @Override
    boolean work() {
        if (begun == count || turn != traffic.rank()) {
            return false;
        }
        for (MemorySegment part : parts) {
            add(part, (first + begun) * Float.BYTES);
        }
        next();
        return true;
    }

    private int size() {
        return (int) Math.min(BLOCK, count - begun);
    }

    private void add(MemorySegment from, long at) {
        int size = size();
        if (fresh) {
            Copies.floats(from, at, block, 0, size);
        } else {
            plus(from, at, size);
        }
        fresh = false;
    }

    private void plus(MemorySegment from, long at, int size) {
        for (int i = 0; i < size; i++) {
            block[i] += from.get(FLOAT, at + (long) Float.BYTES * i);
        }
    }

    private void next() {
        if (++turn == traffic.size()) {
            int size = size();
            Copies.floats(block, 0, sum, begun * Float.BYTES, size);
            begun += size;
            turn = 0;
            fresh = true;
        }
    }

    /// A range of all parts: of each block one part after the other.
    private final class Giving extends Outgoing {
        private final long from;
        private final long floats;

        Giving(long from, long floats) {
            super(Kind.SUM, parts.size() * floats * Float.BYTES);
            this.from = from;
            this.floats = floats;
        }

        private long block() {
            return position / (parts.size() * (long) BLOCK * Float.BYTES) * BLOCK;
        }

        @Override
        int next(int room) {
            return (int) Math.min(BLOCK, floats - block()) * Float.BYTES;
        }

        @Override
        void fill(MemorySegment frame, long at, int bytes) {
            long part = (position - parts.size() * block() * Float.BYTES) / bytes;
            Copies.bytes(parts.get((int) part), (from + block()) * Float.BYTES, frame, at, bytes);
        }
    }

    /// What another rank gives: as many parts as it says.
    private final class Taking extends Incoming {
        private long theirs;
        private long taken;

        Taking(Peer peer) {
            super(Kind.SUM, peer);
        }

        @Override
        void begin(long bytes) {
            theirs = bytes / (count * Float.BYTES);
            expect(bytes, Math.max(1, theirs) * count * Float.BYTES);
        }

        @Override
        boolean take(MemorySegment frame, long at, int bytes) {
            if (turn != peer.rank()) {
                return false;
            }
            if (bytes != size() * Float.BYTES) {
                throw peer.sends("%d bytes of a sum in a frame, expected %d".formatted(bytes, size() * Float.BYTES));
            }
            add(frame, at);
            if (++taken == theirs) {
                taken = 0;
                Summing.this.next();
            }
            return true;
        }
    }
}
