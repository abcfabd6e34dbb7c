package dev.wok.fabric;

import dev.wok.device.Mirrors;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A rank's place in a group of ranks: the door of this room. All ranks of a group make the same
/// calls in the same order; a call that another rank does not make too waits, until the watchdog names
/// that rank.
///
/// One thread at a time, but for [#close] and [#progress].
public final class Fabric implements AutoCloseable {
    private static final RingLayout THREADS = new RingLayout(1 << 21);

    private final Timeline timeline = new Timeline();
    private final Group group;
    private final Traffic traffic;
    private final Collectives collectives;
    private final @Nullable Ties ties;

    /// A rank among threads of this process.
    Fabric(Group group) {
        this(group, null);
    }

    /// @param ties null where all ranks are threads of this process
    Fabric(Group group, @Nullable Ties ties) {
        this.group = group;
        this.ties = ties;
        this.traffic = new Traffic(group, timeline);
        this.collectives = new Collectives(traffic);
    }

    /// A group of one.
    public static Fabric alone() {
        return threads(Shape.oneMachine(1)).getFirst();
    }

    /// Ranks that are threads of this process: each is for a thread of its own.
    ///
    /// @param shape which of them are taken to lie on one machine
    public static List<Fabric> threads(Shape shape) {
        return threads(shape, Membership.PATIENCE, Membership.LIMIT, Progress.silent());
    }

    /// Ranks that are threads of this process: each is for a thread of its own.
    ///
    /// @param shape which of them are taken to lie on one machine
    /// @param patience how long a rank waits for another before it names it
    /// @param limit how long a rank waits before it gives up
    /// @param progress where the name goes
    public static List<Fabric> threads(Shape shape, Duration patience, Duration limit, Progress progress) {
        int size = shape.size();
        Board board = new Board(size);
        @Nullable Link[][] links = new @Nullable Link[size][size];
        for (int lower = 0; lower < size; lower++) {
            for (int upper = lower + 1; upper < size; upper++) {
                RingLink[] pair = RingLink.pair(THREADS, lower, upper, board);
                links[lower][upper] = pair[0];
                links[upper][lower] = pair[1];
            }
        }
        return IntStream.range(0, size)
                .mapToObj(rank -> new Fabric(
                        new Group(rank, shape, links[rank], new Watchdog(rank, board, patience, limit, progress))))
                .toList();
    }

