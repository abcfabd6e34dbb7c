package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class E4m3Test {
    @Test
    void knownNumbers() {
        assertEquals(0f, E4m3.value((byte) 0));
        assertEquals(-0f, E4m3.value((byte) 0x80));
        assertEquals(0x1p-9f, E4m3.value((byte) 1));
        assertEquals(0x1p-6f, E4m3.value((byte) 0x08));
        assertEquals(1f, E4m3.value((byte) 0x38));
        assertEquals(-1.125f, E4m3.value((byte) 0xB9));
        assertEquals(E4m3.MAX, E4m3.value((byte) 0x7e));
        assertTrue(Float.isNaN(E4m3.value((byte) 0x7f)));
        assertTrue(Float.isNaN(E4m3.value((byte) 0xff)));
    }

    @Test
    void everyNumberIsItsOwnNearest() {
        for (int bits = 0; bits < 256; bits++) {
            int again = E4m3.bits(E4m3.value((byte) bits)) & 0xFF;
            assertEquals(bits & 0x7f, again & 0x7f);
            if ((bits & 0x7f) != 0x7f) {
                assertEquals(bits, again);
            }
        }
    }

    /// Between neighbours: the nearer one, the even one in the middle.
    @Test
    void roundsToNearestEven() {
        for (int low = 0; low < 0x7e; low++) {
            float a = E4m3.value((byte) low);
            float b = E4m3.value((byte) (low + 1));
            float middle = (a + b) / 2;
            assertEquals(low % 2 == 0 ? low : low + 1, E4m3.bits(middle));
            assertEquals(low, E4m3.bits(Math.nextDown(middle)));
            assertEquals(low + 1, E4m3.bits(Math.nextUp(middle)));
            assertEquals((byte) (low + 1 | 0x80), E4m3.bits(-Math.nextUp(middle)));
            assertEquals(low, E4m3.bits(Math.nextDown((double) middle)));
            assertEquals((byte) (low + 1 | 0x80), E4m3.bits(-Math.nextUp((double) middle)));
        }
    }

    @Test
    void nothingLiesBeyondTheLargest() {
        assertEquals(0x7e, E4m3.bits(463.9f));
        assertEquals(0x7f, E4m3.bits(465f));
        assertEquals(0x7f, E4m3.bits(Float.POSITIVE_INFINITY));
        assertEquals((byte) 0xff, E4m3.bits(Float.NEGATIVE_INFINITY));
        assertEquals(0x7f, E4m3.bits(Float.NaN) & 0x7f);
    }
}
