package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class Bf16Test {
    @Test
    void tiesGoToEven() {
        assertEquals(1, Bf16.round(1 + 0x1p-8f));
        assertEquals(1 + 0x1p-6f, Bf16.round(1 + 3 * 0x1p-8f));
        assertEquals(-1, Bf16.round(-1 - 0x1p-8f));
        assertEquals(1 + 0x1p-7f, Bf16.round(Math.nextUp(1 + 0x1p-8f)));
    }

    /// Rounding to float first would lose what decides.
    @Test
    void doublesAreRoundedOnce() {
        assertEquals(1 + 0x1p-7, Bf16.round(1 + 0x1p-8 + 0x1p-40));
        assertEquals(1, Bf16.round(1 + 0x1p-8 - 0x1p-40));
        assertEquals(1, Bf16.round(1 + 0x1p-8));
    }

    @Test
    void specialValuesStay() {
        assertTrue(Float.isNaN(Bf16.round(Float.intBitsToFloat(0x7f800001))));
        assertTrue(Double.isNaN(Bf16.round(Double.NaN)));
        assertEquals(Float.POSITIVE_INFINITY, Bf16.round(Float.POSITIVE_INFINITY));
        assertEquals(Float.POSITIVE_INFINITY, Bf16.round(Float.MAX_VALUE));
        assertEquals(0x80000000, Float.floatToRawIntBits(Bf16.round(-0f)));
    }

    @Test
    void tensorsRoundAlike() {
        Rng rng = new Rng(1);
        Tensor tensor = Tensor.allocate(Arena.ofAuto(), DType.BF16, 1);
        for (long i = 0; i < 1000; i++) {
            double value = rng.normal(i);
            tensor.set(0, value);
            assertEquals(tensor.get(0), Bf16.round(value));
            tensor.set(0, (float) value);
            assertEquals(tensor.get(0), Bf16.round((float) value));
        }
    }
}
