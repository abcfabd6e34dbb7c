package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.util.Arrays;
import java.util.function.IntPredicate;

/// The highest logits of a row in descending order, found without sorting the row: a sample says about
/// how high they are, and one pass collects all that are at least as high. Ties go to the lower id. A
/// logit of -infinity stands for a token that cannot be, and is never among them.
final class Highest {
    private static final int STRIDE = 61;
    private static final int FEW = 4096;
    private static final float LOWEST = -Float.MAX_VALUE;

    /// The complement of the logit's bits in ascending order, then the id: ascending keys are descending
    /// logits.
    private long[] keys = new long[1024];

    private int size;
    private boolean all;

    /// @throws BadInput where a logit is no number, or none is finite
    static int of(float[] logits) {
        float most = Float.NEGATIVE_INFINITY;
        int best = 0;
        for (int id = 0; id < logits.length; id++) {
            float logit = logits[id];
            if (!(logit <= most)) {
                requireNumber(logit, id);
                most = logit;
                best = id;
            }
        }
        requireFinite(most, best);
        return best;
    }

    /// Finds at least as many as are wanted, or all that are there.
    ///
    /// @throws BadInput where a logit is no number, or none is finite
    void find(float[] logits, int wanted) {
        int sampled = (logits.length + STRIDE - 1) / STRIDE;
        double expected = (double) wanted / STRIDE;
        long rank = (long) (expected + 2 * Math.sqrt(expected)) + 2;
        do {
            boolean everything = logits.length <= FEW || rank > sampled / 4;
            float least = everything ? LOWEST : sampled(logits, (int) rank);
            collect(logits, least);
            all = least == LOWEST;
            rank *= 4;
        } while (size < wanted && !all);
        requireFinite(size == 0 ? Float.NEGATIVE_INFINITY : logit(0), size == 0 ? 0 : id(0));
    }

    /// Finds some, in descending order.
    void only(float[] logits, IntPredicate wanted) {
        size = 0;
        for (int id = 0; id < logits.length; id++) {
            if (wanted.test(id)) {
                add(logits[id], id);
            }
        }
        Arrays.sort(keys, 0, size);
        all = false;
    }

    private void add(float logit, int id) {
        if (size == keys.length) {
            keys = Arrays.copyOf(keys, 2 * size);
        }
        keys[size++] = (long) ~ascending(logit) << 32 | id;
    }

    /// The logit of a rank, counted from 1, among every [#STRIDE]-th.
    private static float sampled(float[] logits, int rank) {
        float[] top = new float[rank];
        Arrays.fill(top, LOWEST);
        for (int id = 0; id < logits.length; id += STRIDE) {
            float logit = logits[id];
            if (logit > top[rank - 1]) {
                int at = rank - 1;
                for (; at > 0 && top[at - 1] < logit; at--) {
                    top[at] = top[at - 1];
                }
                top[at] = logit;
            }
        }
        return top[rank - 1];
    }

    private void collect(float[] logits, float least) {
        size = 0;
        for (int id = 0; id < logits.length; id++) {
            float logit = logits[id];
            if (!(logit < least)) {
                requireNumber(logit, id);
                add(logit, id);
            }
        }
        Arrays.sort(keys, 0, size);
    }

    /// Bits that order as the floats do; the two zeros are one.
    private static int ascending(float logit) {
        int bits = Float.floatToRawIntBits(logit + 0f);
        return bits ^ (bits >> 31 & Integer.MAX_VALUE);
    }

    private static void requireNumber(float logit, int id) {
        if (Float.isNaN(logit)) {
            throw refusal(logit, id);
        }
    }

    private static void requireFinite(float most, int id) {
        if (Float.isInfinite(most)) {
            throw refusal(most, id);
        }
    }

    private static BadInput refusal(float logit, int id) {
        String given = logit == Float.NEGATIVE_INFINITY
                ? "every logit is -Infinity"
                : "the logit of token %d is %s".formatted(id, logit);
        return new BadInput(
                "the model gave no numbers: %s. Its weights are damaged, or overflow in this precision; try float32."
                        .formatted(given));
    }

    /// @return how many were found
    int size() {
        return size;
    }

    /// @return whether no finite logit is missing
    boolean all() {
        return all;
    }

    int id(int rank) {
        return (int) keys[rank];
    }

    float logit(int rank) {
        int ascending = ~(int) (keys[rank] >> 32);
        return Float.intBitsToFloat(ascending ^ (ascending >> 31 & Integer.MAX_VALUE));
    }
}
