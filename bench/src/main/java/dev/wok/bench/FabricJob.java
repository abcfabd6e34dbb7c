package dev.wok.bench;

import dev.wok.fabric.Exchange;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Tokens and their experts, by formulas that the peer in exchange.c has too: whoever brings a token
/// back knows what it must be.
///
/// @param tokens of each rank
/// @param experts a power of two
record FabricJob(int hidden, int tokens, int topK, int experts, Exchange.Payload dispatch, Exchange.Payload combine) {
    static final int TOP_K = 8;
    static final int EXPERTS = 256;
    private static final int LEVELS = 509;
    private static final float UNIT = 1 / 64f;

    /// Of as many values one is looked at: no divisor of any width.
    private static final int LOOKED_AT = 61;

    /// The coarsest step of E4M3 between neighbours, against the larger of them.
    private static final float COARSE = 1 / 14f;

    static FabricJob of(int hidden, int tokens, Exchange.Payload dispatch) {
        return new FabricJob(hidden, tokens, TOP_K, EXPERTS, dispatch, Exchange.Payload.BF16);
    }

    /// @return bytes that each rank's tensors take
    long bytes() {
        return (long) tokens * hidden * Float.BYTES * (1 + 2 * topK);
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

    /// @param x `[tokens, hidden]`
    /// @param choices `[tokens, topK]`
    void fill(int rank, Tensor x, Tensor choices) {
        MemorySegment values = x.memory();
        for (int t = 0; t < tokens; t++) {
            int token = rank * tokens + t;
            for (int c = 0; c < hidden; c++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, (long) t * hidden + c, value(token, c));
            }
            for (int k = 0; k < topK; k++) {
                choices.memory().setAtIndex(ValueLayout.JAVA_INT, (long) t * topK + k, chosen(token, k, experts));
            }
        }
    }

    /// @param slots `[tokens * topK, hidden]`: each token's own values, as they went out
    void check(int rank, Tensor slots) {
        float apart = dispatch == Exchange.Payload.FP8 ? COARSE * LEVELS / 2 * UNIT : 0;
        for (int slot = 0; slot < tokens * topK; slot++) {
            int token = rank * tokens + slot / topK;
            for (int c = slot % LOOKED_AT; c < hidden; c += LOOKED_AT) {
                float got = slots.memory().getAtIndex(ValueLayout.JAVA_FLOAT, (long) slot * hidden + c);
                if (!(Math.abs(got - value(token, c)) <= apart)) {
                    throw new IllegalStateException("rank %d, slot %d, column %d: %s, expected %s"
                            .formatted(rank, slot, c, got, value(token, c)));
                }
            }
        }
    }
}
