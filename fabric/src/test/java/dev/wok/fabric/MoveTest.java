package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class MoveTest {
    private static byte[] bytes(int from, int to, int number, int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (from * 41 + to * 17 + number * 5 + i * 3 + (i >> 8));
        }
        return bytes;
    }

    private static MemorySegment memory(byte[] bytes) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_BYTE, bytes);
    }

    /// A move on its way, and what has to have come.
    private record Moving(Transfer transfer, List<MemorySegment> found, List<byte[]> expected) {
        void await() {
            transfer.await();
            for (int i = 0; i < found.size(); i++) {
                assertArrayEquals(expected.get(i), found.get(i).toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    private static Moving move(Fabric fabric, Rng lengths, int number, Urgency urgency) {
        List<Passage> out = new ArrayList<>();
        List<Passage> in = new ArrayList<>();
        List<byte[]> expected = new ArrayList<>();
        for (int from = 0; from < fabric.size(); from++) {
            for (int to = 0; to < fabric.size(); to++) {
                int length = lengths.below(number * 16L + from * 4L + to, 300_000) - 100_000;
                if (from != to && length >= 0) {
                    byte[] bytes = bytes(from, to, number, length);
                    if (from == fabric.rank()) {
                        out.add(new Passage(to, memory(bytes)));
                    }
                    if (to == fabric.rank()) {
                        in.add(new Passage(from, Arena.ofAuto().allocate(length, 1)));
                        expected.add(bytes);
                    }
                }
            }
        }
        Transfer transfer = fabric.move(out, in, urgency);
        return new Moving(transfer, in.stream().map(Passage::bytes).toList(), expected);
    }

    /// Whatever else is done between the beginning of a move and its end, all arrives.
    @Test
    void arrivesAmongAllElse() {
        Property.of("Fabric.move")
                .size("ranks", 1, 4)
                .size("calls", 1, 20)
                .cases(12)
                .check(c -> Ranks.run(Shape.oneMachine(c.size("ranks")), fabric -> {
                    Rng calls = c.rng("calls");
                    Rng lengths = c.rng("lengths");
                    Deque<Moving> moving = new ArrayDeque<>();
                    for (int number = 0; number < c.size("calls"); number++) {
                        call(fabric, calls.below(number, 6), lengths, number, moving);
                    }
                    moving.forEach(Moving::await);
                    fabric.barrier();
                }));
    }

    private static void call(Fabric fabric, int which, Rng lengths, int number, Deque<Moving> moving) {
        switch (which) {
            case 0, 1 -> moving.add(move(fabric, lengths, number, Urgency.BEHIND));
            case 2 -> move(fabric, lengths, number, Urgency.AT_ONCE).await();
            case 3 -> fabric.barrier();
            case 4 -> {
                byte[] given = bytes(0, 0, number, 300_000);
                assertArrayEquals(given, fabric.broadcast(fabric.rank() == 0 ? given : new byte[0], 0));
            }
            default -> {
                if (!moving.isEmpty()) {
                    moving.remove().await();
                }
            }
        }
    }

    @Test
    void whatIsUrgentOvertakesIt() {
        Board board = new Board(2);
        RingLink[] pair = RingLink.pair(Ranks.SMALL, 0, 1, board);
        Fabric[] fabrics = new Fabric[2];
        for (int rank = 0; rank < 2; rank++) {
            @Nullable Link[] links = new @Nullable Link[2];
            links[1 - rank] = pair[rank];
            fabrics[rank] = new Fabric(new Group(rank, Shape.oneMachine(2), links, Ranks.watchdog(rank, board)));
        }
        byte[] many = bytes(0, 1, 0, 3_000_001);
        MemorySegment arrived = Arena.ofAuto().allocate(many.length, 1);
        Transfer out = fabrics[0].move(List.of(new Passage(1, memory(many))), List.of(), Urgency.BEHIND);
        Transfer in = fabrics[1].move(List.of(), List.of(new Passage(0, arrived)), Urgency.BEHIND);
        byte[] few = bytes(0, 1, 1, 1000);
        fabrics[0].send(memory(few), 1);
        MemorySegment found = Arena.ofAuto().allocate(few.length, 1);
        fabrics[1].receive(found, 0);
        assertArrayEquals(few, found.toArray(ValueLayout.JAVA_BYTE));
        byte[] before = arrived.toArray(ValueLayout.JAVA_BYTE);
        int came = before.length;
        while (came > 0 && before[came - 1] == 0) {
            came--;
        }
        // A quarter of the ring, and a frame that began when there was less in it.
        assertTrue(came > 0 && came < 2 << 17, "%d bytes of the move went before".formatted(came));
        for (int turn = 0; turn < 100; turn++) {
            fabrics[0].progress();
            fabrics[1].progress();
        }
        out.await();
        in.await();
        assertArrayEquals(many, arrived.toArray(ValueLayout.JAVA_BYTE));
    }

    /// A rank that leaves while a move is under way is named by who waits for the rest.
    @Test
    void aRankThatLeavesMeanwhileIsNamed() {
        AtomicInteger named = new AtomicInteger();
        Ranks.run(Shape.oneMachine(2), fabric -> {
            MemorySegment bytes = Arena.ofAuto().allocate(5_000_000, 1);
            Passage passage = new Passage(1 - fabric.rank(), bytes);
            if (fabric.rank() == 0) {
                fabric.move(List.of(passage), List.of(), Urgency.BEHIND);
            } else {
                Transfer move = fabric.move(List.of(), List.of(passage), Urgency.BEHIND);
                Departed departed = assertThrows(Departed.class, move::await);
                named.set(10 + departed.rank());
            }
        });
        assertEquals(10, named.get());
    }
}
