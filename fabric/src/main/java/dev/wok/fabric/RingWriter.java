package dev.wok.fabric;

import static dev.wok.fabric.FrameLayout.LINE;
import static dev.wok.fabric.FrameLayout.LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/// The end of a ring that frames are written to.
final class RingWriter {
    private static final VarHandle WORD = LONG.varHandle();

    private final RingLayout layout;
    private final MemorySegment ring;
    private final MemorySegment frames;
    /// Bytes written, and of these what the reader was done with when it was last asked.
    private long written;
    private long consumed;
    private long number;
    /// Where the reserved frame will begin, counted like [#written].
    private long reserved;

    RingWriter(RingLayout layout, MemorySegment ring) {
        this.layout = layout;
        this.ring = ring;
        frames = ring.asSlice(RingLayout.FRAMES, layout.bytes());
    }

    @Nullable
    MemorySegment reserve(int bytes) {
        FrameLayout.requireRoom(bytes, layout.capacity());
        int frame = FrameLayout.bytes(bytes);
        int toEnd = layout.bytes() - at(written);
        long begin = frame > toEnd ? written + toEnd : written;
        long end = begin + frame + LINE;
        if (end - consumed > layout.bytes()) {
            consumed = (long) WORD.getAcquire(ring, RingLayout.CONSUMED);
            if (end - consumed > layout.bytes()) {
                return null;
            }
        }
        reserved = begin;
        return frames.asSlice(at(begin) + LINE, frame - LINE);
    }

    void send(int bytes) {
        long next = reserved + FrameLayout.bytes(bytes);
        frames.set(LONG, at(next), 0);
        frames.set(LONG, at(reserved) + FrameLayout.NUMBER, number++);
        WORD.setRelease(frames, (long) at(reserved), FrameLayout.mark(FrameLayout.DATA, bytes));
        if (reserved != written) {
            WORD.setRelease(frames, (long) at(written), FrameLayout.mark(FrameLayout.WRAP, 0));
        }
        written = next;
    }

    /// @return whether less than a quarter is unread
    boolean hasSpare() {
        long read = (long) WORD.getAcquire(ring, RingLayout.CONSUMED);
        return written - read < layout.bytes() / 4;
    }

    /// @return whether the reader says that it has read what was written, and no more
    boolean sane() {
        long read = (long) WORD.getAcquire(ring, RingLayout.CONSUMED);
        return read >= consumed && read <= written;
    }

    void close() {
        WORD.setRelease(ring, RingLayout.CLOSED, 1L);
    }

    private int at(long position) {
        return (int) position & layout.bytes() - 1;
    }
}
