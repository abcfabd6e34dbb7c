package dev.wok.fabric;

import dev.wok.fabric.Membership.Transport;
import dev.wok.fabric.Message.Answer;
import dev.wok.fabric.Message.Offer;
import dev.wok.fabric.Message.Purpose;
import dev.wok.fabric.Message.Seat;
import dev.wok.fabric.Message.Way;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// How each two ranks of a group of processes agree on a link: the lower one offers a way, the upper takes it or says
/// why it cannot; then the lower offers TCP, unless the way was asked for.
final class Linking {
    private static final RingLayout RINGS = new RingLayout(1 << 21);

    private record Made(Way way, Link link) {}

    private final Joining joining;
    private final Door door;
    private final Seat seat;
    private final Board board;
    private final int rank;
    private @Nullable UcxNode ucx;

    /// @param seat this rank's
    Linking(Joining joining, Door door, Seat seat, Board board) {
        this.joining = joining;
        this.door = door;
        this.seat = seat;
        this.board = board;
        rank = joining.membership().rank();
    }

    /// Links with all other ranks at once.
    ///
    /// @return by rank
    @Nullable
    Link[] all(List<Lifeline> lifelines) {
        Made[] made = new Made[board.ranks()];
        AtomicReference<@Nullable Exception> failure = new AtomicReference<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Lifeline lifeline : lifelines) {
                threads.execute(() -> {
                    try {
                        made[lifeline.peer().rank()] = link(lifeline);
                    } catch (IOException | InterruptedException | RuntimeException e) {
                        failure.compareAndSet(null, e);
                        giveUp(lifelines);
                    }
                });
            }
        } finally {
            if (ucx != null) {
                ucx.close();
            }
        }
        switch (failure.get()) {
            case null -> {}
            case BadInput refusal -> throw refusal;
            case Departed gone -> throw gone;
            case Exception e -> throw new IllegalStateException(e);
        }
        if (rank == 0 && made.length > 1) {
            joining.progress().say(said(made));
        }
        @Nullable Link[] links = new @Nullable Link[made.length];
        for (Lifeline lifeline : lifelines) {
            links[lifeline.peer().rank()] = made[lifeline.peer().rank()].link;
        }
        return links;
    }

    /// Ends all connections, so that nobody waits for what will not come.
    private void giveUp(List<Lifeline> lifelines) {
        try {
            for (Lifeline lifeline : lifelines) {
                lifeline.line().close();
            }
            door.giveUp();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// @return how rank 0 is linked with whom
    private static String said(Made[] made) {
        String ways = Arrays.stream(Way.values())
                .map(way -> {
                    List<Integer> others = IntStream.range(1, made.length)
                            .filter(other -> made[other].way == way)
                            .boxed()
                            .toList();
                    return others.isEmpty() ? "" : "%s with %s".formatted(way.text(), Joining.named(others));
                })
                .filter(text -> !text.isEmpty())
                .collect(Collectors.joining("; "));
        return "rank 0 of %d: %s.".formatted(made.length, ways);
    }

    private Made link(Lifeline lifeline) throws IOException, InterruptedException {
        Peer peer = lifeline.peer();
        try (Deadline _ = new Deadline(lifeline.line().channel(), joining.left())) {
            return rank < peer.rank() ? offer(lifeline) : take(lifeline);
        } catch (MessageLayout.Malformed e) {
            throw new BadInput(
                    "rank %d (%s) sends what cannot be: %s.".formatted(peer.rank(), lifeline.seat(), e.getMessage()),
                    e);
        } catch (IOException e) {
            throw Joining.gone(
                    peer.rank(),
                    "rank %d (%s) ended before rank %d had linked with it; see what it says."
                            .formatted(peer.rank(), lifeline.seat(), rank),
                    e);
        }
    }

    private Made offer(Lifeline lifeline) throws IOException, InterruptedException {
        Transport transport = joining.membership().transport();
        if (transport != Transport.UCX && !lifeline.seat().machine().equals(seat.machine())) {
            return tcp(lifeline);
        }
        return switch (transport) {
            case AUTO, SHARED -> rings(lifeline, transport == Transport.SHARED);
            case UNIX -> unix(lifeline);
            case TCP -> tcp(lifeline);
            case UCX -> ucx(lifeline);
        };
    }

    private Made rings(Lifeline lifeline, boolean only) throws IOException, InterruptedException {
        String why;
        try {
            MappedRings rings = MappedRings.create(RINGS);
            try {
                lifeline.line().send(new Offer(Way.RINGS, rings.path().toString(), RINGS.bytes()));
                why = lifeline.line().receive(Answer.class).why();
            } finally {
                rings.unlink();
            }
            if (why.isEmpty()) {
                return new Made(Way.RINGS, rings.link(lifeline.peer()));
            }
        } catch (MappedRings.NoRoom e) {
            why = e.getMessage();
        }
        if (only) {
            throw new BadInput("ranks %d and %d cannot share memory: %s; use WOK_TRANSPORT=auto."
                    .formatted(rank, lifeline.peer().rank(), why));
        }
        joining.progress()
                .say("ranks %d and %d use TCP, for they cannot share memory: %s."
                        .formatted(rank, lifeline.peer().rank(), why));
        return tcp(lifeline);
    }

    private Made unix(Lifeline lifeline) throws IOException, InterruptedException {
        try (UnixSocket socket = UnixSocket.open(Path.of(System.getProperty("java.io.tmpdir")))) {
            door.serve(socket.server());
            lifeline.line().send(new Offer(Way.UNIX, socket.path().toString(), 0));
            requireWay(Way.UNIX, lifeline);
            return new Made(Way.UNIX, come(lifeline));
        }
    }

    /// @throws BadInput where the other cannot take it
    private void requireWay(Way way, Lifeline lifeline) throws IOException {
        String why = lifeline.line().receive(Answer.class).why();
        if (!why.isEmpty()) {
            throw new BadInput("ranks %d and %d cannot use %s: %s"
                    .formatted(rank, lifeline.peer().rank(), way.text(), why));
        }
    }

    private Made ucx(Lifeline lifeline) throws IOException, InterruptedException {
        offerUcx(lifeline);
        requireWay(Way.UCX, lifeline);
        return ucx(lifeline.line().receive(Offer.class), lifeline.peer());
    }

    private void offerUcx(Lifeline lifeline) throws IOException {
        String address = Base64.getEncoder().encodeToString(ucx().address());
        lifeline.line().send(new Offer(Way.UCX, address, 0));
    }

    private Made ucx(Offer offer, Peer peer) throws IOException {
        try {
            return new Made(Way.UCX, ucx().link(Base64.getDecoder().decode(offer.path()), peer));
        } catch (IllegalArgumentException _) {
            throw new MessageLayout.Malformed("its address in UCX is not in Base64");
        }
    }

    private synchronized UcxNode ucx() {
        if (ucx == null) {
            ucx = new UcxNode();
        }
        return ucx;
    }

    private Made tcp(Lifeline lifeline) throws IOException, InterruptedException {
        lifeline.line().send(new Offer(Way.TCP, "", 0));
        return new Made(Way.TCP, come(lifeline));
    }

    private Link come(Lifeline lifeline) throws IOException, InterruptedException {
        Peer peer = lifeline.peer();
        return new SocketLink(
                joining.come(door, peer.rank(), Purpose.FRAMES).line().channel(), peer);
    }

    private Made take(Lifeline lifeline) throws IOException, InterruptedException {
        Peer peer = lifeline.peer();
        while (true) {
            Offer offer = lifeline.line().receive(Offer.class);
            switch (offer.way()) {
                case RINGS -> {
                    try {
                        MappedRings rings = MappedRings.open(Path.of(offer.path()), new RingLayout(offer.bytes()));
                        lifeline.line().send(new Answer(""));
                        return new Made(Way.RINGS, rings.link(peer));
                    } catch (MappedRings.NoRoom | IllegalArgumentException e) {
                        lifeline.line().send(new Answer(String.valueOf(e.getMessage())));
                    }
                }
                case UNIX -> {
                    UnixDomainSocketAddress at;
                    SocketChannel channel;
                    try {
                        at = UnixDomainSocketAddress.of(offer.path());
                        channel = SocketChannel.open(at);
                    } catch (SocketException | IllegalArgumentException e) {
                        lifeline.line().send(new Answer(UnixSocket.refusal(offer.path(), e)));
                        continue;
                    }
                    lifeline.line().send(new Answer(""));
                    Line line =
                            joining.caller().greet(channel, _ -> joining.claims(door, peer.rank(), Purpose.FRAMES), at);
                    return new Made(Way.UNIX, new SocketLink(line.channel(), peer));
                }
                case UCX -> {
                    try {
                        ucx();
                        lifeline.line().send(new Answer(""));
                    } catch (BadInput e) {
                        lifeline.line().send(new Answer(String.valueOf(e.getMessage())));
                        continue;
                    }
                    offerUcx(lifeline);
                    return ucx(offer, peer);
                }
                case TCP -> {
                    Line line = joining.call(door, peer.rank(), lifeline.seat(), Purpose.FRAMES);
                    return new Made(Way.TCP, new SocketLink(line.channel(), peer));
                }
            }
        }
    }
}
