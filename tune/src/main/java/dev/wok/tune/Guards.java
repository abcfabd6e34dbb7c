package dev.wok.tune;

import dev.wok.tune.Settings.Limits;
import java.util.Map;

/// Watches a run's figures for what leads nowhere. What it says depends on the steps that it was
/// shown alone, in their order, so that it can be told those of a run that goes on.
final class Guards {
    /// What to do after a step.
    sealed interface Verdict {
        /// Nothing.
        record GoOn() implements Verdict {}

        /// The run is over, early: all that can be learnt is.
        ///
        /// @param line says so
        record Done(String line) implements Verdict {}

        /// The run has to be stopped, and goes on from the checkpoint before if at all.
        ///
        /// @param line what is wrong, in numbers, and what to do
        record Stop(String line) implements Verdict {}
    }

    private static final Verdict GO_ON = new Verdict.GoOn();
    private static final double SAME = 1e-9;

    private final Limits limits;
    private long steps;
    private double entropySum;
    private long klSteps;
    private long entropySteps;
    private long gradSteps;
    private long flatSteps;
    private double lastReward = Double.NaN;
    private double bestReward = Double.NEGATIVE_INFINITY;

    Guards(Limits limits) {
        this.limits = limits;
    }

    /// Looks at a step's figures.
    ///
    /// @param step counts from 1
    /// @param figures of the log: loss and gradient norm, KL, entropy and reward where there are
    ///     such, and the share of groups whose rewards are all the same
    Verdict watch(long step, Map<String, ?> figures) {
        for (String key : new String[] {"loss", "grad_norm"}) {
            if (figures.get(key) instanceof Number number && !Double.isFinite(number.doubleValue())) {
                return new Verdict.Stop(
                        "%s of step %,d is %s: the run diverged, and this step does not count. Lower learning_rate or clip_norm."
                                .formatted(key, step, number));
            }
        }
        steps++;
        Verdict verdict = kl(step, figure(figures, "kl"));
        verdict = verdict.equals(GO_ON) ? entropy(step, figure(figures, "entropy")) : verdict;
        verdict = verdict.equals(GO_ON) ? gradNorm(step, figure(figures, "grad_norm")) : verdict;
        return verdict.equals(GO_ON)
                ? reward(step, figure(figures, "reward"), figure(figures, "equal_groups"))
                : verdict;
    }

    /// @return whether the steps that were shown last, going on like this, end in [Verdict.Stop]: what
    ///     the model is now is then no place to go back to
    boolean isCounting() {
        boolean flat = limits.flatRewardSteps() > 0 && flatSteps > 0 && !isBest(lastReward);
        return klSteps > 0 || entropySteps > 0 || gradSteps > 0 || flat;
    }

    private boolean isBest(double reward) {
        return reward > 0 && reward >= bestReward - SAME;
    }

    /// @return NaN where there is none
    private static double figure(Map<String, ?> figures, String key) {
        return figures.get(key) instanceof Number number ? number.doubleValue() : Double.NaN;
    }

    private Verdict kl(long step, double kl) {
        klSteps = limits.maxKl() > 0 && kl > limits.maxKl() ? klSteps + 1 : 0;
        return klSteps < limits.patience()
                ? GO_ON
                : new Verdict.Stop(
                        "the model runs away from its reference: kl %.4g after step %,d is above max_kl %s since %,d steps. Raise beta, lower learning_rate, or raise max_kl."
                                .formatted(kl, step, limits.maxKl(), klSteps));
    }

    /// What entropy was at first is its mean over as many steps as patience lasts.
    private Verdict entropy(long step, double entropy) {
        if (steps <= limits.patience()) {
            entropySum += entropy;
            return GO_ON;
        }
        double first = entropySum / limits.patience();
        entropySteps =
                limits.minEntropyShare() > 0 && entropy < limits.minEntropyShare() * first ? entropySteps + 1 : 0;
        return entropySteps < limits.patience()
                ? GO_ON
                : new Verdict.Stop(
                        "entropy collapsed: %.4g after step %,d, %.4g at first, is below min_entropy_share %s of it since %,d steps. Lower learning_rate, raise clip_high, or lower min_entropy_share."
                                .formatted(entropy, step, first, limits.minEntropyShare(), entropySteps));
    }

    private Verdict gradNorm(long step, double norm) {
        gradSteps = limits.maxGradNorm() > 0 && norm > limits.maxGradNorm() ? gradSteps + 1 : 0;
        return gradSteps < limits.patience()
                ? GO_ON
                : new Verdict.Stop(
                        "gradients explode: grad_norm %.4g of step %,d is above max_grad_norm %s since %,d steps. Lower learning_rate, or raise max_grad_norm."
                                .formatted(norm, step, limits.maxGradNorm(), gradSteps));
    }

    private Verdict reward(long step, double reward, double equalGroups) {
        boolean flat = Double.isNaN(equalGroups) ? Math.abs(reward - lastReward) <= SAME : equalGroups >= 1;
        flatSteps = flat ? flatSteps + 1 : 0;
        lastReward = reward;
        bestReward = Double.isNaN(reward) ? bestReward : Math.max(bestReward, reward);
        if (limits.flatRewardSteps() == 0 || flatSteps < limits.flatRewardSteps()) {
            return GO_ON;
        }
        return isBest(reward)
                ? new Verdict.Done(
                        "the reward is %.4g, the best so far, without any difference between answers since %,d steps: nothing is left to learn after step %,d."
                                .formatted(reward, flatSteps, step))
                : new Verdict.Stop(
                        "the reward is flat: %.4g after step %,d, without any difference between answers since %,d steps, so nothing is learnt. Take easier problems, a raised temperature, more answers in a group, or a model that is right at times."
                                .formatted(reward, step, flatSteps));
    }
}
