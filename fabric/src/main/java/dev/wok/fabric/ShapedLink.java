package dev.wok.fabric;

import static dev.wok.fabric.FrameLayout.LONG;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// A link that is slower than the one beneath, as a network between machines would be: bytes travel
/// while both ends compute. Before the payload of each frame a line says when it was sent, so both
/// ends must share a clock: threads, or processes of one machine.
final class ShapedLink implements Link {
    private static final long SENT = 0;
    private static final long MARK = 8;
    private static final long SHAPED = 0x534841504544L;

    private final Link link;
    private final LinkDelay delay;
    private final LongSupplier nanos;
    private @Nullable MemorySegment reserved;
    private @Nullable MemorySegment held;
    /// When the last byte of the frame that came last had passed, and when the frame that is next may
    /// be seen.
    private long passed = Long.MIN_VALUE;
    private long due;

    ShapedLink(Link link, LinkDelay delay, LongSupplier nanos) {
        this.link = link;
        this.delay = delay;
        this.nanos = nanos;
    }

    /// @param links by rank; null at the own one
    static @Nullable Link[] all(@Nullable Link[] links, LinkDelay delay) {
        return Arrays.stream(links)
                .map(link -> link == null ? null : new ShapedLink(link, delay, System::nanoTime))
                .toArray(Link[]::new);
    }

    @Override
    public int peer() {
        return link.peer();
    }

    @Override
    public int capacity() {
        return link.capacity() - FrameLayout.LINE;
    }

    @Override
    public @Nullable MemorySegment reserve(int bytes) {
        reserved = link.reserve(bytes + FrameLayout.LINE);
        return reserved == null ? null : reserved.asSlice(FrameLayout.LINE);
    }

    @Override
    public void send(int bytes) {
        MemorySegment frame = reserved;
        if (frame == null) {
            throw new IllegalStateException("nothing is reserved");
        }
        frame.set(LONG, SENT, nanos.getAsLong());
        frame.set(LONG, MARK, SHAPED);
        reserved = null;
        link.send(bytes + FrameLayout.LINE);
    }

    @Override
    public boolean hasSpare() {
        return link.hasSpare();
    }

    @Override
    public @Nullable MemorySegment receive() {
        MemorySegment frame = held;
        if (frame == null) {
            frame = link.receive();
            if (frame == null) {
                return null;
            }
            held = shaped(frame);
            passed = Math.max(passed, frame.get(LONG, SENT)) + (long) (frame.byteSize() / delay.bytesPerNano());
            due = passed + delay.nanos();
        }
        return nanos.getAsLong() < due ? null : frame.asSlice(FrameLayout.LINE);
    }

    private MemorySegment shaped(MemorySegment frame) {
        if (frame.byteSize() < FrameLayout.LINE || frame.get(LONG, MARK) != SHAPED) {
            throw new Departed(
                    peer(),
                    "rank %d does not delay its links as this rank does: %s must be the same on all ranks."
                            .formatted(peer(), LinkDelay.VARIABLE));
        }
        return frame;
    }

    @Override
    public void release() {
        held = null;
        link.release();
    }

    @Override
    public void progress() {
        link.progress();
    }

    @Override
    public void close() {
        link.close();
    }
}
