package dev.wok.fabric;

import dev.wok.fabric.Message.Challenge;
import dev.wok.fabric.Message.Claims;
import dev.wok.fabric.Message.Hello;
import dev.wok.fabric.Message.Purpose;
import dev.wok.fabric.Message.Refused;
import dev.wok.fabric.Message.Seat;
import dev.wok.fabric.Message.Welcome;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Where a rank listens: lets the group's ranks in, each once, and refuses whoever else comes, with a line that names
/// the address and the reason. It stays open while the group works, and nothing that comes disturbs that.
final class Door implements AutoCloseable {
    /// A rank that has come.
    record Arrival(Claims claims, Line line) {}

    private record Expected(int rank, Purpose purpose) {}

    private static final int AT_ONCE = 64;
    private static final int LINES = 20;

    private final int rank;
    private final int size;
    private final Secret secret;
    private final Duration patience;
    private final Progress progress;
    private final ServerSocketChannel listener;
    private final Semaphore guests = new Semaphore(AT_ONCE);
    private final AtomicInteger refusals = new AtomicInteger();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<Expected, Arrival> arrivals = new HashMap<>();
    private boolean gathering;
    private boolean closed;

    /// @param patience how long a connection may take to say who it is
    Door(int rank, int size, Secret secret, Duration patience, Progress progress, InetSocketAddress at)
            throws IOException {
        this.rank = rank;
        this.size = size;
        this.secret = secret;
        this.patience = patience;
        this.progress = progress;
        listener = ServerSocketChannel.open();
        try {
            listener.bind(at, AT_ONCE);
        } catch (IOException e) {
            listener.close();
            throw e;
        }
        serve(listener);
    }

    InetSocketAddress address() throws IOException {
        return (InetSocketAddress) listener.getLocalAddress();
    }

    /// Lets ranks in that come to this listener too, for as long as it is open.
    void serve(ServerSocketChannel other) {
        Thread.ofVirtual().name("wok-door-" + rank).start(() -> {
            while (other.isOpen()) {
                accept(other);
            }
        });
    }

    private void accept(ServerSocketChannel from) {
        SocketChannel guest;
        try {
            guest = from.accept();
        } catch (IOException e) {
            if (from.isOpen()) {
                refused("a connection", "it could not be accepted (%s)".formatted(e.getMessage()));
            }
            return;
        }
        Thread.ofVirtual().name("wok-guest-" + rank).start(() -> receive(guest));
    }

    private void receive(SocketChannel guest) {
        boolean room = guests.tryAcquire();
        try (Deadline deadline = new Deadline(guest, patience)) {
            Line line = new Line(guest);
            String why = room ? greet(line, deadline) : "%d others are being asked who they are".formatted(AT_ONCE);
            if (why != null) {
                refused(line.peer(), why);
                line.close();
            }
        } catch (IOException e) {
            refused("a connection", "it could not be answered (%s)".formatted(e.getMessage()));
        } finally {
            if (room) {
                guests.release();
            }
        }
    }

    /// @return why the guest is refused; null where it is in
    private @Nullable String greet(Line line, Deadline deadline) {
        byte[] challenge = Secret.nonce();
        try {
            line.send(new Challenge(challenge));
            Hello hello = line.receive(Hello.class);
            String wrong = judge(hello, challenge);
            Refused refusal = wrong != null
                    ? new Refused(wrong, false)
                    : enter(
                            new Arrival(hello.claims(), line),
                            secret.welcome(challenge, hello.nonce(), hello.claims()));
            if (refusal == null) {
                return null;
            }
            line.send(refusal);
            return refusal.why();
        } catch (MessageLayout.Malformed e) {
            return e.getMessage();
        } catch (IOException _) {
            return deadline.passed()
                    ? "it did not say who it is within %d s".formatted(Math.max(1, patience.toSeconds()))
                    : "it left before it had said who it is";
        }
    }

