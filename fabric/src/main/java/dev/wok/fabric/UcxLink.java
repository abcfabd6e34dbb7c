package dev.wok.fabric;

import dev.wok.device.Ucx;
import dev.wok.device.UcxException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// A link over UCX. Each end receives into a few buffers that lie ready. A frame is a message with the tag of its
/// sender; beside frames go notes, which say how many of the other's frames have been released, so that no more are
/// under way than there are buffers, and at the end how many frames there were.
final class UcxLink implements Link {
    private static final int SLOTS = 8;
    private static final int SLOT = 1 << 18;
    private static final int CAPACITY = SLOT - FrameLayout.LINE;
    /// Frames released since the last note: at most two notes and the last are under way.
    private static final int OFTEN = SLOTS / 2;
    private static final int NOTES = 4;
    /// A request that is over, and has not done what it should.
    private static final long FAILED = -1;
    /// What was sent should arrive even where this rank leaves at once.
    private static final long LINGER = TimeUnit.SECONDS.toNanos(5);

    private final UcxNode node;
    private final Ucx ucx;
    private final long endpoint;
    private final Peer peer;
    private final long outTag;
    private final long inTag;
    private final Buffers out;
    private final Buffers in;
    private final Buffers notesOut;
    private final Buffers notesIn;
    private long sent;
    private long received;
    private long noted;
    private long notesSent;
    private long notesReceived;
    /// Frames that the peer has released.
    private long released;
    /// Frames that the peer has sent in all, once it said so.
    private long last = Long.MAX_VALUE;
    private boolean full;
    private boolean broken;

    UcxLink(UcxNode node, long endpoint, Peer peer) {
        this.node = node;
        this.endpoint = endpoint;
        this.peer = peer;
        ucx = node.ucx();
        outTag = tag(peer.self());
        inTag = tag(peer.rank());
        out = new Buffers(node.allocate((long) SLOTS * SLOT), SLOTS);
        in = new Buffers(node.allocate((long) SLOTS * SLOT), SLOTS);
        notesOut = new Buffers(node.allocate(NOTES * FrameLayout.LINE), NOTES);
        notesIn = new Buffers(node.allocate(NOTES * FrameLayout.LINE), NOTES);
        for (int slot = 0; slot < SLOTS; slot++) {
            in.set(slot, ucx.receive(in.at(slot), inTag));
        }
        for (int slot = 0; slot < NOTES; slot++) {
            notesIn.set(slot, ucx.receive(notesIn.at(slot), inTag + 1));
        }
    }

    /// Notes have the odd one above.
    private static long tag(int rank) {
        return 2L * rank;
    }

    /// Buffers that are used in turn, and what is under way from or to each.
    private final class Buffers {
        private final MemorySegment memory;
        private final long[] requests;

        Buffers(MemorySegment memory, int count) {
            this.memory = memory;
            requests = new long[count];
        }

        MemorySegment at(long number) {
            long size = memory.byteSize() / requests.length;
            return memory.asSlice(number % requests.length * size, size);
        }

        void set(long number, long request) {
            requests[(int) (number % requests.length)] = request;
        }

        /// Never, where it failed.
        boolean isDone(long number) {
            int slot = (int) (number % requests.length);
            if (requests[slot] == FAILED) {
                return false;
            }
            try {
                if (!ucx.isDone(requests[slot])) {
                    return false;
                }
                requests[slot] = Ucx.DONE;
                return true;
            } catch (UcxException e) {
                requests[slot] = FAILED;
                broken = true;
                return false;
            }
        }

        boolean areOver() {
            boolean over = true;
            for (int slot = 0; slot < requests.length; slot++) {
                over &= isDone(slot) || requests[slot] == FAILED;
            }
            return over;
        }

        void cancel() {
            Arrays.stream(requests).filter(request -> request != FAILED).forEach(ucx::cancel);
        }
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
        FrameLayout.requireRoom(bytes, CAPACITY);
        readNotes();
        full = sent - released >= SLOTS || !out.isDone(sent);
        return full ? null : out.at(sent).asSlice(FrameLayout.LINE);
    }

