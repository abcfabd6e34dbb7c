package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrowsExactly;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What every link does.
@Timeout(60)
@TestInstance(Lifecycle.PER_CLASS)
class LinkTest {
    private static final int SMALL = 1 << 19;

    /// The links that are there.
    enum Kind {
        THREADS {
            @Override
            Link[] pair(Board board) {
                return RingLink.pair(new RingLayout(SMALL), 0, 1, board);
            }
        },
        MAPPED {
            @Override
            Link[] pair(Board board) throws IOException {
                MappedRings lower = MappedRings.create(new RingLayout(SMALL));
                MappedRings upper = MappedRings.open(lower.path(), new RingLayout(SMALL));
                lower.unlink();
                assertFalse(Files.exists(lower.path()));
                return new Link[] {lower.link(new Peer(1, 0, board)), upper.link(new Peer(0, 1, board))};
            }
        },
        UNIX {
            @Override
            Link[] pair(Board board) throws IOException {
                Path path = Files.createTempDirectory("wok-link").resolve("socket");
                try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                    return connected(server.bind(UnixDomainSocketAddress.of(path)), board);
                } finally {
                    Files.delete(path);
                    Files.delete(path.getParent());
                }
            }
        },
        TCP {
            @Override
            Link[] pair(Board board) throws IOException {
                try (ServerSocketChannel server = ServerSocketChannel.open()) {
                    return connected(server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)), board);
                }
            }
        },
        UCX {
            @Override
            Link[] pair(Board board) {
                try (UcxNode lower = new UcxNode();
                        UcxNode upper = new UcxNode()) {
                    return new Link[] {
                        lower.link(upper.address(), new Peer(1, 0, board)),
                        upper.link(lower.address(), new Peer(0, 1, board))
                    };
                }
            }
        };

        private static Link[] connected(ServerSocketChannel server, Board board) throws IOException {
            SocketChannel there = SocketChannel.open(server.getLocalAddress());
            return new Link[] {
                new SocketLink(server.accept(), new Peer(1, 0, board)), new SocketLink(there, new Peer(0, 1, board))
            };
        }

        abstract Link[] pair(Board board) throws Exception;
    }

    /// Those that are there on every machine.
    Stream<Kind> kinds() {
        return Stream.of(Kind.THREADS, Kind.MAPPED, Kind.UNIX, Kind.TCP);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void framesKeepOrderAndBytes(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            int capacity = pair.lower.capacity();
            assertTrue(capacity >= 1 << 16, "capacity " + capacity);
            int[] sizes = {0, 1, 63, 64, 65, capacity, 0, capacity - 1, 4097, capacity, 128, capacity};
            try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
                Future<?> there = threads.submit(() -> sendAll(pair.lower, sizes));
                Future<?> back = threads.submit(() -> receiveAll(pair.upper, sizes));
                there.get();
                back.get();
            }
        }
    }

    /// Both send first, until nothing more finds room: what is on its way must not keep the other way from moving.
    @ParameterizedTest
    @MethodSource("kinds")
    void bothDirectionsAreFull(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            int sent = 0;
            assertTrue(pair.lower.hasSpare() && pair.upper.hasSpare(), "nothing is under way");
            for (int full = 0; full < 50; ) {
                full = trySend(pair.lower, sent, 50_000) && trySend(pair.upper, sent, 50_000) ? 0 : full + 1;
                sent += full == 0 ? 1 : 0;
                pair.lower.progress();
                pair.upper.progress();
            }
            assertTrue(sent >= 2, "only %d frames found room".formatted(sent));
            assertFalse(pair.lower.hasSpare() || pair.upper.hasSpare(), "as much as there is room for is under way");
            for (int number = 0; number < sent; number++) {
                check(await(pair.upper, pair.lower), number, 50_000);
                pair.upper.release();
                check(await(pair.lower, pair.upper), number, 50_000);
                pair.lower.release();
            }
            while (!pair.lower.hasSpare() || !pair.upper.hasSpare()) {
                pair.lower.progress();
                pair.upper.progress();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void randomOperationsAreThoseOfAQueue(Kind kind) throws Exception {
        Rng rng = Seeds.rng("LinkTest.random");
        try (Pair pair = new Pair(kind)) {
            Queue<Integer> expected = new ArrayDeque<>();
            int sent = 0;
            int received = 0;
            for (int i = 0; i < 8_000; i++) {
                if (rng.below(2L * i, 2) == 0) {
                    int bytes = rng.below(2L * i + 1, 8) == 0 ? rng.below(i, pair.lower.capacity()) : rng.below(i, 300);
                    if (trySend(pair.lower, sent, bytes)) {
                        expected.add(bytes);
                        sent++;
                    }
                } else {
                    MemorySegment frame = pair.upper.receive();
                    if (frame != null) {
                        check(frame, received++, expected.remove());
                        pair.upper.release();
                    }
                }
                pair.lower.progress();
                pair.upper.progress();
            }
            assertTrue(received > 500, "only %d frames came".formatted(received));
            while (!expected.isEmpty()) {
                check(await(pair.upper, pair.lower), received++, expected.remove());
                pair.upper.release();
            }
            assertNull(pair.upper.receive());
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void aFrameStaysUntilItIsReleased(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            assertTrue(trySend(pair.lower, 0, 10));
            assertTrue(trySend(pair.lower, 1, 20));
            MemorySegment first = await(pair.upper);
            pair.upper.progress();
            assertEquals(first.address(), await(pair.upper).address());
            check(first, 0, 10);
            pair.upper.release();
            check(await(pair.upper), 1, 20);
            pair.upper.release();
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void lessMayBeSentThanWasReserved(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            MemorySegment room = pair.lower.reserve(1000);
            assertNotNull(room);
            assertTrue(room.byteSize() >= 1000);
            fill(room, 0, 3);
            pair.lower.send(3);
            assertTrue(trySend(pair.lower, 1, 7));
            check(await(pair.upper), 0, 3);
            pair.upper.release();
            check(await(pair.upper), 1, 7);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void largerThanCapacityIsRefused(Kind kind) throws Exception {
        try (Pair pair = new Pair(kind)) {
            int capacity = pair.lower.capacity();
            IllegalArgumentException refused =
                    assertThrowsExactly(IllegalArgumentException.class, () -> pair.lower.reserve(capacity + 1));
            assertEquals(
                    "a frame of %d bytes; at most %d are expected".formatted(capacity + 1, capacity),
                    refused.getMessage());
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void whatWasSentBeforeLeavingStillComes(Kind kind) throws Exception {
        Board board = new Board(2);
        Link[] links = kind.pair(board);
        board.status(0, board.status(0).doing("step 17"));
        assertTrue(trySend(links[0], 0, 99));
        board.leave(0);
        links[0].close();
        check(await(links[1]), 0, 99);
        links[1].release();
        Departed departed = assertThrowsExactly(Departed.class, () -> await(links[1]));
        assertEquals("rank 0 has left the group. It was in step 17.", departed.getMessage());
        assertEquals(0, departed.rank());
        links[1].close();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void whoWaitsForRoomLearnsThatTheOtherLeft(Kind kind) throws Exception {
        Board board = new Board(2);
        Link[] links = kind.pair(board);
        assertTrue(trySend(links[1], 0, 99));
        board.leave(1);
        links[1].close();
        Departed departed = assertThrowsExactly(Departed.class, () -> {
            while (true) {
                trySend(links[0], 0, links[0].capacity());
                links[0].progress();
            }
        });
        assertEquals("rank 1 has left the group. It was in its beginning.", departed.getMessage());
        links[0].close();
    }

    private static Void sendAll(Link link, int[] sizes) {
        for (int number = 0; number < sizes.length; number++) {
            while (!trySend(link, number, sizes[number])) {
                link.progress();
                Thread.yield();
            }
        }
        for (int turn = 0; turn < 100_000; turn++) {
            link.progress();
        }
        return null;
    }

    private static Void receiveAll(Link link, int[] sizes) {
        for (int number = 0; number < sizes.length; number++) {
            check(await(link), number, sizes[number]);
            link.release();
        }
        return null;
    }

    private static boolean trySend(Link link, int number, int bytes) {
        MemorySegment room = link.reserve(bytes);
        if (room == null) {
            return false;
        }
        fill(room, number, bytes);
        link.send(bytes);
        return true;
    }

    private static MemorySegment await(Link link, Link... others) {
        MemorySegment frame = link.receive();
        while (frame == null) {
            for (Link other : others) {
                other.progress();
            }
            link.progress();
            Thread.yield();
            frame = link.receive();
        }
        return frame;
    }

    private static void fill(MemorySegment room, int number, int bytes) {
        assertEquals(0, room.address() % 64);
        for (int i = 0; i < bytes; i++) {
            room.set(ValueLayout.JAVA_BYTE, i, value(number, i));
        }
    }

    private static void check(MemorySegment frame, int number, int bytes) {
        assertEquals(bytes, frame.byteSize());
        assertEquals(0, frame.address() % 64);
        for (int i = 0; i < bytes; i++) {
            if (frame.get(ValueLayout.JAVA_BYTE, i) != value(number, i)) {
                throw new AssertionError("frame %d has another byte %d".formatted(number, i));
            }
        }
    }

    private static byte value(int number, int at) {
        return (byte) (number * 31 + at * 7 + (at >> 8));
    }

    private static final class Pair implements AutoCloseable {
        final Link lower;
        final Link upper;

        Pair(Kind kind) throws Exception {
            Link[] links = kind.pair(new Board(2));
            lower = links[0];
            upper = links[1];
            assertEquals(1, lower.peer());
            assertEquals(0, upper.peer());
        }

        @Override
        public void close() {
            lower.close();
            upper.close();
        }
    }
}
