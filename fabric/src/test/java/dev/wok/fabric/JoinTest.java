package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertLinesMatch;
import static org.junit.jupiter.api.Assertions.assertThrowsExactly;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Membership.Transport;
import dev.wok.fabric.Message.Challenge;
import dev.wok.fabric.Message.Claims;
import dev.wok.fabric.Message.Hello;
import dev.wok.fabric.Message.Purpose;
import dev.wok.fabric.Message.Refused;
import dev.wok.notice.BadInput;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Joining a group over real sockets, and who is refused.
@Timeout(60)
final class JoinTest {
    private static final byte[] SECRET = "0123456789abcdef".getBytes(StandardCharsets.UTF_8);

    private final RecordingProgress progress = new RecordingProgress();

    @ParameterizedTest
    @EnumSource(value = Transport.class, names = "UCX", mode = EnumSource.Mode.EXCLUDE)
    void ranksJoinInAnyOrderAndLink(Transport transport) throws Exception {
        try (Party party = new Party(4, transport)) {
            for (int rank = 3; rank >= 0; rank--) {
                party.start(rank);
            }
            List<Fabric> ranks = party.all();
            for (Fabric rank : ranks) {
                assertArrayEquals(new int[4], rank.shape().machines());
            }
            for (Fabric from : ranks) {
                for (Fabric to : ranks) {
                    if (from != to) {
                        tell(from, to);
                    }
                }
            }
            String way = switch (transport) {
                case AUTO, SHARED -> "rings in shared memory";
                case UNIX -> "Unix sockets";
                case TCP -> "TCP";
                case UCX -> "UCX";
            };
            assertEquals(List.of("rank 0 of 4: %s with ranks 1, 2, 3.".formatted(way)), progress.lines());
        }
    }

    @Test
    void aGroupOfOneJoins() throws Exception {
        try (Party party = new Party(1, Transport.AUTO)) {
            party.start(0);
            Fabric alone = party.all().getFirst();
            alone.barrier();
            assertEquals(List.of(), progress.lines());
        }
    }

    @Test
    @Tag("slow")
    @Tag("ucx")
    void ranksJoinOverUcx() throws Exception {
        ranksJoinInAnyOrderAndLink(Transport.UCX);
    }

    @Test
    void aMissingRankIsNamed() throws Exception {
        try (Party party = new Party(4, Transport.AUTO, Duration.ofMillis(700))) {
            party.start(0);
            party.start(2);
            assertEquals(
                    "ranks 1, 3 of 4 did not come to %s within 0 s; start them with the same rendezvous and secret."
                            .formatted(party.address),
                    party.departed(0));
            assertEquals("rank 0 ended before the group of 4 was complete; see what it says.", party.departed(2));
        }
    }

    @Test
    void nobodyAtTheRendezvousIsNamed() {
        Membership alone = new Membership(
                1, 2, "127.0.0.1:1", SECRET, Transport.AUTO, Duration.ofSeconds(1), Duration.ofMillis(300));
        String gone = Thrown.message(Departed.class, () -> Fabric.join(alone, progress));
        assertEquals(
                "127.0.0.1:1: it cannot be reached (Connection refused); start rank 0 there, and let every rank reach it.",
                gone);
    }

    @Test
    void aUnixSocketThatCannotBeMadeIsNamed(@TempDir Path folder) throws IOException {
        Path deep = Files.createDirectory(folder.resolve("d".repeat(110)));
        for (Path parent : List.of(deep, folder.resolve("missing"))) {
            String refusal =
                    Thrown.message(BadInput.class, () -> UnixSocket.open(parent).close());
            assertTrue(refusal.startsWith("no Unix socket can be had at " + parent), refusal);
            assertTrue(refusal.contains("; give a short folder that all ranks of the machine see"), refusal);
        }
        assertTrue(deep.toFile().delete(), "nothing is left in it");
    }

    @Test
    void strangersAreRefusedAndTheGroupGoesOn() throws Exception {
        try (Party party = new Party(2, Transport.TCP)) {
            party.start(0);
            party.start(1);
            List<Fabric> ranks = party.all();
            List<String> expected = new ArrayList<>(progress.lines());
            for (Stranger stranger : Stranger.values()) {
                expected.add(stranger.comes(party));
                tell(ranks.get(0), ranks.get(1));
                tell(ranks.get(1), ranks.get(0));
            }
            awaitLines(expected.size());
            assertEquals(expected, progress.lines());
        }
    }

