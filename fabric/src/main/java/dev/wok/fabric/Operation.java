package dev.wok.fabric;

import org.jspecify.annotations.Nullable;

/// Messages to and from other ranks that belong together, and what is to be done here.
class Operation implements Transfer {
    private final Traffic traffic;
    private final String name;
    private int open;
    private Timeline.@Nullable Span flight;

    Operation(Traffic traffic, String name) {
        this.traffic = traffic;
        this.name = name;
    }

    final void send(Outgoing message, int to) {
        open();
        traffic.lane(to).add(message, this);
    }

    final void receive(Incoming message) {
        open();
        traffic.lane(message.peer.rank()).add(message, this);
    }

    private void open() {
        if (open++ == 0) {
            flight = traffic.timeline().span(Timeline.Kind.EXCHANGE, name, -1);
        }
    }

    final Peer peer(int other) {
        return traffic.peer(other);
    }

    final void finished() {
        if (--open == 0 && flight != null) {
            flight.close();
            arrived();
        }
    }

    /// All messages are through. Called on any thread, alone with what travels.
    void arrived() {}

    /// Does some of what is to be done here while nothing travels.
    ///
    /// @return false where nothing is left
    boolean work() {
        return false;
    }

    /// @return whether messages are under way
    final boolean travels() {
        return open > 0;
    }

    @Override
    public final void await() {
        if (flight == null) {
            traffic.await(this);
        } else {
            try (Timeline.Span _ = traffic.timeline().span(Timeline.Kind.WAIT, "wait for " + name, -1)) {
                traffic.await(this);
            }
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
