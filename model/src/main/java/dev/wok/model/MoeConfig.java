package dev.wok.model;

import dev.wok.kernel.Routing;
import dev.wok.notice.BadInput;

/// The mixture of experts of a layer (DeepSeekMoE §3).
///
/// @param nRoutedExperts experts among which the router chooses
/// @param nSharedExperts experts that see every token, stored as one feed-forward layer of that multiple of the width
/// @param numExpertsPerTok how many routed experts a token chooses
/// @param moeIntermediateSize an expert's inner width
/// @param nGroup groups of experts, 1 for none
/// @param topkGroup groups that stay in the choice
/// @param normTopkProb whether the chosen weights are made to sum to 1
/// @param routedScalingFactor on the chosen weights
/// @param scoringFunc how logits become scores
/// @param correctionBias whether a bias per expert takes part in the choice (`topk_method` `noaux_tc`)
public record MoeConfig(
        int nRoutedExperts,
        int nSharedExperts,
        int numExpertsPerTok,
        int moeIntermediateSize,
        int nGroup,
        int topkGroup,
        boolean normTopkProb,
        double routedScalingFactor,
        Routing.Scoring scoringFunc,
        boolean correctionBias) {
    private static final int MAX_EXPERTS = 1 << 16;

    public MoeConfig {
        ModelConfig.require(
                "n_routed_experts",
                nRoutedExperts,
                nRoutedExperts >= 1 && nRoutedExperts <= MAX_EXPERTS,
                "1 to %d".formatted(MAX_EXPERTS));
        ModelConfig.require("n_shared_experts", nSharedExperts, nSharedExperts >= 0, "0 or more");
        ModelConfig.require("moe_intermediate_size", moeIntermediateSize, moeIntermediateSize >= 1, "1 or more");
        ModelConfig.require(
                "num_experts_per_tok",
                numExpertsPerTok,
                numExpertsPerTok >= 1 && numExpertsPerTok <= nRoutedExperts,
                "1 to n_routed_experts (%d)".formatted(nRoutedExperts));
        ModelConfig.require(
                "n_group",
                nGroup,
                nGroup >= 1 && nRoutedExperts % nGroup == 0,
                "a number that divides n_routed_experts (%d)".formatted(nRoutedExperts));
        ModelConfig.require(
                "topk_group", topkGroup, topkGroup >= 1 && topkGroup <= nGroup, "1 to n_group (%d)".formatted(nGroup));
        if (numExpertsPerTok > nRoutedExperts / nGroup * topkGroup) {
            throw new BadInput(
                    "num_experts_per_tok is %d, but topk_group %d of n_group %d leaves only %d experts to choose from."
                            .formatted(numExpertsPerTok, topkGroup, nGroup, nRoutedExperts / nGroup * topkGroup));
        }
        if (scoringFunc == Routing.Scoring.SIGMOID && nGroup > 1 && nRoutedExperts / nGroup < 2) {
            throw new BadInput("n_group is %d of %d experts: a group's score is the sum of its best two experts, so"
                            .formatted(nGroup, nRoutedExperts)
                    + " groups need two or more.");
        }
        ModelConfig.require("routed_scaling_factor", routedScalingFactor, routedScalingFactor > 0, "a positive number");
        ModelConfig.requireBelow(31, "2 * moe_intermediate_size", 2, moeIntermediateSize);
        ModelConfig.requireBelow(
                31, "2 * n_shared_experts * moe_intermediate_size", 2.0 * nSharedExperts, moeIntermediateSize);
    }

    Routing.Desc routing() {
        return new Routing.Desc(
                scoringFunc, nRoutedExperts, numExpertsPerTok, nGroup, topkGroup, normTopkProb, routedScalingFactor);
    }
}