    @Test
    void whoSaysNothingIsRefused() throws Exception {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        try (Door door = new Door(0, 2, new Secret(SECRET), Duration.ofMillis(200), progress, any);
                SocketChannel silent = SocketChannel.open(door.address())) {
            awaitLines(1);
            assertEquals(
                    List.of("rank 0 refused %s: it did not say who it is within 1 s."
                            .formatted(Meeting.text((InetSocketAddress) silent.getLocalAddress()))),
                    progress.lines());
        }
    }

    @Test
    void aRankThatEndsBeforeTheGroupIsThereMayComeAgain() throws Exception {
        try (Party party = new Party(3, Transport.TCP)) {
            party.start(0);
            Line early = party.hello(SECRET, party.claims(1, 3, 0));
            assertTrue(early.receive() instanceof Message.Welcome);
            early.close();
            party.start(2);
            party.start(1);
            assertEquals(3, party.all().size());
        }
    }

    /// While ranks gather, the one that comes second is refused; once the group works, it waits, for
    /// the first one may have gone without that being known.
    @Test
    void wrongSecretAndTakenRankAreToldToWhoAsks() throws Exception {
        String there = "it says that it is rank 1, which is there already \\(process \\d+ on .*\\); "
                + "give each rank its own WOK_RANK\\.";
        try (Party party = new Party(3, Transport.TCP);
                Line first = party.hello(SECRET, party.claims(1, 3, 0))) {
            party.start(0);
            assertTrue(first.receive() instanceof Message.Welcome);
            String taken = Thrown.message(BadInput.class, () -> Fabric.join(party.membership(1), progress));
            assertLinesMatch(List.of("rank 0 at .* refuses rank 1: " + there), List.of(taken));
            first.close();
            party.start(1);
            party.start(2);
            party.all();
        }
        try (Party party = new Party(2, Transport.TCP)) {
            party.start(0);
            party.start(1);
            party.all();
            Membership second = new Membership(
                    1, 2, party.address, SECRET, Transport.TCP, Duration.ofSeconds(5), Duration.ofMillis(500));
            String taken = Thrown.message(Departed.class, () -> Fabric.join(second, progress));
            assertLinesMatch(List.of("127.0.0.1:\\d+: " + there), List.of(taken));
            Membership other = new Membership(
                    1,
                    2,
                    party.address,
                    "0123456789abcdeF".getBytes(StandardCharsets.UTF_8),
                    Transport.TCP,
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(5));
            String wrong = Thrown.message(BadInput.class, () -> Fabric.join(other, progress));
            assertLinesMatch(
                    List.of(
                            "rank 0 at .* refuses rank 1: its secret is not the group's; give all ranks the same WOK_SECRET."),
                    List.of(wrong));
        }
    }

    @Test
    void whoHasNotTheSecretIsNotBelievedToBeRankZero() throws Exception {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        try (Door door = new Door(0, 2, new Secret(SECRET), Duration.ofSeconds(5), progress, any)) {
            Membership member = new Membership(
                    1,
                    2,
                    Meeting.text(door.address()),
                    "another secret of 2".getBytes(StandardCharsets.UTF_8),
                    Transport.TCP,
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(5));
            String refusal = Thrown.message(BadInput.class, () -> Fabric.join(member, progress));
            assertLinesMatch(List.of("rank 0 at .*its secret is not the group's.*"), List.of(refusal));
        }
    }

    @Test
    void aRankThatLeavesSaysWhy() throws Exception {
        try (Party party = new Party(3, Transport.AUTO)) {
            for (int rank = 0; rank < 3; rank++) {
                party.start(rank);
            }
            List<Fabric> ranks = party.all();
            ranks.get(2).doing("step 17");
            Group one = ranks.get(1).group();
            awaitStatus(one, 2, "step 17");
            ranks.get(2).close();
            Departed first = assertThrowsExactly(Departed.class, () -> await(one, 2));
            assertEquals("rank 2 has left the group. It was in step 17.", first.getMessage());
            ranks.get(1).close();
            Departed second =
                    assertThrowsExactly(Departed.class, () -> await(ranks.get(0).group(), 1));
            assertEquals(
                    "rank 1 has left the group, because rank 2 has left the group. It was in step 17.",
                    second.getMessage());
            assertEquals(2, second.rank());
        }
    }

