package dev.wok.fabric;

import dev.wok.fabric.Message.Bye;
import dev.wok.fabric.Message.Life;
import dev.wok.fabric.Message.Seat;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// A connection by which two ranks know of each other: each says every now and then what it does, and when it leaves,
/// why. When a process dies, the system ends the connection at once.
final class Lifeline {
    private static final Duration PULSE = Duration.ofMillis(200);
    /// So many pulses with nothing new are left out.
    private static final int QUIET = 5;

    private final Peer peer;
    private final Seat seat;
    private final Line line;
    private @Nullable Thread pulse;
    private volatile boolean closing;

    Lifeline(Peer peer, Seat seat, Line line) {
        this.peer = peer;
        this.seat = seat;
        this.line = line;
    }

    Peer peer() {
        return peer;
    }

    Line line() {
        return line;
    }

    Seat seat() {
        return seat;
    }

    /// Begins to listen and to tell.
    void start() {
        Thread.ofVirtual()
                .name("wok-listen-%d-%d".formatted(peer.self(), peer.rank()))
                .start(this::listen);
        pulse = Thread.ofVirtual()
                .name("wok-pulse-%d-%d".formatted(peer.self(), peer.rank()))
                .start(this::tell);
    }

    private void listen() {
        Board board = peer.board();
        try {
            while (board.gone(peer.rank()) == null) {
                hear(line.receive());
            }
        } catch (MessageLayout.Malformed e) {
            died("rank %d (%s) sends what cannot be: %s.".formatted(peer.rank(), seat, e.getMessage()));
        } catch (IOException _) {
            if (!closing) {
                died("rank %d (%s) has ended without a word.".formatted(peer.rank(), seat));
            }
        }
    }

    private void died(String why) {
        Board board = peer.board();
        board.gone(
                peer.rank(),
                new Board.Gone(peer.rank(), "%s It was %s.".formatted(why, board.status(peer.rank())), false));
    }

    private void hear(Message message) throws MessageLayout.Malformed {
        Board board = peer.board();
        int ranks = board.ranks();
        switch (message) {
            case Life(String doing, String operation, int waitsFor, long nanos)
            when waitsFor >= -1 && waitsFor < ranks && nanos >= 0 -> {
                long now = System.nanoTime();
                board.status(peer.rank(), new Board.Status(doing, operation, waitsFor, now - nanos, now));
            }
            case Bye(int cause, String why)
            when cause >= 0 && cause < ranks -> board.gone(peer.rank(), new Board.Gone(cause, why, true));
            case Message other ->
                throw new MessageLayout.Malformed(
                        "%s out of place".formatted(other.getClass().getSimpleName()));
        }
    }

    private void tell() {
        Board board = peer.board();
        Board.Status last = null;
        int quiet = 0;
        try {
            while (!closing && board.gone(peer.rank()) == null) {
                Board.Status now = board.status(peer.self());
                quiet = now == last ? quiet + 1 : 0;
                if (quiet % QUIET == 0) {
                    line.send(new Life(now.doing(), now.operation(), now.waitsFor(), System.nanoTime() - now.since()));
                }
                last = now;
                Thread.sleep(PULSE);
            }
        } catch (InterruptedException | IOException _) {
            return; // whoever listens says what is to be said
        }
    }

    /// Says why this rank leaves, and leaves.
    void leave(Board.Gone how) {
        closing = true;
        Thread teller = pulse;
        try (line;
                Deadline _ = new Deadline(line.channel(), Duration.ofSeconds(2))) {
            line.send(new Bye(how.cause(), how.why()));
        } catch (IOException _) {
            closing = true;
        }
        if (teller != null) {
            teller.interrupt();
        }
    }
}
