package dev.wok.fabric;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// A link over a connected socket, TCP or Unix. Frames travel as they lie in memory ([FrameLayout]).
final class SocketLink implements Link {
    private static final int CAPACITY = (1 << 18) - FrameLayout.LINE;
    /// What was sent should arrive even where this rank leaves at once.
    private static final long LINGER = TimeUnit.SECONDS.toNanos(2);

    private final SocketChannel channel;
    private final Peer peer;
    private final SocketWriter out;
    private final SocketReader in;
    private boolean full;
    private boolean broken;

    SocketLink(SocketChannel channel, Peer peer) throws IOException {
        this.channel = channel;
        this.peer = peer;
        channel.configureBlocking(false);
        out = new SocketWriter(channel, CAPACITY);
        in = new SocketReader(channel, CAPACITY, peer);
    }

    @Override
    public int peer() {
        return peer.rank();
    }

    @Override
    public int capacity() {
        return CAPACITY;
    }

    @Override
    public @Nullable MemorySegment reserve(int bytes) {
        MemorySegment room = out.reserve(bytes);
        full = room == null;
        return room;
    }

    @Override
    public void send(int bytes) {
        try {
            out.send(bytes);
        } catch (IOException e) {
            broken = true;
        }
    }

    @Override
    public boolean hasSpare() {
        return flush();
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
        flush();
        in.fill();
        boolean gone = broken || in.ended();
        if (gone && (full || in.receive() == null)) {
            throw peer.gone();
        }
    }

    private boolean flush() {
        try {
            return broken || out.flush();
        } catch (IOException e) {
            broken = true;
            return true;
        }
    }

    @Override
    public void close() {
        long began = System.nanoTime();
        while (channel.isOpen() && !flush() && System.nanoTime() - began < LINGER) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
        try {
            channel.close();
        } catch (IOException e) {
            broken = true;
        }
    }
}
