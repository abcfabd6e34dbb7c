package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class CollectivesTest {
    private static byte[] bytes(int rank, int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (rank * 37 + i * 11 + (i >> 8));
        }
        return bytes;
    }

    private static MemorySegment floats(float... values) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, values);
    }

    private static float[] part(int index, int length) {
        Rng rng = new Rng(5).split(index);
        float[] part = new float[length];
        for (int i = 0; i < length; i++) {
            part[i] = Math.scalb((float) rng.normal(i), i % 31 - 15);
        }
        return part;
    }

    /// Bounds of ranks' ranges; some are empty.
    private static long[] bounds(Rng rng, int ranks, int length) {
        long[] inner = new long[ranks - 1];
        Arrays.setAll(inner, i -> rng.below(i, length + 1));
        Arrays.sort(inner);
        long[] bounds = new long[ranks + 1];
        System.arraycopy(inner, 0, bounds, 1, inner.length);
        bounds[ranks] = length;
        return bounds;
    }

    @Test
    void sumsInTheOrderOfParts() {
        Property.of("Collectives.reduceScatter")
                .size("ranks", 1, 4)
                .size("parts", 1, 3)
                .size("length", 0, 50_000)
                .flag("inPlace")
                .cases(20)
                .check(c -> {
                    int ranks = c.size("ranks");
                    int each = c.size("parts");
                    int length = c.size("length");
                    float[] sum = part(0, length);
                    for (int index = 1; index < ranks * each; index++) {
                        float[] part = part(index, length);
                        for (int i = 0; i < length; i++) {
                            sum[i] += part[i];
                        }
                    }
                    long[] bounds = bounds(c.rng("bounds"), ranks, length);
                    Ranks.run(Shape.oneMachine(ranks), fabric -> {
                        int rank = fabric.rank();
                        List<MemorySegment> parts = new ArrayList<>();
                        for (int i = 0; i < each; i++) {
                            parts.add(floats(part(rank * each + i, length)));
                        }
                        long bytes = (bounds[rank + 1] - bounds[rank]) * Float.BYTES;
                        MemorySegment mine = c.flag("inPlace")
                                ? parts.getFirst().asSlice(bounds[rank] * Float.BYTES, bytes)
                                : Arena.ofAuto().allocate(bytes, 64);
                        fabric.reduceScatter(parts, bounds, mine);
                        float[] expected = Arrays.copyOfRange(sum, (int) bounds[rank], (int) bounds[rank + 1]);
                        assertArrayEquals(expected, mine.toArray(ValueLayout.JAVA_FLOAT));
                    });
                });
    }

    /// What is begun later and waited for first gets through, though sums and weights fill the links before it.
    @Test
    void goesOnWhileOthersTravel() {
        int length = 400_000;
        int ranks = 3;
        long[] bounds = {0, 100_000, 100_001, length};
        float[] sum = part(0, length);
        for (int rank = 1; rank < ranks; rank++) {
            float[] part = part(rank, length);
            for (int i = 0; i < length; i++) {
                sum[i] += part[i];
            }
        }
        Ranks.run(Shape.oneMachine(ranks), fabric -> {
            int from = (int) bounds[fabric.rank()];
            int to = (int) bounds[fabric.rank() + 1];
            MemorySegment part = floats(part(fabric.rank(), length));
            MemorySegment mine = part.asSlice(4L * from, 4L * (to - from));
            Transfer sums = fabric.beginReduceScatter(List.of(part), bounds, mine);
            byte[] given = bytes(fabric.rank(), 4 * length);
            MemorySegment all = Arena.ofAuto().allocate(4 * length, 1);
            MemorySegment.copy(given, 4 * from, all, ValueLayout.JAVA_BYTE, 4L * from, 4 * (to - from));
            Transfer gather = fabric.beginAllGather(
                    all, Arrays.stream(bounds).map(b -> 4 * b).toArray());
            assertArrayEquals(bytes(1, 70_000), fabric.broadcast(bytes(fabric.rank(), 70_000), 1));
            gather.await();
            for (int rank = 0; rank < ranks; rank++) {
                int at = (int) bounds[rank] * 4;
                int end = (int) bounds[rank + 1] * 4;
                assertArrayEquals(
                        Arrays.copyOfRange(bytes(rank, 4 * length), at, end),
                        all.asSlice(at, end - at).toArray(ValueLayout.JAVA_BYTE));
            }
            sums.await();
            assertArrayEquals(Arrays.copyOfRange(sum, from, to), mine.toArray(ValueLayout.JAVA_FLOAT));
        });
    }

    @Test
    void keepsTheSignOfASumOfNothing() {
        Ranks.run(Shape.oneMachine(2), fabric -> {
            MemorySegment part = floats(-0f, -0f);
            fabric.reduceScatter(List.of(part), new long[] {0, 1, 2}, part.asSlice(4L * fabric.rank(), 4));
            float own = part.getAtIndex(ValueLayout.JAVA_FLOAT, fabric.rank());
            assertEquals(Float.floatToRawIntBits(-0f), Float.floatToRawIntBits(own));
        });
    }

    @Test
    void gathersWhatEachHas() {
        Property.of("Collectives.allGather")
                .size("ranks", 1, 5)
                .size("length", 0, 600_000)
                .cases(12)
                .check(c -> {
                    int ranks = c.size("ranks");
                    byte[] expected = bytes(0, c.size("length"));
                    long[] bounds = bounds(c.rng("bounds"), ranks, expected.length);
                    Ranks.run(Shape.oneMachine(ranks), fabric -> {
                        int from = (int) bounds[fabric.rank()];
                        int to = (int) bounds[fabric.rank() + 1];
                        MemorySegment all = Arena.ofAuto().allocate(expected.length, 1);
                        MemorySegment.copy(expected, from, all, ValueLayout.JAVA_BYTE, from, to - from);
                        fabric.allGather(all, bounds);
                        assertArrayEquals(expected, all.toArray(ValueLayout.JAVA_BYTE));
                        List<byte[]> pieces = fabric.allGather(Arrays.copyOfRange(expected, from, to));
                        for (int rank = 0; rank < ranks; rank++) {
                            assertArrayEquals(
                                    Arrays.copyOfRange(expected, (int) bounds[rank], (int) bounds[rank + 1]),
                                    pieces.get(rank));
                        }
                    });
                });
    }

    @Test
    void broadcastsFromAnyRank() {
        Ranks.run(Shape.oneMachine(3), fabric -> {
            for (int root = 0; root < 3; root++) {
                for (int length : new int[] {0, 1, 70_000, 400_000}) {
                    byte[] given = fabric.rank() == root ? bytes(root, length) : new byte[0];
                    assertArrayEquals(bytes(root, length), fabric.broadcast(given, root));
                }
            }
        });
    }

    @Test
    void sendsMoreThanARingHoldsBothWays() {
        int length = 900_001;
        Ranks.run(Shape.oneMachine(3), fabric -> {
            MemorySegment mine = MemorySegment.ofArray(bytes(fabric.rank(), length));
            byte[] theirs = new byte[length];
            switch (fabric.rank()) {
                case 0 -> {
                    fabric.send(mine, 2);
                    fabric.receive(MemorySegment.ofArray(theirs), 2);
                    assertArrayEquals(bytes(2, length), theirs);
                }
                case 2 -> {
                    fabric.receive(MemorySegment.ofArray(theirs), 0);
                    fabric.send(mine, 0);
                    assertArrayEquals(bytes(0, length), theirs);
                }
                default -> {}
            }
            fabric.barrier();
        });
    }

    @Test
    void waitsForAllAtABarrier() {
        AtomicInteger arrived = new AtomicInteger();
        Ranks.run(Shape.oneMachine(5), fabric -> {
            for (int round = 1; round <= 20; round++) {
                arrived.incrementAndGet();
                fabric.barrier();
                assertEquals(5 * round, arrived.get());
                fabric.barrier();
            }
        });
    }

    @Test
    void refusesBoundsThatAreNone() {
        try (Fabric alone = Fabric.alone()) {
            MemorySegment part = floats(1, 2);
            Exception e = assertThrows(
                    IllegalArgumentException.class, () -> alone.reduceScatter(List.of(part), new long[] {0, 3}, part));
            assertEquals("bounds are [0, 3], expected 2 ascending from 0 to at most 2", e.getMessage());
        }
    }

    @Test
    void goesOnWithoutARankThatIsNotNeeded() {
        Ranks.run(Shape.oneMachine(3), fabric -> {
            byte[] theirs = new byte[1000];
            for (int round = 0; round < 50 && fabric.rank() < 2; round++) {
                if (fabric.rank() == round % 2) {
                    fabric.send(MemorySegment.ofArray(bytes(round, 1000)), 1 - fabric.rank());
                } else {
                    fabric.receive(MemorySegment.ofArray(theirs), 1 - fabric.rank());
                    assertArrayEquals(bytes(round, 1000), theirs);
                }
            }
        });
    }
}
