package dev.wok.fabric;

import dev.wok.notice.Progress;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/// Looks after the waits of one rank: names the rank and the operation that it waits for once it has waited for long,
/// and ends a wait for what will not come. Any thread.
///
/// @param patience how long a wait may be before it is named
/// @param limit how long it may be
record Watchdog(int rank, Board board, Duration patience, Duration limit, Progress progress) {
    /// A process that lives says so every second.
    private static final Duration SILENCE = Duration.ofSeconds(3);

    /// @return the link's other end, for what is to be said of it
    Peer peer(int other) {
        return new Peer(other, rank, board);
    }

    /// Says what this rank does from here on.
    void doing(String what) {
        board.status(rank, board.status(rank).doing(what));
    }

    /// @throws Departed where a rank died: without it nothing goes on, even if others can be waited for
    void checkAlive() {
        for (int other = 0; other < board.ranks(); other++) {
            Board.Gone how = board.gone(other);
            if (how != null && !how.orderly()) {
                throw board.departed(rank, other);
            }
        }
    }

    /// @param waited nanoseconds so far
    /// @return the rank that all of this waits for in the end, and what it does
    String story(String operation, int from, long waited) {
        StringBuilder story = new StringBuilder("rank %d (%s) has waited %s in %s"
                .formatted(rank, board.status(rank).doing(), seconds(waited), operation));
        String link = " for rank ";
        for (Map.Entry<Integer, Board.Status> one : chain(from).entrySet()) {
            Board.Status status = one.getValue();
            story.append(link).append(one.getKey());
            if (awaited(status) < 0) {
                story.append(", which has been %s for %s%s".formatted(status, age(status.since()), heard(status)));
            } else {
                story.append(" (").append(status.doing()).append(')');
                link = ", which has waited %s in %s for rank ".formatted(age(status.since()), status.operation());
            }
        }
        return story.append('.').toString();
    }

    /// @return the last rank of those that wait for each other, from this one on
    int culprit(int from) {
        return from < 0 ? from : chain(from).lastEntry().getKey();
    }

    /// The ranks that wait for each other, without this one and each once.
    private SequencedMap<Integer, Board.Status> chain(int from) {
        SequencedMap<Integer, Board.Status> chain = new LinkedHashMap<>();
        int next = from;
        while (next >= 0 && next != rank && !chain.containsKey(next)) {
            Board.Status status = board.status(next);
            chain.put(next, status);
            next = awaited(status);
        }
        if (next >= 0) {
            // A circle: some rank of it waits for several, and says one of them.
            silentBeside(chain).ifPresent(other -> chain.put(other, board.status(other)));
        }
        return chain;
    }

    /// @return a rank outside of the chain that gives no sign of life
    private OptionalInt silentBeside(SequencedMap<Integer, Board.Status> chain) {
        return IntStream.range(0, board.ranks())
                .filter(other -> other != rank && !chain.containsKey(other) && isSilent(board.status(other)))
                .findFirst();
    }

    /// @return the rank that another waits for; -1 where it waits for none, or said so long ago that it may be frozen
    private static int awaited(Board.Status status) {
        return isSilent(status) ? -1 : status.waitsFor();
    }

    private static boolean isSilent(Board.Status status) {
        return tellsOfItself(status) && System.nanoTime() - status.seen() > SILENCE.toNanos();
    }

    private static String heard(Board.Status status) {
        return tellsOfItself(status) ? "; last sign of life %s ago".formatted(age(status.seen())) : "";
    }

    /// Ranks that are threads of this process give no sign of life of their own.
    private static boolean tellsOfItself(Board.Status status) {
        return status.seen() != status.since();
    }

    private static String age(long since) {
        return seconds(System.nanoTime() - since);
    }

    private static String seconds(long nanos) {
        double seconds = (double) nanos / TimeUnit.SECONDS.toNanos(1);
        return seconds < 10 ? String.format(Locale.ROOT, "%.1f s", seconds) : Math.round(seconds) + " s";
    }
}
