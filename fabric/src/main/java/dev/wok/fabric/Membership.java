package dev.wok.fabric;

import dev.wok.notice.BadInput;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// How a rank finds its group.
///
/// @param rank counted from 0
/// @param size of the group
/// @param rendezvous `host:port` where rank 0 listens, or `host:0` for rank 0 alone to choose
/// @param secret that all ranks share; nobody joins without it
/// @param transport how bytes travel between ranks of one machine; others always use the network
/// @param patience how long the watchdog waits for another rank before it names it
/// @param limit how long a rank waits before it gives up
public record Membership(
        int rank, int size, String rendezvous, byte[] secret, Transport transport, Duration patience, Duration limit) {
    /// What carries bytes between ranks.
    public enum Transport {
        /// The fastest that is there, said once.
        AUTO,
        /// Rings in memory that processes of one machine map.
        SHARED,
        UNIX,
        TCP,
        /// UCX, where it is installed.
        UCX
    }

    private static final int MOST_RANKS = 1024;
    private static final int SHORTEST_SECRET = 16;
    static final Duration PATIENCE = Duration.ofMinutes(1);
    static final Duration LIMIT = Duration.ofMinutes(10);

    /// @throws dev.wok.notice.BadInput where a value cannot be
    public Membership {
        if (size < 1 || size > MOST_RANKS) {
            throw new BadInput("a group of %d ranks; 1 to %d are expected.".formatted(size, MOST_RANKS));
        }
        if (rank < 0 || rank >= size) {
            throw new BadInput(
                    "rank %d of a group of %d; ranks are counted from 0 to %d.".formatted(rank, size, size - 1));
        }
        if (secret.length < SHORTEST_SECRET) {
            throw new BadInput(
                    "the group's secret has %d bytes; at least %d are expected, such as those of openssl rand -hex 32."
                            .formatted(secret.length, SHORTEST_SECRET));
        }
        if (patience.compareTo(Duration.ZERO) <= 0 || limit.compareTo(Duration.ZERO) <= 0) {
            throw new BadInput("the watchdog's patience is %d s and its limit %d s; more than 0 is expected."
                    .formatted(patience.toSeconds(), limit.toSeconds()));
        }
        Meeting.of(rendezvous, rank);
    }

    /// Reads `WOK_RANK`, `WOK_SIZE`, `WOK_RENDEZVOUS`, `WOK_SECRET` (or `WOK_SECRET_FILE`), `WOK_TRANSPORT`,
    /// `WOK_PATIENCE` and `WOK_LIMIT` (seconds).
    ///
    /// @return nothing where neither rank nor size nor rendezvous is set
    /// @throws dev.wok.notice.BadInput where they are incomplete or contradict each other
    public static Optional<Membership> of(Map<String, String> environment) {
        Variables variables = new Variables(environment);
        if (List.of("WOK_RANK", "WOK_SIZE", "WOK_RENDEZVOUS").stream().noneMatch(variables::has)) {
            return Optional.empty();
        }
        return Optional.of(new Membership(
                variables.number("WOK_RANK", 0, MOST_RANKS - 1),
                variables.number("WOK_SIZE", 1, MOST_RANKS),
                variables.text("WOK_RENDEZVOUS"),
                variables.secret(),
                variables.transport(),
                patience(environment),
                limit(environment)));
    }

    /// Reads `WOK_PATIENCE`, which holds for ranks that are threads too.
    ///
    /// @return how long the watchdog waits for another rank before it names it
    public static Duration patience(Map<String, String> environment) {
        return new Variables(environment).seconds("WOK_PATIENCE", PATIENCE);
    }

    /// Reads `WOK_LIMIT`, which holds for ranks that are threads too.
    ///
    /// @return how long a rank waits before it gives up
    public static Duration limit(Map<String, String> environment) {
        return new Variables(environment).seconds("WOK_LIMIT", LIMIT);
    }
}
