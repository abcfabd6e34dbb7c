package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/// Messages between this rank and one other, each way one after the other. Moves are a sequence of
/// their own, whose frames go where no other is ready.
///
/* A move's frame goes when all messages that were added before it have gone. So whoever still waits for one of those finds
 * it before the move, and whoever has begun the move knows where its bytes go: no frame waits at the head of a link for
 * one behind it. */
final class Lane {
    /* Frames that stay in a processor's second-level cache between writing and reading. */
    private static final int FRAME = 1 << 17;

    /// @param after how many messages of the other sequence go before it
    private record Sending(Outgoing message, Operation operation, int after) {}

    private record Receiving(Incoming message, Operation operation) {}

    private static final class Sequence {
        final Deque<Sending> out = new ArrayDeque<>();
        final Deque<Receiving> in = new ArrayDeque<>();
        int sent;
        int received;

        boolean isIdle() {
            return out.isEmpty() && in.isEmpty();
        }

        boolean has(Operation operation) {
            return in.stream().anyMatch(r -> r.operation == operation)
                    || out.stream().anyMatch(s -> s.operation == operation);
        }
    }

    private final Link link;
    private final Peer peer;
    private final int room;
    private final Sequence usual = new Sequence();
    private final Sequence moves = new Sequence();
    /// Bytes that have been read of the frame that is being received.
    private int taken;
    private boolean left;

    Lane(Link link, Peer peer) {
        this.link = link;
        this.peer = peer;
        this.room = Math.min(link.capacity(), FRAME) - ExchangeLayout.HEADER;
    }

    void add(Outgoing message, Operation operation) {
        message.isForOthers = link.isMemory();
        of(message.kind).out.add(new Sending(message, operation, usual.sent + usual.out.size()));
    }

    void add(Incoming message, Operation operation) {
        of(message.kind).in.add(new Receiving(message, operation));
    }

    private Sequence of(ExchangeLayout.Kind kind) {
        return kind == ExchangeLayout.Kind.MOVE ? moves : usual;
    }

    /// Lets the link move bytes. A rank that nothing is expected of may leave.
    void progress() {
        boolean idle = usual.isIdle() && moves.isIdle();
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
        return usual.has(operation) || moves.has(operation);
    }

    /// Sends a frame.
    ///
    /// @return whether there was one, and room for it
    boolean push() {
        return push(usual) || (mayMove() && push(moves));
    }

    private boolean mayMove() {
        Sending first = moves.out.peek();
        return first != null && usual.sent - first.after >= 0 && link.hasSpare();
    }

    private boolean push(Sequence sequence) {
        Sending first = sequence.out.peek();
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
        ExchangeLayout.write(frame, message.kind, sequence.sent, bytes, message.position, message.total);
        message.fill(frame, ExchangeLayout.HEADER, bytes);
        link.send(ExchangeLayout.HEADER + bytes);
        message.position += bytes;
        if (message.position == message.total) {
            sequence.out.remove();
            sequence.sent++;
            first.operation.finished();
        }
        return true;
    }

    /// Reads a frame.
    ///
    /// @return whether something of it could be read
    boolean pull() {
        @Nullable MemorySegment frame = moves.in.isEmpty() && !isReady(usual) ? null : link.receive();
        if (frame == null) {
            return false;
        }
        Sequence sequence = ExchangeLayout.isBehind(frame) && !moves.in.isEmpty() ? moves : usual;
        return isReady(sequence) && pull(sequence, frame);
    }

    private static boolean isReady(Sequence sequence) {
        Receiving first = sequence.in.peek();
        return first != null && first.message.isReady();
    }

    private boolean pull(Sequence sequence, MemorySegment frame) {
        Receiving first = sequence.in.element();
        Incoming message = first.message;
        int bytes = ExchangeLayout.check(frame, peer, message.kind, sequence.received, message.position - taken);
        long total = ExchangeLayout.total(frame);
        if (message.total < 0) {
            message.begin(total);
            message.total = total;
        }
        message.expect(total, message.total);
        if (bytes == 0 && total > 0) {
            throw peer.sends("an empty frame of a %s".formatted(message.kind));
        }
        int more = message.take(frame, ExchangeLayout.HEADER + (long) taken, bytes - taken);
        message.position += more;
        taken += more;
        if (taken < bytes) {
            return more > 0;
        }
        taken = 0;
        link.release();
        if (message.position == message.total) {
            sequence.in.remove();
            sequence.received++;
            first.operation.finished();
        }
        return true;
    }
}
