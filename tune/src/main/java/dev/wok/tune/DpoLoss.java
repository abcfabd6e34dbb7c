package dev.wok.tune;

/// Direct preference optimization (R. Rafailov et al., 2023) with label smoothing (E. Mitchell, 2023):
/// of a pair whose whole answers have log-probabilities p under the policy and q under the reference,
/// `h = (p_chosen - p_rejected) - (q_chosen - q_rejected)`, and
/// `loss = -(1 - smoothing) ln sigmoid(beta h) - smoothing ln sigmoid(-beta h)`. A step's loss is its
/// pairs' mean.
///
/// Log-probabilities are sums over an answer's targets at temperature 1, in nats. [#of] gives the loss
/// and its slopes; a [WeightedLogprobLoss] with these as coefficients has the gradient.
///
/// @param beta how much a nat counts; more than 0
/// @param smoothing share of pairs that are taken to be the wrong way round, 0 to less than 1/2
record DpoLoss(double beta, double smoothing) {
    /// Log-probabilities of a pair's answers.
    record Pair(double chosen, double rejected, double referenceChosen, double referenceRejected) {}

    /// What a pair says.
    ///
    /// @param loss in nats
    /// @param slopeChosen d loss / d chosen
    /// @param slopeRejected d loss / d rejected
    /// @param rewardChosen `beta (p - reference)` of the chosen answer
    /// @param rewardRejected of the rejected one
    record Result(double loss, double slopeChosen, double slopeRejected, double rewardChosen, double rewardRejected) {
        /// @return whether the chosen answer is ahead
        boolean isRight() {
            return rewardChosen > rewardRejected;
        }
    }

    Result of(Pair pair) {
        double rewardChosen = beta * (pair.chosen() - pair.referenceChosen());
        double rewardRejected = beta * (pair.rejected() - pair.referenceRejected());
        double margin = rewardChosen - rewardRejected;
        double loss = (1 - smoothing) * softplus(-margin) + smoothing * softplus(margin);
        double slope = beta * (smoothing * sigmoid(margin) - (1 - smoothing) * sigmoid(-margin));
        return new Result(loss, slope, -slope, rewardChosen, rewardRejected);
    }

    /// `ln(1 + e^x)`, which is `-ln sigmoid(-x)`.
    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }

    private static double sigmoid(double x) {
        double power = Math.exp(-Math.abs(x));
        return (x >= 0 ? 1 : power) / (1 + power);
    }
}
