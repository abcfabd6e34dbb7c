package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class SkewedLoadsTest {

    @Test
    void theLargestIsEightTimesTheMeanAndSomeAreEmpty() {
        int[] loads = SkewedLoads.loads(32, 4, 2048);
        assertEquals(2048, loads[0]);
        assertEquals(8192, Arrays.stream(loads).sum());
        assertEquals(4, Arrays.stream(loads).filter(load -> load == 0).count());
        for (int e = 1; e < loads.length; e++) {
            assertTrue(loads[e] <= loads[0]);
        }
    }

    @Test
    void noTokenChoosesAnExpertTwice() {
        for (int tokens : new int[] {0, 1, 24, 333, 2048}) {
            try (Arena arena = Arena.ofConfined()) {
                Tensor chosen = Tensor.allocate(arena, DType.I32, tokens, 4);
                SkewedLoads.choose(32, chosen);
                int[] loads = new int[32];
                for (int t = 0; t < tokens; t++) {
                    long seen = 0;
                    for (int k = 0; k < 4; k++) {
                        int expert = chosen.getInt(chosen.offset(t, k));
                        seen |= 1L << expert;
                        loads[expert]++;
                    }
                    assertEquals(4, Long.bitCount(seen), "token " + t);
                }
                assertArrayEquals(SkewedLoads.loads(32, 4, tokens), loads);
            }
        }
    }
}
