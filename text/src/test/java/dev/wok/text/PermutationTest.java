package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.BitSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PermutationTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 13, 64, 207, 1024, 4001})
    void eachNumberComesOnce(int size) {
        for (long key = 0; key < 20; key++) {
            BitSet seen = new BitSet();
            Permutation permutation = new Permutation(size, key);
            for (int i = 0; i < size; i++) {
                long number = permutation.at(i);
                assertTrue(number >= 0 && number < size);
                seen.set((int) number);
            }
            assertEquals(size, seen.cardinality());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {100, 5000, 1L << 40})
    void keysGiveOtherOrders(long size) {
        int fixed = 0;
        int same = 0;
        for (int i = 0; i < 100; i++) {
            long first = new Permutation(size, 1).at(i);
            fixed += first == i ? 1 : 0;
            same += first == new Permutation(size, 2).at(i) ? 1 : 0;
        }
        // A random order of 100 numbers leaves one in place on average.
        assertTrue(fixed < 8 && same < 8, fixed + " fixed, " + same + " the same");
    }
}
