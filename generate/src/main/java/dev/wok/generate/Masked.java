package dev.wok.generate;

import java.util.Arrays;

/// Logits of tokens that may not be picked.
final class Masked {
    private static final int BITS = Long.SIZE;

    private Masked() {}

    /// Sets the logits of all other tokens to -infinity.
    ///
    /// @param logits `[vocab]`
    /// @param allowed bit `id % 64` of element `id / 64` for each token that may be picked
    static void apply(float[] logits, long[] allowed) {
        for (int from = 0; from < logits.length; from += BITS) {
            long bits = from / BITS < allowed.length ? allowed[from / BITS] : 0;
            int to = Math.min(logits.length, from + BITS);
            if (bits == 0) {
                Arrays.fill(logits, from, to, Float.NEGATIVE_INFINITY);
            } else if (bits != -1) {
                for (int id = from; id < to; id++) {
                    logits[id] = (bits >>> id & 1) == 0 ? Float.NEGATIVE_INFINITY : logits[id];
                }
            }
        }
    }
}
