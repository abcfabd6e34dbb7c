package dev.wok.fabric;

import dev.wok.tensor.Copies;
import java.lang.foreign.MemorySegment;

/// Measures the bare link between two ranks: bytes of one's memory to the other's, in frames, and
/// nothing around them.
public final class LinkProbe {
    /// Frames that stay in a processor's second-level cache between writing and reading.
    private static final int FRAME = 1 << 16;

    private final Group group;
    private final Link link;
    private final int frame;

    /// @param fabric of a group in which nothing is under way
    /// @param peer another rank, which makes a probe too
    public LinkProbe(Fabric fabric, int peer) {
        group = fabric.group();
        link = group.link(peer);
        frame = Math.min(FRAME, link.capacity());
    }

    /// Sends bytes and waits until as many have come back; the other rank calls [#answer].
    public void ask(MemorySegment bytes) {
        send(bytes);
        receive(bytes);
    }

    /// Waits for bytes and sends as many back.
    public void answer(MemorySegment bytes) {
        receive(bytes);
        send(bytes);
    }

    private void send(MemorySegment bytes) {
        long size = bytes.byteSize();
        for (long at = 0; at < size; at += frame) {
            int count = (int) Math.min(frame, size - at);
            Copies.bytes(bytes, at, room(count), 0, count);
            link.send(count);
        }
    }

    private void receive(MemorySegment bytes) {
        long size = bytes.byteSize();
        for (long at = 0; at < size; at += frame) {
            int count = (int) Math.min(frame, size - at);
            Copies.bytes(next(), 0, bytes, at, count);
            link.release();
        }
    }

    private MemorySegment room(int bytes) {
        MemorySegment room = link.reserve(bytes);
        if (room == null) {
            try (Waiting waiting = group.waiting("probe", link.peer())) {
                while (room == null) {
                    link.progress();
                    waiting.turn();
                    room = link.reserve(bytes);
                }
            }
        }
        return room;
    }

    private MemorySegment next() {
        MemorySegment came = link.receive();
        if (came == null) {
            try (Waiting waiting = group.waiting("probe", link.peer())) {
                while (came == null) {
                    link.progress();
                    waiting.turn();
                    came = link.receive();
                }
            }
        }
        return came;
    }
}
