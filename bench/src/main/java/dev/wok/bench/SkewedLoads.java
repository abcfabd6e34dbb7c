package dev.wok.bench;

import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;

/// Choices of experts as uneven as a router makes them before it is balanced: the first expert gets eight times the
/// mean, the others ever less, the last eighth nothing. The same choices each time.
final class SkewedLoads {
    private static final int SKEW = 8;

    private SkewedLoads() {}

    /// @return the tokens of each expert: `tokens * topK` in all, none above `tokens`
    static int[] loads(int experts, int topK, int tokens) {
        int rows = tokens * topK;
        int[] loads = new int[experts];
        loads[0] = (int) Math.min(tokens, (long) SKEW * rows / experts);
        int busy = experts - experts / SKEW;
        double weights = 0;
        for (int e = 1; e < busy; e++) {
            weights += 1.0 / e;
        }
        int left = rows - loads[0];
        for (int e = 1; e < busy; e++) {
            loads[e] = (int) Math.min(loads[0], (rows - loads[0]) / (weights * e));
            left -= loads[e];
        }
        // What rounding leaves goes to those with room, in turn.
        for (int e = 1; left > 0; e = e % (busy - 1) + 1) {
            if (loads[e] < loads[0]) {
                loads[e]++;
                left--;
            }
        }
        return loads;
    }

    /// @param chosen `[tokens, topK]`, I32, written: no expert twice for a token
    static void choose(int experts, Tensor chosen) {
        int tokens = chosen.size(0);
        int topK = chosen.size(1);
        int[] order = shuffled(tokens);
        int slot = 0;
        int[] loads = loads(experts, topK, tokens);
        for (int e = 0; e < experts; e++) {
            // An expert's rows follow each other, at most one round of tokens: all of them different.
            for (int i = 0; i < loads[e]; i++, slot++) {
                chosen.setInt(chosen.offset(order[slot % tokens], slot / tokens), e);
            }
        }
    }

    private static int[] shuffled(int count) {
        int[] order = new int[count];
        Rng rng = new Rng(1);
        for (int i = 0; i < count; i++) {
            int other = rng.below(i, i + 1);
            order[i] = order[other];
            order[other] = i;
        }
        return order;
    }
}
