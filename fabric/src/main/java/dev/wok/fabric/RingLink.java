package dev.wok.fabric;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// A link through memory that both ranks see: a ring each way ([RingLayout]), of which each end writes to one.
final class RingLink implements Link {
    private final Peer peer;
    private final RingLayout layout;
    private final RingWriter out;
    private final RingReader in;
    private boolean full;

    /// @param out the ring to the peer, and `in` the one from there: `layout.total()` bytes each, 0 at first
    RingLink(RingLayout layout, MemorySegment out, MemorySegment in, Peer peer) {
        this.layout = layout;
        this.peer = peer;
        this.out = new RingWriter(layout, out);
        this.in = new RingReader(layout, in, peer);
    }

    /// Both ends of a link between ranks that are threads of this process.
    static RingLink[] pair(RingLayout layout, int lower, int upper, Board board) {
        MemorySegment up = Arena.ofAuto().allocate(layout.total(), RingLayout.FRAMES);
        MemorySegment down = Arena.ofAuto().allocate(layout.total(), RingLayout.FRAMES);
        return new RingLink[] {
            new RingLink(layout, up, down, new Peer(upper, lower, board)),
            new RingLink(layout, down, up, new Peer(lower, upper, board))
        };
    }

    @Override
    public int peer() {
        return peer.rank();
    }

    @Override
    public int capacity() {
        return layout.capacity();
    }

    @Override
    public boolean isMemory() {
        return true;
    }

    @Override
    public @Nullable MemorySegment reserve(int bytes) {
        MemorySegment room = out.reserve(bytes);
        full = room == null;
        return room;
    }

    @Override
    public void send(int bytes) {
        out.send(bytes);
    }

    @Override
    public boolean hasSpare() {
        return out.hasSpare();
    }

    @Override
    public @Nullable MemorySegment receive() {
        return in.receive();
    }

    @Override
    public void release() {
        in.release();
    }

    @Override
    public void progress() {
        if (in.closed() && (full || in.receive() == null)) {
            throw peer.gone();
        }
        if (full && !out.sane()) {
            throw peer.sends("that it has read more than was written");
        }
    }

    @Override
    public void close() {
        out.close();
    }
}