    @Test
    void aMemberThatSendsWhatCannotBeIsNamed() throws Exception {
        try (Party party = new Party(2, Transport.TCP)) {
            party.start(0);
            party.start(1);
            List<Fabric> ranks = party.all();
            Group zero = ranks.get(0).group();
            party.lifeline(ranks.get(1)).send(new Refused("no", false));
            Departed named = assertThrowsExactly(Departed.class, () -> await(zero, 1));
            assertLinesMatch(
                    List.of("rank 1 \\(process \\d+ on .*\\) sends what cannot be: Refused out of place\\. "
                            + "It was in its beginning\\."),
                    List.of(String.valueOf(named.getMessage())));
            assertEquals(1, named.rank());
        }
    }

    private void awaitLines(int count) throws InterruptedException {
        while (progress.lines().size() < count) {
            Thread.sleep(5);
        }
    }

    private static void awaitStatus(Group group, int rank, String doing) throws InterruptedException {
        while (!group.watchdog().board().status(rank).doing().equals(doing)) {
            Thread.sleep(5);
        }
    }

    private static void tell(Fabric from, Fabric to) {
        Link link = from.group().link(to.rank());
        MemorySegment room = link.reserve(8);
        assertTrue(room != null);
        room.set(ValueLayout.JAVA_LONG, 0, from.rank() * 100L + to.rank());
        link.send(8);
        MemorySegment came = await(to.group(), from.rank());
        assertEquals(from.rank() * 100L + to.rank(), came.get(ValueLayout.JAVA_LONG, 0));
        to.group().link(from.rank()).release();
    }

    private static MemorySegment await(Group group, int from) {
        Link link = group.link(from);
        MemorySegment frame = link.receive();
        try (Waiting waiting = group.waiting("a test", from)) {
            while (frame == null) {
                link.progress();
                waiting.turn();
                frame = link.receive();
            }
        }
        return frame;
    }

    /// Who comes to rank 0's door without belonging there.
    private enum Stranger {
        PORT_SCANNER("it left before it had said who it is") {
            @Override
            void speak(Line line, Party party) throws IOException {
                line.channel().shutdownOutput();
            }
        },
        BROWSER("what it sent is no message of a rank") {
            @Override
            void speak(Line line, Party party) throws IOException {
                write(line, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            }
        },
        OTHER_VERSION(
                "it speaks version 2 of the group's protocol, this is version 1; start all ranks with the same Wok") {
            @Override
            void speak(Line line, Party party) throws IOException {
                byte[] bytes = party.encoded(SECRET, party.claims(1, 2, 0), new byte[32]);
                bytes[5] = 2;
                write(line, bytes);
            }
        },
        OVERSIZED("it sent a message of 4294967295 bytes; at most 65536 are expected") {
            @Override
            void speak(Line line, Party party) throws IOException {
                byte[] bytes = party.encoded(SECRET, party.claims(1, 2, 0), new byte[32]);
                ByteBuffer.wrap(bytes).putInt(8, -1);
                write(line, bytes);
            }
        },
        TRUNCATED_FIELDS("it sent a message that ends too soon") {
            @Override
            void speak(Line line, Party party) throws IOException {
                byte[] bytes = party.encoded(SECRET, party.claims(1, 2, 0), new byte[32]);
                ByteBuffer.wrap(bytes).putInt(8, 20);
                write(line, bytes);
            }
        },
        UNKNOWN_KIND("it sent a message of the unknown kind 77") {
            @Override
            void speak(Line line, Party party) throws IOException {
                byte[] bytes = party.encoded(SECRET, party.claims(1, 2, 0), new byte[32]);
                bytes[6] = 77;
                write(line, bytes);
            }
        },
        OUT_OF_PLACE("it sent Refused where Hello is due") {
            @Override
            void speak(Line line, Party party) throws IOException {
                line.send(new Refused("no", false));
            }
        },
        NO_SECRET("its secret is not the group's; give all ranks the same WOK_SECRET") {
            @Override
            void speak(Line line, Party party) throws IOException {
                write(line, party.encoded(new byte[16], party.claims(1, 2, 0), new byte[32]));
            }
        },
        OTHER_SIZE("it says that the group has 8 ranks, here it has 2; give all ranks the same WOK_SIZE") {
            @Override
            void greet(Line line, Party party) throws IOException {
                party.hello(line, SECRET, party.claims(1, 8, 0));
            }
        },
        OUT_OF_RANGE("it says that it is rank -3; ranks from 0 to 1 are expected") {
            @Override
            void greet(Line line, Party party) throws IOException {
                party.hello(line, SECRET, party.claims(-3, 2, 0));
            }
        },
        LOST("it takes this rank, 0, for rank 1") {
            @Override
            void greet(Line line, Party party) throws IOException {
                party.hello(line, SECRET, party.claims(1, 2, 1));
            }
        },
        RANK_ZERO("it says that it is rank 0, which is there already; give each rank its own WOK_RANK") {
            @Override
            void greet(Line line, Party party) throws IOException {
                party.hello(line, SECRET, party.claims(0, 2, 0));
            }
        };

        private final String why;

        Stranger(String why) {
            this.why = why;
        }

        void speak(Line line, Party party) throws IOException {
            throw new UnsupportedOperationException(name());
        }

        void greet(Line line, Party party) throws IOException {
            line.receive(Challenge.class);
            speak(line, party);
        }

        /// @return the line that names it
        String comes(Party party) throws IOException {
            try (Line line = party.connect()) {
                greet(line, party);
                try {
                    while (true) {
                        line.receive();
                    }
                } catch (IOException _) {
                    return "rank 0 refused %s: %s."
                            .formatted(
                                    Meeting.text(
                                            (InetSocketAddress) line.channel().getLocalAddress()),
                                    why);
                }
            }
        }

        private static void write(Line line, byte[] bytes) throws IOException {
            line.channel().write(ByteBuffer.wrap(bytes));
        }
    }

