package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CopiesTest {
    private static final int BYTES = 160;
    /// Often enough for everything to be compiled several times over.
    private static final int TIMES = 30_000;

    @Test
    void everyByteArrives() {
        Random random = new Random(1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = arena.allocate(BYTES, 8);
            MemorySegment to = arena.allocate(BYTES, 8);
            for (int time = 0; time < TIMES; time++) {
                fill(from, time);
                to.fill((byte) 0);
                int elements = random.nextInt(25);
                int first = random.nextInt(8);
                long at = (long) first * Integer.BYTES;
                int[] expected = new int[elements];
                for (int i = 0; i < elements; i++) {
                    expected[i] = from.get(ValueLayout.JAVA_INT, at + 4L * i);
                }

                int[] ints = new int[elements];
                Copies.ints(from, at, ints, 0, elements);
                assertArrayEquals(expected, ints);
                Copies.ints(ints, 0, to, at, elements);
                assertEquals(-1, from.asSlice(at, 4L * elements).mismatch(to.asSlice(at, 4L * elements)));
                assertEquals(BYTES / Integer.BYTES - elements, zeros(to));

                float[] floats = new float[elements];
                Copies.floats(from, at, floats, 0, elements);
                for (int i = 0; i < elements; i++) {
                    assertEquals(expected[i], Float.floatToRawIntBits(floats[i]));
                }
                to.fill((byte) 0);
                Copies.floats(floats, 0, to, at, elements);
                assertEquals(-1, from.asSlice(at, 4L * elements).mismatch(to.asSlice(at, 4L * elements)));

                int odd = random.nextInt(100);
                byte[] bytes = new byte[odd];
                Copies.bytes(from, at, bytes, 0, odd);
                to.fill((byte) 0);
                Copies.bytes(from, at, to, first, odd);
                for (int i = 0; i < odd; i++) {
                    assertEquals(from.get(ValueLayout.JAVA_BYTE, at + i), bytes[i]);
                    assertEquals(bytes[i], to.get(ValueLayout.JAVA_BYTE, first + i));
                }
            }
        }
    }

    /// Small positive numbers, which are no NaN as float32, none of their words zero.
    private static void fill(MemorySegment memory, int time) {
        for (int i = 0; i < BYTES / Integer.BYTES; i++) {
            memory.setAtIndex(ValueLayout.JAVA_INT, i, 1 + time * 40 + i);
        }
    }

    private static long zeros(MemorySegment memory) {
        return memory.elements(ValueLayout.JAVA_INT)
                .filter(word -> word.get(ValueLayout.JAVA_INT, 0) == 0)
                .count();
    }
}