    @Override
    public void send(int bytes) {
        send(out, sent, FrameLayout.mark(FrameLayout.DATA, bytes), sent, outTag, bytes);
        sent++;
    }

    private void send(Buffers buffers, long turn, long mark, long number, long tag, int bytes) {
        MemorySegment frame = buffers.at(turn).asSlice(0, FrameLayout.LINE + (long) bytes);
        frame.set(FrameLayout.LONG, 0, mark);
        frame.set(FrameLayout.LONG, FrameLayout.NUMBER, number);
        try {
            buffers.set(turn, ucx.send(endpoint, frame, tag));
        } catch (UcxException e) {
            broken = true;
        }
    }

    @Override
    public boolean hasSpare() {
        readNotes();
        return sent - released < OFTEN;
    }

    @Override
    public @Nullable MemorySegment receive() {
        if (received >= last || !in.isDone(received)) {
            return null;
        }
        MemorySegment frame = in.at(received);
        long mark = frame.get(FrameLayout.LONG, 0);
        if (!FrameLayout.is(mark, FrameLayout.DATA, CAPACITY)
                || frame.get(FrameLayout.LONG, FrameLayout.NUMBER) != received) {
            throw peer.sends("a frame that does not begin as one");
        }
        return frame.asSlice(FrameLayout.LINE, FrameLayout.length(mark));
    }

    @Override
    public void release() {
        in.set(received, ucx.receive(in.at(received), inTag));
        received++;
        if (received - noted >= OFTEN) {
            noted = received;
            note(FrameLayout.RELEASED, received);
        }
    }

    private void note(int kind, long number) {
        while (!broken && !notesOut.isDone(notesSent)) {
            ucx.progress();
        }
        send(notesOut, notesSent, FrameLayout.mark(kind, 0), number, outTag + 1, 0);
        notesSent++;
    }

    private void readNotes() {
        while (notesIn.isDone(notesReceived)) {
            MemorySegment note = notesIn.at(notesReceived);
            long mark = note.get(FrameLayout.LONG, 0);
            long number = note.get(FrameLayout.LONG, FrameLayout.NUMBER);
            if (FrameLayout.is(mark, FrameLayout.RELEASED, 0) && number > released && number <= sent) {
                released = number;
            } else if (FrameLayout.is(mark, FrameLayout.LAST, 0) && last == Long.MAX_VALUE && number >= received) {
                last = number;
            } else {
                throw peer.sends("a note of %d frames, where %d were sent to it".formatted(number, sent));
            }
            notesIn.set(notesReceived, ucx.receive(notesIn.at(notesReceived), inTag + 1));
            notesReceived++;
        }
    }

    @Override
    public void progress() {
        ucx.progress();
        readNotes();
        if ((broken || last < Long.MAX_VALUE) && (full || (receive() == null && (broken || received == last)))) {
            throw peer.gone();
        }
    }

    /// Says that no more frames come, and waits until all have gone out.
    @Override
    public void close() {
        long began = System.nanoTime();
        note(FrameLayout.LAST, sent);
        settle(began, () -> broken || last < Long.MAX_VALUE || (out.areOver() && notesOut.areOver()));
        in.cancel();
        notesIn.cancel();
        try {
            finish(began, ucx.close(endpoint));
        } catch (UcxException e) {
            broken = true; // it has gone with the peer
        }
        settle(began, () -> in.areOver() & notesIn.areOver() & out.areOver() & notesOut.areOver());
        node.close();
    }

    private void finish(long began, long request) {
        Buffers one = new Buffers(MemorySegment.NULL, 1);
        one.set(0, request);
        settle(began, one::areOver);
    }

    private void settle(long began, BooleanSupplier done) {
        while (!done.getAsBoolean() && System.nanoTime() - began < LINGER) {
            ucx.progress();
        }
    }
}
