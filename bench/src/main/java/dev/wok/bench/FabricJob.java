package dev.wok.bench;

import dev.wok.fabric.Exchange;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/// Tokens, their experts and the weights of these, by formulas that the peer in exchange.c has too.
/// An expert gives back what it gets, so whoever adds up a token's results knows what the sum must
/// be: all of it is exact in float32.
///
/// @param tokens of each rank
/// @param experts a power of two
record FabricJob(int hidden, int tokens, int topK, int experts, Exchange.Payload dispatch, Exchange.Payload combine) {
    static final int TOP_K = 8;
    static final int EXPERTS = 256;

    /// So few that the sum of a token's results from one rank, at most eight weights of 4/8, needs no more than
    /// bfloat16's eight bits.
    private static final int LEVELS = 15;

    private static final float UNIT = 1 / 64f;
    private static final int WEIGHTS = 4;
    private static final float WEIGHT_UNIT = 1 / 8f;

    /// Of as many values one is looked at: no divisor of any width.
    private static final int LOOKED_AT = 61;

    /// The coarsest step of E4M3 between neighbours, against the larger of them.
    private static final float COARSE = 1 / 14f;

    static FabricJob of(int hidden, int tokens, Exchange.Payload dispatch) {
        return new FabricJob(hidden, tokens, TOP_K, EXPERTS, dispatch, Exchange.Payload.BF16);
    }

    /// @return bytes that each rank's tensors take, about
    long bytes(int ranks) {
        return (long) tokens * hidden * Float.BYTES * (2 + topK + Math.min(topK, ranks));
    }

    /// @param token counted through those of all ranks
    /// @return on how many ranks its experts are
    int ranksOf(int token, int ranks) {
        return (int) IntStream.range(0, topK)
                .map(k -> chosen(token, k, experts) / (experts / ranks))
                .distinct()
                .count();
    }

    /// @return bytes of what travels between ranks that a program must hold which sends all of it at
    ///     once
    long wireBytes() {
        return 2L * tokens * hidden * Short.BYTES * topK;
    }

    static int chosen(int token, int k, int experts) {
        int h = token * 0x9E3779B1;
        h ^= h >>> 15;
        h *= 0x85EBCA77;
        h ^= h >>> 13;
        return (h + k * (h >>> 16 | 1)) & experts - 1;
    }

    /// @return a multiple of 1/64 that bfloat16 holds exactly
    static float value(int token, int column) {
        return (Integer.remainderUnsigned(token * 131 + column * 29, LEVELS) - LEVELS / 2) * UNIT;
    }

    /// @return one of 1/8, 2/8, 3/8, 4/8
    static float weight(int token, int k) {
        return (1 + (token + k) % WEIGHTS) * WEIGHT_UNIT;
    }

    /// @param x `[tokens, hidden]`
    /// @param choices `[tokens, topK]`
    /// @param weights `[tokens, topK]`
    void fill(int rank, Tensor x, Tensor choices, Tensor weights) {
        MemorySegment values = x.memory();
        for (int t = 0; t < tokens; t++) {
            int token = rank * tokens + t;
            for (int c = 0; c < hidden; c++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, (long) t * hidden + c, value(token, c));
            }
            for (int k = 0; k < topK; k++) {
                choices.memory().setAtIndex(ValueLayout.JAVA_INT, (long) t * topK + k, chosen(token, k, experts));
                weights.memory().setAtIndex(ValueLayout.JAVA_FLOAT, (long) t * topK + k, weight(token, k));
            }
        }
    }

    /// @param y `[tokens, hidden]`: what was zero and then had all of each token's results added,
    ///     so many times
    void check(int rank, Tensor y, int times) {
        float apart = dispatch == Exchange.Payload.FP8 ? COARSE * LEVELS / 2 * UNIT : 0;
        for (int t = 0; t < tokens; t++) {
            int token = rank * tokens + t;
            float factor = 0;
            for (int k = 0; k < topK; k++) {
                factor += times * weight(token, k);
            }
            for (int c = t % LOOKED_AT; c < hidden; c += LOOKED_AT) {
                float got = y.memory().getAtIndex(ValueLayout.JAVA_FLOAT, (long) t * hidden + c);
                if (!(Math.abs(got - value(token, c) * factor) <= apart * factor)) {
                    throw new IllegalStateException("rank %d, token %d, column %d: %s, expected %s"
                            .formatted(rank, t, c, got, value(token, c) * factor));
                }
            }
        }
    }
}
