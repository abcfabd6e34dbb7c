package dev.wok.generate.json;

import java.util.BitSet;
import java.util.List;

/// Masks as lists.
final class Bits {
    private Bits() {}

    static List<Integer> of(long[] mask) {
        return BitSet.valueOf(mask).stream().boxed().toList();
    }
}
