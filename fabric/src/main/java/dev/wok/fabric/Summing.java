package dev.wok.fabric;

import dev.wok.fabric.ExchangeLayout.Kind;
import dev.wok.tensor.Copies;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Sums parts of all ranks in their order, block by block: of a block the parts of rank 0 are added, then those of rank
/// 1, and so on. What comes before its turn waits in its link.
///
/* A block of one or two parts is written once, where the sum goes. Of more the first are summed apart, since the sum may
 * go where this rank's first part still lies.
 */
final class Summing extends Operation {
    /// Floats that are summed at once: they stay in the second-level cache, and fit every link's frame.
    private static final int BLOCK = ExchangeLayout.PAYLOAD / Float.BYTES;

    /// Half of a large last-level cache: whoever reads a sum of as many bytes finds the rest of it in memory.
    private static final long LARGE = 1 << 24;

    private final Traffic traffic;
    private final List<MemorySegment> parts;
    private final long[] bounds;
    private final MemorySegment sum;
    private final long first;
    private final long count;
    private final boolean past;
    private final MemorySegment apart = Arena.ofAuto().allocate((long) BLOCK * Float.BYTES, ExchangeLayout.HEADER);
    private long begun;
    private int turn;
    /// What the block is summed up to, in float32 from `soFarAt` on; null before its first part.
    private @Nullable MemorySegment soFar;
    private long soFarAt;

    /// @param bounds see [Fabric#reduceScatter]
    Summing(Traffic traffic, List<MemorySegment> parts, long[] bounds, MemorySegment sum) {
        super(traffic, "sum");
        this.traffic = traffic;
        this.parts = parts;
        this.bounds = bounds;
        this.sum = sum;
        this.first = bounds[traffic.rank()];
        this.count = bounds[traffic.rank() + 1] - first;
        this.past = count * Float.BYTES >= LARGE
                && sum.asOverlappingSlice(parts.getFirst()).isEmpty();
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
        addOwn();
    }

    private int size() {
        return (int) Math.min(BLOCK, count - begun);
    }

    /// Adds this rank's own parts where it is their turn.
    private void addOwn() {
        while (turn == traffic.rank() && begun < count) {
            for (int i = 0; i < parts.size(); i++) {
                add(parts.get(i), (first + begun) * Float.BYTES, true, i == parts.size() - 1);
            }
            turn();
        }
    }

    /// @param stays whether the part lies there until the block is summed
    /// @param last of this rank's parts
    private void add(MemorySegment part, long at, boolean stays, boolean last) {
        boolean done = last && turn == traffic.size() - 1;
        MemorySegment to = done ? sum : apart;
        long toAt = done ? begun * Float.BYTES : 0;
        if (soFar != null) {
            Wire.Code.SUMS.sum(soFar, soFarAt, part, at, size(), to, toAt, done && past);
        } else if (done || !stays) {
            Copies.bytes(part, at, to, toAt, (long) size() * Float.BYTES);
        } else {
            to = part;
            toAt = at;
        }
        soFar = to;
        soFarAt = toAt;
    }

    private void turn() {
        if (++turn == traffic.size()) {
            begun += size();
            turn = 0;
            soFar = null;
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
        int take(MemorySegment frame, long at, int bytes) {
            if (turn != peer.rank()) {
                return 0;
            }
            if (bytes != size() * Float.BYTES) {
                throw peer.sends("%d bytes of a sum in a frame, expected %d".formatted(bytes, size() * Float.BYTES));
            }
            boolean last = ++taken == theirs;
            add(frame, at, false, last);
            if (last) {
                taken = 0;
                turn();
                addOwn();
            }
            return bytes;
        }
    }
}
