package dev.wok.train;

import java.util.Arrays;

/// How evenly the experts of one layer were used.
///
/// @param violation `max load / mean load - 1`, MaxVio of "Auxiliary-Loss-Free Load Balancing" (arXiv 2408.15664); 0
///     where all are used alike
/// @param entropy of the shares of the load over the logarithm of the number of experts: 1 where all are used alike
record ExpertLoad(double violation, double entropy) {

    /// @param load tokens routed to each expert
    static ExpertLoad of(int[] load) {
        long sum = Arrays.stream(load).asLongStream().sum();
        if (sum == 0) {
            return new ExpertLoad(0, 1);
        }
        double entropy = 0;
        for (int tokens : load) {
            if (tokens > 0) {
                double share = (double) tokens / sum;
                entropy -= share * StrictMath.log(share);
            }
        }
        double most = Arrays.stream(load).max().orElseThrow();
        return new ExpertLoad(
                most * load.length / sum - 1, load.length == 1 ? 1 : entropy / StrictMath.log(load.length));
    }
}
