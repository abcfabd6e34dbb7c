package dev.wok.model;

import dev.wok.fabric.Fabric;
import dev.wok.fabric.Serving;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/// Has the micro-batches of a step computed where each rank has all layers: one after the other, or two
/// at a time that take turns ([Turns]).
final class Pairs implements AutoCloseable {
    private final Training training;
    private final Fabric fabric;
    private final int atOnce;

    /// For the second of two passes that take turns, or null where none do.
    private final @Nullable ExecutorService other;

    /// @param atOnce how many micro-batches may be under way
    Pairs(Training training, Fabric fabric, int atOnce) {
        this.training = training;
        this.fabric = fabric;
        this.atOnce = atOnce;
        other = atOnce > 1 ? Executors.newSingleThreadExecutor(Pairs::thread) : null;
    }

    private static Thread thread(Runnable work) {
        return Thread.ofPlatform().daemon().name("wok-turns").unstarted(work);
    }

    void run(List<Training.Share> shares, Training.Finished finished) {
        if (other == null) {
            for (int i = 0; i < shares.size(); i++) {
                alone(shares, i, finished);
            }
        } else {
            try (Serving _ = fabric.serve()) {
                int together = atOnce == 2 ? 2 : shares.size();
                for (int from = 0; from < shares.size(); from += together) {
                    takeTurns(shares, from, Math.min(shares.size(), from + together), other, finished);
                }
            }
        }
    }

    private void alone(List<Training.Share> shares, int number, Training.Finished finished) {
        try (Training.Begun begun = training.forward(shares.get(number), number, Turn.ALONE)) {
            training.backward(begun, Turn.ALONE, last(shares, number, finished));
        }
    }

    private static Training.Finished last(List<Training.Share> shares, int number, Training.Finished finished) {
        return number + 1 == shares.size() ? finished : (_, _) -> {};
    }

    /// The first two go forward in turn, the last two backward. In between one goes backward, where there is more to
    /// compute than travels, in turn with one that goes forward, where it is the other way round.
    private void takeTurns(
            List<Training.Share> shares, int from, int to, ExecutorService second, Training.Finished finished) {
        if (to - from == 1) {
            alone(shares, from, finished);
            return;
        }
        Training.@Nullable Begun[] begun = new Training.@Nullable Begun[to];
        try {
            Turns.run(
                    fabric.timeline(),
                    second,
                    turn -> begin(shares, begun, from, turn),
                    turn -> begin(shares, begun, from + 1, turn));
            for (int i = from; i + 2 < to; i++) {
                int one = i;
                Turns.run(
                        fabric.timeline(),
                        second,
                        turn -> end(begun, one, turn, last(shares, one, finished)),
                        turn -> begin(shares, begun, one + 2, turn));
            }
            Turns.run(
                    fabric.timeline(),
                    second,
                    turn -> end(begun, to - 2, turn, last(shares, to - 2, finished)),
                    turn -> end(begun, to - 1, turn, last(shares, to - 1, finished)));
        } finally {
            Arrays.stream(begun).filter(Objects::nonNull).forEach(Training.Begun::close);
        }
    }

    private void begin(List<Training.Share> shares, Training.@Nullable Begun[] begun, int number, Turn turn) {
        begun[number] = training.forward(shares.get(number), number, turn);
    }

    private void end(Training.@Nullable Begun[] begun, int number, Turn turn, Training.Finished finished) {
        try (Training.Begun one = Objects.requireNonNull(begun[number])) {
            begun[number] = null;
            training.backward(one, turn, finished);
        }
    }

    @Override
    public void close() {
        if (other != null) {
            other.close();
        }
    }
}
