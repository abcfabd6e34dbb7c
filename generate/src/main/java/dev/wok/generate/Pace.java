package dev.wok.generate;

import java.util.Arrays;

/// How much of prompts is read beside answers, so that these do not stall: as much as makes a step about
/// twice as long as without. Learnt from how long steps take. It changes when what is computed, never what
/// comes out.
///
/* A step without prompts takes about as long as the last ones with as many sequences, within a power of two. What a step
 * with prompts takes longer than that is divided by their tokens. Steps that something else on the machine has held up
 * count little.
 */
final class Pace {
    private static final double LONGER = 2;
    private static final double SHORTER_WEIGHT = 0.25;
    private static final double LONGER_WEIGHT = 0.05;
    private static final double PROMPT_WEIGHT = 0.25;
    private static final int FIRST = 32;

    /// Of steps without prompts, by the binary logarithm of how many sequences answered; 0 where there was none.
    private final double[] nanos = new double[Integer.SIZE];

    private double perToken;

    /// @param answering how many sequences answer
    /// @return how many tokens of prompts may be read beside them, 1 or more
    int promptTokens(int answering) {
        double alone = alone(answering);
        if (alone == 0 || perToken == 0) {
            return FIRST;
        }
        return (int) Math.clamp((LONGER - 1) * alone / perToken, 1, Integer.MAX_VALUE);
    }

    /// Notes how long a step took.
    ///
    /// @param answering how many sequences answered in it
    /// @param promptTokens what was read of prompts
    void took(int answering, int promptTokens, long time) {
        int index = index(answering);
        double alone = answering == 0 ? 0 : alone(answering);
        if (promptTokens == 0) {
            double weight = nanos[index] == 0 ? 1 : time < nanos[index] ? SHORTER_WEIGHT : LONGER_WEIGHT;
            nanos[index] += weight * (time - nanos[index]);
        } else if (answering == 0 || alone > 0) {
            double now = Math.max(0, time - alone) / promptTokens;
            perToken += (perToken == 0 ? 1 : PROMPT_WEIGHT) * (now - perToken);
        }
    }

    private double alone(int answering) {
        int index = index(answering);
        if (nanos[index] > 0) {
            return nanos[index];
        }
        for (int i = index - 1; i >= 0; i--) {
            if (nanos[i] > 0) {
                return nanos[i];
            }
        }
        return Arrays.stream(nanos, index, nanos.length)
                .filter(n -> n > 0)
                .findFirst()
                .orElse(0);
    }

    /// @return the same for steps that about as many sequences answer in, below 32
    static int index(int answering) {
        return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(Math.max(1, answering));
    }
}