    /// Joins the ranks of a group, on this machine or on many, and waits until all are there.
    ///
    /// @throws dev.wok.notice.BadInput where this rank is refused, or cannot listen
    /// @throws Departed where another one ends meanwhile or does not come
    public static Fabric join(Membership membership, Progress progress) {
        if (membership.rank() == 0) {
            try (Rendezvous rendezvous = Rendezvous.open(membership, progress)) {
                return rendezvous.join();
            }
        }
        try {
            return new Joining(membership, progress).follow();
        } catch (IOException e) {
            throw new BadInput("rank %d could not join its group: %s.".formatted(membership.rank(), e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BadInput("rank %d was interrupted while joining its group.".formatted(membership.rank()), e);
        }
    }

    /// @return what this rank has of its group
    Group group() {
        return group;
    }

    /// @return what ties this process to its group; null where all ranks are threads of it
    @Nullable
    Ties ties() {
        return ties;
    }

    public int rank() {
        return group.rank();
    }

    public int size() {
        return group.size();
    }

    public Shape shape() {
        return group.shape();
    }

    /// @return how long a rank waits for another before it gives up
    public Duration limit() {
        return group.watchdog().limit();
    }

    /// @return what this rank does when, for whoever does it to note
    public Timeline timeline() {
        return timeline;
    }

    /// Says what this rank does from here on, for the watchdog and the timeline: a step, a checkpoint.
    public void doing(String what) {
        group.watchdog().doing(what);
    }

    /// @param desc the same on all ranks
    /// @return tokens to the experts of a layer and back
    public Exchange exchange(Exchange.Desc desc) {
        return new TokenExchange(traffic, desc);
    }

    /// @param desc the same on all ranks
    /// @param mirrors of the device that has the tensors
    /// @param peers through whom they go from GPU to GPU, or null where they go through memory of the host;
    ///     the same on all ranks
    /// @return tokens of a device to the experts of a layer and back
    public Exchange exchange(Exchange.Desc desc, Mirrors mirrors, @Nullable GpuPeers peers) {
        TokenExchange host = new TokenExchange(traffic, desc);
        if (!mirrors.copies()) {
            return host;
        }
        return peers == null
                ? new MirroredExchange(host, mirrors)
                : new PeerExchange(desc, traffic, peers, host, mirrors);
    }

    /// Moves what travels, for a thread that has nothing else to do while others compute; any thread.
    public void progress() {
        boolean _ = traffic.progress();
    }

    /// Lets a thread of its own move what travels, until it is closed: for a time in which others
    /// compute. A failure is for who waits for what travels.
    public Serving serve() {
        return new Serving(traffic, rank());
    }

    /// Waits until all ranks are here.
    public void barrier() {
        collectives.barrier();
    }

    /// @param bytes what `root` gives; ignored elsewhere
    /// @return what `root` gave
    public byte[] broadcast(byte[] bytes, int root) {
        return collectives.broadcast(bytes, root);
    }

    /// @return what each rank gave, by rank
    public List<byte[]> allGather(byte[] mine) {
        return collectives.allGather(mine);
    }

    /// Sums parts in the order of the ranks, and of a rank's own in the order of the list, one after the other in
    /// float32: `((p0 + p1) + p2) + ..`, so that as many parts have the same sum whatever the number of ranks.
    ///
    /// @param parts this rank's, each of `bounds[size]` floats; at least one on every rank
    /// @param bounds `[size + 1]`, ascending from 0: rank `r` gets the sum of floats `bounds[r]` to `bounds[r + 1]`
    /// @param sum where this rank's range of the sum goes; may be the beginning of that range in its first part.
    ///     Native memory, as all parts are
    public void reduceScatter(List<MemorySegment> parts, long[] bounds, MemorySegment sum) {
        beginReduceScatter(parts, bounds, sum).await();
    }

    /// [#reduceScatter] that goes on while this rank does something else.
    public Transfer beginReduceScatter(List<MemorySegment> parts, long[] bounds, MemorySegment sum) {
        return collectives.reduceScatter(parts, bounds, sum);
    }

    /// Gives every rank what each has of an array.
    ///
    /// @param all `bounds[size]` bytes, of which this rank's range is filled
    /// @param bounds `[size + 1]`, in bytes
    public void allGather(MemorySegment all, long[] bounds) {
        beginAllGather(all, bounds).await();
    }

    /// [#allGather(MemorySegment, long\[\])] that goes on while this rank does something else.
    public Transfer beginAllGather(MemorySegment all, long[] bounds) {
        return collectives.allGather(all, bounds);
    }

    /// Sends bytes to one rank, which calls [#receive].
    public void send(MemorySegment bytes, int to) {
        collectives.send(bytes, to);
    }

    /// @param bytes written: as many as the other rank sends
    public void receive(MemorySegment bytes, int from) {
        collectives.receive(bytes, from);
    }

    /// Moves bytes between ranks, many at once. [Transfer#await] has its place among the calls that
    /// all ranks make in one order.
    ///
    /// @param out what this rank gives, to others; two ranks list what goes between them in one order
    /// @param in where what comes from others is written
    /// @param urgency the same on all ranks
    public Transfer move(List<Passage> out, List<Passage> in, Urgency urgency) {
        return collectives.move(out, in, urgency);
    }

    /// Leaves the group; the other ranks learn that this one has gone.
    @Override
    public void close() {
        Board.Gone how = group.watchdog().board().leave(rank());
        if (ties != null) {
            ties.leave(how);
        }
        for (Link link : group.links()) {
            if (link != null) {
                link.close();
            }
        }
    }
}
