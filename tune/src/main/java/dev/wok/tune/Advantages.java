package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How much better each answer is than the others to its question (DeepSeekMath, 4.1.2):
/// `A_i = (r_i - mean r) / (std r + eps)`, the mean over the answers to the question. The standard
/// deviation is the sample's, with n - 1. Answers to a question that all have the same reward have
/// advantage 0, as has one that is alone.
///
/// @param groups of each question the answers' advantages, in the order of the rewards
/// @param equal how many questions' answers all have the same reward
record Advantages(List<double[]> groups, int equal) {
    /// What the standard deviation is of.
    enum Scale {
        /// The rewards of the question's answers.
        GROUP,
        /// All rewards of the step.
        BATCH,
        /// Nothing; advantages are `r_i - mean r` (Dr. GRPO).
        NONE
    }

    /// What TRL adds to the standard deviation.
    static final double EPSILON = 1e-4;

    /// @param rewards of each question's answers; one answer or more
    /// @param epsilon added to the standard deviation
    /// @throws BadInput where a reward is no finite number
    static Advantages of(List<double[]> rewards, Scale scale, double epsilon) {
        double all = switch (scale) {
            case GROUP, NONE -> 0;
            case BATCH ->
                deviation(rewards.stream().flatMapToDouble(Arrays::stream).toArray());
        };
        List<double[]> groups = new ArrayList<>();
        int equal = 0;
        for (double[] group : rewards) {
            if (isEqual(group)) {
                equal++;
                groups.add(new double[group.length]);
                continue;
            }
            double divisor = switch (scale) {
                case GROUP -> deviation(group) + epsilon;
                case BATCH -> all + epsilon;
                case NONE -> 1;
            };
            double mean = mean(group);
            groups.add(Arrays.stream(group).map(r -> (r - mean) / divisor).toArray());
        }
        return new Advantages(groups, equal);
    }

    /// DAPO's soft punishment of answers that come near the limit: 0 to `limit - cache` tokens, then
    /// falling to `-factor` at the limit (DAPO, eq. 13).
    ///
    /// @param tokens of the answer
    /// @param limit most tokens of an answer
    /// @param cache how far below the limit it begins; 1 or more
    /// @return to be added to the reward, `-factor` to 0
    static double overlong(int tokens, int limit, int cache, double factor) {
        double excess = (double) tokens - ((double) limit - cache);
        return excess <= 0 ? 0 : -factor * Math.min(1, excess / cache);
    }

    /// @throws BadInput where a reward is no finite number
    static boolean isEqual(double[] rewards) {
        boolean equal = true;
        for (double reward : rewards) {
            if (!Double.isFinite(reward)) {
                throw new BadInput("a reward is %s; rewards are finite numbers.".formatted(reward));
            }
            equal &= reward == rewards[0];
        }
        return equal;
    }

    private static double mean(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return sum / values.length;
    }

    private static double deviation(double[] values) {
        if (values.length < 2) {
            return 0;
        }
        double mean = mean(values);
        double squares = 0;
        for (double value : values) {
            squares += (value - mean) * (value - mean);
        }
        return Math.sqrt(squares / (values.length - 1));
    }
}
