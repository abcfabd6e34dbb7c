package dev.wok.generate;

import java.util.BitSet;
import java.util.stream.IntStream;

/// What may come next.
final class Allowed {
    private Allowed() {}

    /// @param size how many logits there are
    static BitSet of(FlowMatcher matcher, int size) {
        float[] logits = new float[size];
        matcher.mask(logits);
        BitSet ids = new BitSet();
        IntStream.range(0, size).filter(id -> logits[id] == 0).forEach(ids::set);
        return ids;
    }
}
