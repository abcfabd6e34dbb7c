package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/// Messages between this rank and one other, each way one after the other.
final class Lane {
    /* Frames that stay in a processor's second-level cache between writing and reading. */
    private static final int FRAME = 1 << 17;

    private record Sending(Outgoing message, Operation operation) {}

    private record Receiving(Incoming message, Operation operation) {}

    private final Link link;
    private final Peer peer;
    private final int room;
    private final Deque<Sending> out = new ArrayDeque<>();
    private final Deque<Receiving> in = new ArrayDeque<>();
    private int sent;
    private int received;
    private boolean left;

    Lane(Link link, Peer peer) {
        this.link = link;
        this.peer = peer;
        this.room = Math.min(link.capacity(), FRAME) - ExchangeLayout.HEADER;
    }

    void add(Outgoing message, Operation operation) {
        out.add(new Sending(message, operation));
    }

    void add(Incoming message, Operation operation) {
        in.add(new Receiving(message, operation));
    }

    /// Lets the link move bytes. A rank that nothing is expected of may leave.
    void progress() {
        boolean idle = out.isEmpty() && in.isEmpty();
        if (idle && left) {
            return;
        }
        try {
            link.progress();
        } catch (Departed e) {
            if (!idle) {
                throw e;
            }
            left = true;
        }
    }

    boolean awaits(Operation operation) {
        return in.stream().anyMatch(r -> r.operation == operation)
                || out.stream().anyMatch(s -> s.operation == operation);
    }

    /// Sends a frame.
    ///
    /// @return whether there was one, and room for it
    boolean push() {
        Sending first = out.peek();
        if (first == null) {
            return false;
        }
        Outgoing message = first.message;
        int bytes = message.next(room);
        if (bytes == 0 && message.position < message.total) {
            return false;
        }
        MemorySegment frame = link.reserve(ExchangeLayout.HEADER + bytes);
        if (frame == null) {
            return false;
        }
        ExchangeLayout.write(frame, message.kind, sent, bytes, message.position, message.total);
        message.fill(frame, ExchangeLayout.HEADER, bytes);
        link.send(ExchangeLayout.HEADER + bytes);
        message.position += bytes;
        if (message.position == message.total) {
            out.remove();
            sent++;
            first.operation.finished();
        }
        return true;
    }

    /// Reads a frame.
    ///
    /// @return whether there was one that could be read
    boolean pull() {
        Receiving first = in.peek();
        @Nullable MemorySegment frame = first == null || !first.message.isReady() ? null : link.receive();
        if (first == null || frame == null) {
            return false;
        }
        Incoming message = first.message;
        int bytes = ExchangeLayout.check(frame, peer, message.kind, received, message.position);
        long total = ExchangeLayout.total(frame);
        if (message.total < 0) {
            message.begin(total);
            message.total = total;
        }
        message.expect(total, message.total);
        if (bytes == 0 && total > 0) {
            throw peer.sends("an empty frame of a %s".formatted(message.kind));
        }
        if (!message.take(frame, ExchangeLayout.HEADER, bytes)) {
            return false;
        }
        link.release();
        message.position += bytes;
        if (message.position == message.total) {
            in.remove();
            received++;
            first.operation.finished();
        }
        return true;
    }
}
