package dev.wok.fabric;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a rank has of its group.
///
/// @param links by rank; null at the own one
record Group(int rank, Shape shape, @Nullable Link[] links, Watchdog watchdog) {
    Group {
        Optional<LinkDelay> delay = LinkDelay.of(System.getenv());
        links = delay.isPresent() ? ShapedLink.all(links, delay.get()) : links;
    }

    int size() {
        return shape.size();
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
