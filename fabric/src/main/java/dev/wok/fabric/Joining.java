package dev.wok.fabric;

import dev.wok.fabric.Message.Claims;
import dev.wok.fabric.Message.Purpose;
import dev.wok.fabric.Message.Seat;
import dev.wok.fabric.Message.Table;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A rank on its way into its group: all ranks call at rank 0's door, which tells them where the others are; then each
/// calls at those of lower ranks, and each two link.
final class Joining {
    /// How long who connects may take to say who it is.
    static final Duration GREETING = Duration.ofSeconds(10);

    private final Membership membership;
    private final Progress progress;
    private final Secret secret;
    private final Caller caller;
    private final @Nullable Line[] lines;

    Joining(Membership membership, Progress progress) {
        this.membership = membership;
        this.progress = progress;
        secret = new Secret(membership.secret());
        caller = new Caller(
                secret, GREETING, System.nanoTime() + membership.limit().toNanos());
        lines = new Line[membership.size()];
    }

    Membership membership() {
        return membership;
    }

    Progress progress() {
        return progress;
    }

    Duration left() {
        return Duration.ofNanos(Math.max(1, caller.until() - System.nanoTime()));
    }

    /// @return how long a rank may take that was there already; one that has gone meanwhile will not come
    private Duration soon() {
        Duration usual = membership.patience().compareTo(GREETING) < 0 ? GREETING : membership.patience();
        return usual.compareTo(left()) < 0 ? usual : left();
    }

    /// Opens this rank's door.
    Door door(InetSocketAddress at, Duration greeting) throws IOException {
        return new Door(membership.rank(), membership.size(), secret, greeting, progress, at);
    }

    /// Rank 0 joins: waits for all others and tells each where all are.
    Fabric lead(Door door) throws IOException, InterruptedException {
        List<Integer> missing = door.gather(membership.limit());
        if (!missing.isEmpty()) {
            throw new Departed(
                    missing.getFirst(),
                    "%s of %d did not come to %s within %d s; start %s with the same rendezvous and secret."
                            .formatted(
                                    named(missing),
                                    membership.size(),
                                    Meeting.text(door.address()),
                                    membership.limit().toSeconds(),
                                    missing.size() == 1 ? "it" : "them"));
        }
        List<Seat> seats = new ArrayList<>();
        seats.add(Machine.seat(door.address()));
        for (int rank = 1; rank < membership.size(); rank++) {
            Door.Arrival arrival = come(door, rank, Purpose.LIFELINE);
            seats.add(arrival.claims().seat());
            lines[rank] = arrival.line();
        }
        for (int rank = 1; rank < membership.size(); rank++) {
            tell(rank, new Table(seats));
        }
        return link(door, seats);
    }

    private void tell(int rank, Table table) {
        try {
            Objects.requireNonNull(lines[rank]).send(table);
        } catch (IOException e) {
            throw gone(
                    rank,
                    "rank %d (%s) ended before the group of %d was complete; see what it says."
                            .formatted(rank, table.seats().get(rank), membership.size()),
                    e);
        }
    }

    /// Another rank has ended, or does not come: that is no fault of what was given, and may go another time.
    static Departed gone(int rank, String why, @Nullable IOException cause) {
        Departed gone = new Departed(rank, why);
        if (cause != null) {
            gone.initCause(cause);
        }
        return gone;
    }

    /// Any other rank joins.
    Fabric follow() throws IOException, InterruptedException {
        Door[] door = new Door[1];
        try {
            Meeting meeting = Meeting.of(membership.rendezvous(), membership.rank());
            Line zero = caller.call(0, meeting::address, channel -> {
                door[0] = door[0] == null ? doorLike(channel) : door[0];
                return claims(door[0], 0, Purpose.LIFELINE);
            });
            lines[0] = zero;
            List<Seat> seats = table(zero);
            for (int rank = 1; rank < membership.rank(); rank++) {
                lines[rank] = call(door[0], rank, seats.get(rank), Purpose.LIFELINE);
            }
            for (int rank = membership.rank() + 1; rank < membership.size(); rank++) {
                lines[rank] = come(door[0], rank, Purpose.LIFELINE).line();
            }
            return link(door[0], seats);
        } catch (IOException | RuntimeException | InterruptedException e) {
            for (Line line : lines) {
                if (line != null) {
                    line.close();
                }
            }
            if (door[0] != null) {
                door[0].giveUp();
            }
            throw e;
        }
    }