    /// A group that joins.
    private final class Party implements AutoCloseable {
        final String address;
        private final int size;
        private final Transport transport;
        private final Duration limit;
        private final Rendezvous rendezvous;
        private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        private final List<Future<Fabric>> joining = new ArrayList<>();

        Party(int size, Transport transport) {
            this(size, transport, Duration.ofSeconds(30));
        }

        Party(int size, Transport transport, Duration limit) {
            this.size = size;
            this.transport = transport;
            this.limit = limit;
            rendezvous = Rendezvous.open(membership(0, "127.0.0.1:0"), progress);
            address = rendezvous.address();
            for (int rank = 0; rank < size; rank++) {
                joining.add(null);
            }
        }

        Membership membership(int rank) {
            return membership(rank, address);
        }

        private Membership membership(int rank, String at) {
            return new Membership(rank, size, at, SECRET, transport, Duration.ofSeconds(5), limit);
        }

        void start(int rank) {
            joining.set(rank, threads.submit(() -> {
                try {
                    return rank == 0 ? rendezvous.join() : Fabric.join(membership(rank), progress);
                } finally {
                    if (rank == 0) {
                        rendezvous.close();
                    }
                }
            }));
        }

        List<Fabric> all() throws Exception {
            List<Fabric> ranks = new ArrayList<>();
            for (Future<Fabric> rank : joining) {
                ranks.add(rank.get());
            }
            return ranks;
        }

        String departed(int rank) {
            return Thrown.message(Departed.class, () -> {
                try {
                    joining.get(rank).get();
                } catch (ExecutionException e) {
                    throw e.getCause() instanceof Departed departed ? departed : e;
                }
            });
        }

        Line lifeline(Fabric rank) {
            return Objects.requireNonNull(rank.ties()).lifelines().getFirst().line();
        }

        Line connect() throws IOException {
            return new Line(SocketChannel.open(Meeting.of(address, 1).address()));
        }

        Claims claims(int rank, int of, int to) {
            return new Claims(
                    rank,
                    of,
                    to,
                    Purpose.LIFELINE,
                    Machine.seat(Meeting.of("127.0.0.1:1", 1).address()));
        }

        byte[] encoded(byte[] secret, Claims claims, byte[] challenge) {
            byte[] nonce = Secret.nonce();
            return MessageLayout.encode(new Hello(claims, nonce, new Secret(secret).hello(challenge, nonce, claims)))
                    .array();
        }

        void hello(Line line, byte[] secret, Claims claims) throws IOException {
            byte[] challenge = line.receive(Challenge.class).nonce();
            line.channel().write(ByteBuffer.wrap(encoded(secret, claims, challenge)));
        }

        Line hello(byte[] secret, Claims claims) throws IOException {
            Line line = connect();
            hello(line, secret, claims);
            return line;
        }

        @Override
        public void close() throws Exception {
            for (Future<Fabric> rank : joining) {
                if (rank != null && rank.state() == Future.State.SUCCESS) {
                    rank.get().close();
                }
            }
            threads.close();
            rendezvous.close();
        }
    }
}
