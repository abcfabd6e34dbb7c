package dev.wok.fabric;

import static dev.wok.fabric.FrameLayout.LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/// The end of a ring that frames are read from.
final class RingReader {
    private static final VarHandle WORD = LONG.varHandle();

    private final RingLayout layout;
    private final MemorySegment ring;
    private final MemorySegment frames;
    private final Peer peer;
    private long read;
    private long number;
    private @Nullable MemorySegment held;

    RingReader(RingLayout layout, MemorySegment ring, Peer peer) {
        this.layout = layout;
        this.ring = ring;
        this.peer = peer;
        frames = ring.asSlice(RingLayout.FRAMES, layout.bytes());
    }

    @Nullable
    MemorySegment receive() {
        if (held != null) {
            return held;
        }
        long mark = mark();
        if (FrameLayout.is(mark, FrameLayout.WRAP, 0)) {
            read += layout.bytes() - at();
            mark = mark();
        }
        return mark == 0 ? null : hold(mark);
    }

    private MemorySegment hold(long mark) {
        int room = Math.min(layout.capacity(), layout.bytes() - at() - FrameLayout.LINE);
        FrameLayout.requireNext(peer, mark, room, frames.get(LONG, at() + FrameLayout.NUMBER), number);
        MemorySegment frame = frames.asSlice(at() + FrameLayout.LINE, FrameLayout.length(mark));
        held = frame;
        return frame;
    }

    void release() {
        MemorySegment frame = held;
        if (frame == null) {
            throw new IllegalStateException("no frame is held");
        }
        held = null;
        number++;
        read += FrameLayout.bytes((int) frame.byteSize());
        WORD.setRelease(ring, RingLayout.CONSUMED, read);
    }

    /// @return whether the writer has closed
    boolean closed() {
        return (long) WORD.getAcquire(ring, RingLayout.CLOSED) != 0;
    }

    private long mark() {
        return (long) WORD.getAcquire(frames, (long) at());
    }

    private int at() {
        return (int) read & layout.bytes() - 1;
    }
}