    private @Nullable String judge(Hello hello, byte[] challenge) {
        Claims claims = hello.claims();
        if (!Secret.same(hello.proof(), secret.hello(challenge, hello.nonce(), claims))) {
            return "its secret is not the group's; give all ranks the same WOK_SECRET";
        }
        if (claims.size() != size) {
            return "it says that the group has %d ranks, here it has %d; give all ranks the same WOK_SIZE"
                    .formatted(claims.size(), size);
        }
        if (claims.rank() < 0 || claims.rank() >= size) {
            return "it says that it is rank %d; ranks from 0 to %d are expected".formatted(claims.rank(), size - 1);
        }
        if (claims.to() != rank) {
            return "it takes this rank, %d, for rank %d".formatted(rank, claims.to());
        }
        return null;
    }

    /// Lets a rank in whose place is free. While the group works, whoever has the place may have gone
    /// without that being known here yet: then the group ends, and another one gathers.
    private @Nullable Refused enter(Arrival arrival, byte[] proof) throws IOException {
        Claims claims = arrival.claims;
        lock.lock();
        try {
            Expected place = new Expected(claims.rank(), claims.purpose());
            Arrival there = arrivals.get(place);
            if (claims.rank() == rank || there != null && !(gathering && ended(there.line))) {
                Seat seat = there == null ? null : there.claims.seat();
                String why = "it says that it is rank %d, which is there already%s; give each rank its own WOK_RANK"
                        .formatted(claims.rank(), seat == null ? "" : " (%s)".formatted(seat));
                return new Refused(why, there != null && !gathering);
            }
            arrival.line.send(new Welcome(proof));
            arrivals.put(place, arrival);
            changed.signalAll();
            return null;
        } finally {
            lock.unlock();
        }
    }

    /// @return whether the other side of a connection has ended; while ranks gather, nothing else may come from it
    private static boolean ended(Line line) {
        try {
            SocketChannel channel = line.channel();
            channel.configureBlocking(false);
            boolean ended = channel.read(ByteBuffer.allocate(1)) != 0;
            channel.configureBlocking(true);
            return ended;
        } catch (IOException _) {
            return true;
        }
    }

    private void refused(String who, String why) {
        int count = refusals.incrementAndGet();
        if (count <= LINES) {
            progress.say("rank %d refused %s: %s.".formatted(rank, who, why));
        }
        if (count == LINES) {
            progress.say("rank %d goes on refusing without saying so.".formatted(rank));
        }
    }

    /// Waits for a rank that links with this one.
    ///
    /// @return null where it has not come in time, or the door was closed
    @Nullable
    Arrival await(int from, Purpose purpose, Duration limit) throws InterruptedException {
        Expected place = new Expected(from, purpose);
        lock.lock();
        try {
            await(limit, () -> arrivals.containsKey(place));
            return arrivals.get(place);
        } finally {
            lock.unlock();
        }
    }

    /// Waits for all other ranks. One that ends meanwhile may come again.
    ///
    /// @return the ranks that are missing, where they have not come in time, or the door was closed
    List<Integer> gather(Duration limit) throws InterruptedException {
        lock.lock();
        try {
            gathering = true;
            await(limit, this::complete);
            return missing();
        } finally {
            gathering = false;
            lock.unlock();
        }
    }

    private void await(Duration limit, BooleanSupplier done) throws InterruptedException {
        long left = limit.toNanos();
        while (!done.getAsBoolean() && !closed && left > 0) {
            left = changed.awaitNanos(left);
        }
    }

    private boolean complete() {
        if (missing().isEmpty()) {
            arrivals.values().removeIf(arrival -> ended(arrival.line));
        }
        return missing().isEmpty();
    }

    private List<Integer> missing() {
        return IntStream.range(0, size)
                .filter(other -> other != rank && !arrivals.containsKey(new Expected(other, Purpose.LIFELINE)))
                .boxed()
                .toList();
    }

    /// Sends all away who have come, and closes.
    void giveUp() throws IOException {
        close();
        lock.lock();
        try {
            for (Arrival arrival : arrivals.values()) {
                arrival.line.close();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() throws IOException {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        listener.close();
    }
}
