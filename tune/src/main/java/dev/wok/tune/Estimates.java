package dev.wok.tune;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// What samples say about a model: plain arithmetic on counts.
final class Estimates {
    /// Of the standard normal distribution between which and its negative 95 % lie.
    private static final double Z = 1.959963984540054;

    private Estimates() {}

    /// The probability that one or more of `k` samples are right, estimated without bias from `n` of
    /// which `right` are: `1 - C(n - right, k) / C(n, k)` (M. Chen et al., "Evaluating large language
    /// models trained on code", 2021, eq. 1), as a product of factors between 0 and 1, which neither
    /// overflows nor cancels.
    ///
    /// @param k 1 to `n`
    static double passAt(int n, int right, int k) {
        double allWrong = 1;
        for (int i = n - right + 1; i <= n; i++) {
            allWrong *= i <= k ? 0 : 1 - k / (double) i;
        }
        return 1 - allWrong;
    }

    /// The mean over problems with its 95 % interval (E. Wilson's, 1927), for as many independent
    /// samples as would give the mean the variance that it has with the problems as clusters: samples
    /// of one problem resemble each other. That number lies between the number of problems and that
    /// of all samples; where all samples are right, or all wrong, it is that of problems. With one
    /// sample a problem this is Wilson's interval itself.
    ///
    /// @param right how many samples of each problem are; one problem or more
    /// @param samples of each
    static Evaluation.Interval interval(int[] right, int samples) {
        int n = right.length;
        double mean = Arrays.stream(right).sum() / ((double) n * samples);
        double squares = 0;
        for (int count : right) {
            double off = count / (double) samples - mean;
            squares += off * off;
        }
        double variance = squares / ((double) n * n);
        double bernoulli = mean * (1 - mean);
        double size = bernoulli == 0 ? n : Math.clamp(bernoulli / variance, n, (double) n * samples);
        double z2 = Z * Z / size;
        double centre = (mean + z2 / 2) / (1 + z2);
        double half = Z / (1 + z2) * Math.sqrt(bernoulli / size + z2 / (4 * size));
        return new Evaluation.Interval(mean, Math.max(0, centre - half), Math.min(1, centre + half));
    }

    /// The probability that the answer which most samples give is right, where one is drawn among
    /// those that are given equally often. Samples without an answer have no vote; without any vote
    /// it is 0.
    ///
    /// @param answers of a problem's samples
    /// @param right whether each is; that of an answer is that of the first sample which gives it
    static double majority(List<Optional<String>> answers, boolean... right) {
        Map<String, Integer> votes = new TreeMap<>();
        Map<String, Boolean> verdicts = new TreeMap<>();
        for (int i = 0; i < right.length; i++) {
            if (answers.get(i).isPresent()) {
                votes.merge(answers.get(i).get(), 1, Integer::sum);
                verdicts.putIfAbsent(answers.get(i).get(), right[i]);
            }
        }
        int most = votes.values().stream().mapToInt(Integer::intValue).max().orElse(0);
        List<String> first = votes.entrySet().stream()
                .filter(entry -> entry.getValue() == most)
                .map(Map.Entry::getKey)
                .toList();
        return first.isEmpty()
                ? 0
                : first.stream()
                                .filter(a -> Boolean.TRUE.equals(verdicts.get(a)))
                                .count()
                        / (double) first.size();
    }
}
