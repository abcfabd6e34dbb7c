package dev.wok.fabric;

import static dev.wok.fabric.FrameLayout.LINE;
import static dev.wok.fabric.FrameLayout.LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The end of a socket that frames are read from, as many at once as have come.
final class SocketReader {
    /// Who finds nothing so often asks the system less often from then on: to ask takes longer than to look at memory.
    private static final int EAGER = 64;

    private static final long PAUSE = TimeUnit.MICROSECONDS.toNanos(3);

    private final ReadableByteChannel channel;
    private final Peer peer;
    private final int capacity;
    private final MemorySegment memory;
    private final ByteBuffer bytes;
    /// What has come lies from `first` to `end`.
    private int first;
    private int end;
    private long number;
    private int misses;
    private long asked;
    private boolean ended;
    private @Nullable MemorySegment held;

    SocketReader(ReadableByteChannel channel, int capacity, Peer peer) {
        this.channel = channel;
        this.capacity = capacity;
        this.peer = peer;
        memory = Arena.ofAuto().allocate(4L * FrameLayout.bytes(capacity), LINE);
        bytes = memory.asByteBuffer();
    }

    @Nullable
    MemorySegment receive() {
        if (held == null && !whole()) {
            fill();
        }
        if (held == null && whole()) {
            held = memory.asSlice(first + LINE, FrameLayout.length(mark()));
        }
        return held;
    }

    void release() {
        MemorySegment frame = held;
        if (frame == null) {
            throw new IllegalStateException("no frame is held");
        }
        held = null;
        number++;
        first += FrameLayout.bytes((int) frame.byteSize());
        if (first == end) {
            first = 0;
            end = 0;
        }
    }

    /// Takes what has come, where there is room for it.
    void fill() {
        if (misses >= EAGER) {
            long now = System.nanoTime();
            if (now - asked < PAUSE) {
                return;
            }
            asked = now;
        }
        if (held == null && bytes.capacity() - first < FrameLayout.bytes(capacity)) {
            bytes.limit(end).position(first).compact();
            end -= first;
            first = 0;
        }
        if (ended || end == bytes.capacity()) {
            return;
        }
        try {
            int came = channel.read(bytes.limit(bytes.capacity()).position(end));
            ended = came < 0;
            misses = came > 0 ? 0 : misses + 1;
            end += Math.max(came, 0);
        } catch (IOException e) {
            ended = true;
        }
    }

    /// @return whether nothing will come any more but what is here
    boolean ended() {
        return ended;
    }

    /// @return whether the first frame is here
    private boolean whole() {
        if (end - first < LINE) {
            return false;
        }
        long mark = mark();
        FrameLayout.requireNext(peer, mark, capacity, memory.get(LONG, first + FrameLayout.NUMBER), number);
        return end - first >= FrameLayout.bytes(FrameLayout.length(mark));
    }

    private long mark() {
        return memory.get(LONG, first);
    }
}