    private List<Seat> table(Line zero) throws IOException {
        try (Deadline _ = new Deadline(zero.channel(), left())) {
            List<Seat> seats = zero.receive(Table.class).seats();
            if (seats.size() != membership.size()) {
                throw new MessageLayout.Malformed("it knows %d ranks of %d".formatted(seats.size(), membership.size()));
            }
            return seats;
        } catch (MessageLayout.Malformed e) {
            throw new BadInput("rank 0 sends what cannot be: %s.".formatted(e.getMessage()), e);
        } catch (IOException e) {
            throw gone(
                    0,
                    "rank 0 ended before the group of %d was complete; see what it says.".formatted(membership.size()),
                    e);
        }
    }

    /// Opens a door where rank 0 can be reached from, for so can the others.
    private Door doorLike(SocketChannel channel) {
        try {
            InetAddress local = ((InetSocketAddress) channel.getLocalAddress()).getAddress();
            return door(new InetSocketAddress(local, 0), GREETING);
        } catch (IOException e) {
            throw new BadInput(
                    "rank %d cannot listen for the others: %s.".formatted(membership.rank(), e.getMessage()), e);
        }
    }

    /// Calls at the door of a lower rank.
    Line call(Door door, int rank, Seat seat, Purpose purpose) throws InterruptedException {
        Meeting meeting = Meeting.of(membership.rendezvous(), membership.rank());
        Caller soon = new Caller(secret, GREETING, System.nanoTime() + soon().toNanos());
        return soon.call(
                rank, rank == 0 ? meeting::address : () -> address(rank, seat), _ -> claims(door, rank, purpose));
    }

    private static InetSocketAddress address(int rank, Seat seat) {
        try {
            return new InetSocketAddress(InetAddress.ofLiteral(seat.address()), seat.port());
        } catch (IllegalArgumentException e) {
            throw new BadInput(
                    "rank %d says it listens at %s, port %d; an address is expected."
                            .formatted(rank, seat.address(), seat.port()),
                    e);
        }
    }

    Claims claims(Door door, int to, Purpose purpose) {
        try {
            return new Claims(membership.rank(), membership.size(), to, purpose, Machine.seat(door.address()));
        } catch (IOException e) {
            throw new BadInput("rank %d no longer listens.".formatted(membership.rank()), e);
        }
    }

    Caller caller() {
        return caller;
    }

    /// Waits for a higher rank to call.
    Door.Arrival come(Door door, int rank, Purpose purpose) throws InterruptedException {
        Duration soon = soon();
        Door.Arrival arrival = door.await(rank, purpose, soon);
        if (arrival == null) {
            throw gone(
                    rank,
                    "rank %d did not link with rank %d within %d s; see what it says."
                            .formatted(rank, membership.rank(), soon.toSeconds()),
                    null);
        }
        return arrival;
    }

    private Fabric link(Door door, List<Seat> seats) {
        Board board = new Board(membership.size());
        List<Lifeline> lifelines = new ArrayList<>();
        for (int rank = 0; rank < membership.size(); rank++) {
            Line line = lines[rank];
            if (line != null) {
                lifelines.add(new Lifeline(new Peer(rank, membership.rank(), board), seats.get(rank), line));
            }
        }
        @Nullable Link[] links = new Linking(this, door, seats.get(membership.rank()), board).all(lifelines);
        lifelines.forEach(Lifeline::start);
        Watchdog watchdog = new Watchdog(membership.rank(), board, membership.patience(), membership.limit(), progress);
        return new Fabric(new Group(membership.rank(), shape(seats), links, watchdog), new Ties(door, lifelines));
    }

    private static Shape shape(List<Seat> seats) {
        Map<String, Integer> machines = new HashMap<>();
        return new Shape(seats.stream()
                .mapToInt(seat -> machines.computeIfAbsent(seat.machine(), _ -> machines.size()))
                .toArray());
    }

    static String named(List<Integer> ranks) {
        return (ranks.size() == 1 ? "rank " : "ranks ")
                + ranks.stream().map(String::valueOf).collect(Collectors.joining(", "));
    }
}
