package dev.wok.fabric;

import static dev.wok.fabric.FrameLayout.LINE;
import static dev.wok.fabric.FrameLayout.LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/// The end of a socket that frames are written to: those that the system did not take yet wait in a buffer, which they
/// fill around and around.
final class SocketWriter {
    private final WritableByteChannel channel;
    private final MemorySegment memory;
    private final ByteBuffer bytes;
    private final int capacity;
    /// Frames wait from `first` to `end`; or, where they go around, from `first` to `turn` and from 0 to `end`.
    private int first;
    private int end;
    private int turn;
    private int reserved;
    private long number;

    SocketWriter(WritableByteChannel channel, int capacity) {
        this.channel = channel;
        this.capacity = capacity;
        memory = Arena.ofAuto().allocate(4L * FrameLayout.bytes(capacity), LINE);
        bytes = memory.asByteBuffer();
    }

    @Nullable
    MemorySegment reserve(int payload) {
        FrameLayout.requireRoom(payload, capacity);
        int frame = FrameLayout.bytes(payload);
        if (first == end && turn == 0) {
            first = 0;
            end = 0;
        }
        boolean after = turn == 0 ? end + frame <= bytes.capacity() : end + frame < first;
        if (!after && (turn > 0 || frame >= first)) {
            return null;
        }
        reserved = after ? end : 0;
        return memory.asSlice(reserved + LINE, frame - LINE);
    }

    void send(int payload) throws IOException {
        memory.set(LONG, reserved, FrameLayout.mark(FrameLayout.DATA, payload));
        memory.set(LONG, reserved + FrameLayout.NUMBER, number++);
        if (reserved != end) {
            turn = end;
        }
        end = reserved + FrameLayout.bytes(payload);
        flush();
    }

    /// Gives the system what it takes.
    ///
    /// @return whether nothing is left
    boolean flush() throws IOException {
        if (turn > 0) {
            write(turn);
            if (first < turn) {
                return false;
            }
            turn = 0;
            first = 0;
        }
        write(end);
        return first == end;
    }

    private void write(int to) throws IOException {
        if (first < to) {
            channel.write(bytes.limit(to).position(first));
            first = bytes.position();
        }
    }
}
