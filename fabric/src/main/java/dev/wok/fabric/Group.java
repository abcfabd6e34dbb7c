package dev.wok.fabric;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a rank has of its group.
///
/// @param links by rank; null at the own one
record Group(int rank, Shape shape, @Nullable Link[] links, Watchdog watchdog) {
    private static final int PROCESSORS = Runtime.getRuntime().availableProcessors();

    Group {
        Optional<LinkDelay> delay = LinkDelay.of(System.getenv());
        links = delay.isPresent() ? ShapedLink.all(links, delay.get()) : links;
    }

    int size() {
        return shape.size();
    }

    /// Begins a wait, to be closed.
    ///
    /// @param operation what waits, as "dispatch"
    /// @param from the rank that it waits for, or -1 where nobody knows which
    Waiting waiting(String operation, int from) {
        return new Waiting(watchdog, shape.beside(rank) <= PROCESSORS, operation, from);
    }

    /// @return the link to another rank
    Link link(int peer) {
        Link link = links[peer];
        if (link == null) {
            throw new IllegalArgumentException("rank %d has no link to itself".formatted(peer));
        }
        return link;
    }
}
