package dev.wok.generate;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import java.util.BitSet;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// Picks tokens for one text. Draw `i` is a pure function of the seed and `i`; ties go to the lower id.
///
/// What is picked is what sorting the whole vocabulary would give, but for how sums are rounded; only
/// as many of the likeliest tokens are looked at as decide it.
final class Sampler {
    private static final int FIRST = 128;
    private static final int GROWTH = 16;

    private final Sampling sampling;
    private final boolean biased;
    private final boolean counting;
    private final Rng rng;
    private final BitSet seen = new BitSet();
    private final BitSet adjusted = new BitSet();
    private final int[] generated;
    private final Highest highest = new Highest();
    private @Nullable Bins bins;

    /// Of the likeliest tokens: weights relative to the likeliest, and their sums up to each.
    private double[] weights = new double[0];

    private double[] sums = new double[0];
    private long draws;

    /// @param vocabulary how many logits there are; biases are for ids within
    Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        rng = new Rng(sampling.seed()).split("sampling");
        biased = !sampling.logitBias().isEmpty();
        counting = sampling.frequencyPenalty() != 0 || sampling.presencePenalty() != 0;
        generated = new int[counting ? vocabulary : 0];
        sampling.logitBias().keySet().forEach(adjusted::set);
    }

    /// Counts a token as part of the prompt.
    void read(int id) {
        if (sampling.repetitionPenalty() != 1) {
            seen.set(id);
            adjusted.set(id);
        }
    }

    /// Counts a token as generated.
    void add(int id) {
        read(id);
        if (counting) {
            generated[id]++;
            adjusted.set(id);
        }
    }

    /// @param logits `[vocab]`; overwritten
    /// @throws BadInput where they are no numbers
    int pick(float[] logits) {
        int id = foresee(logits);
        draws++;
        return id;
    }

    /// @param logits `[vocab]`; overwritten
    /// @return what [#pick] would pick next from these
    /// @throws BadInput where they are no numbers
    int foresee(float[] logits) {
        adjust(logits);
        return sampling.temperature() == 0 ? Highest.of(logits) : draw(logits, rng.uniform(draws));
    }

    private void adjust(float[] logits) {
        for (int id = adjusted.nextSetBit(0); id >= 0; id = adjusted.nextSetBit(id + 1)) {
            double logit = logits[id] + (biased ? sampling.logitBias().getOrDefault(id, 0.0) : 0);
            if (seen.get(id)) {
                double penalty = sampling.repetitionPenalty();
                logit = logit > 0 ? logit / penalty : logit * penalty;
            }
            if (counting && generated[id] > 0) {
                logit -= generated[id] * sampling.frequencyPenalty() + sampling.presencePenalty();
            }
            logits[id] = (float) logit;
        }
    }

    /// @param at where in the sum of what is left, 0 to 1
    private int draw(float[] logits, double at) {
        int topK = sampling.topK();
        int wanted = topK == 0 ? FIRST : topK;
        while (true) {
            highest.find(logits, wanted);
            int count = topK == 0 ? highest.size() : Math.min(topK, highest.size());
            weigh(count);
            boolean complete = topK != 0 || highest.all();
            double known = sums[count - 1];
            OptionalInt rank =
                    complete ? rank(at, count, new Mass(known, known), true) : rankAmong(logits, at, count, known);
            if (rank.isPresent()) {
                return highest.id(rank.getAsInt());
            }
            if (topK == 0 && takesAll()) {
                bins = bins == null ? new Bins() : bins;
                return bins.draw(logits, highest.logit(0), sampling.temperature(), at);
            }
            wanted = (int) Math.min(logits.length, (long) GROWTH * wanted);
        }
    }

    /// @return whether no share of the weights is left out
    private boolean takesAll() {
        return sampling.topP() == 1 && sampling.minP() == 0;
    }

    private void weigh(int count) {
        if (weights.length < count) {
            weights = new double[2 * count];
            sums = new double[2 * count];
        }
        double best = highest.logit(0);
        for (int i = 0; i < count; i++) {
            weights[i] = (highest.logit(i) - best) / sampling.temperature();
        }
        Exponentials.replace(weights, count);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[i];
            sums[i] = sum;
        }
    }

    /// Draws where only some of the weights are known, with no more work on the sum of all than decides
    /// it.
    ///
    /// @return nothing where more weights are needed
    private OptionalInt rankAmong(float[] logits, double at, int count, double known) {
        double last = weights[count - 1];
        OptionalInt rank = rank(at, count, Mass.roughly(logits.length, known, count, last), false);
        if (rank.isPresent() || sampling.topP() == 1 && sampling.minP() > 0) {
            return rank;
        }
        Mass mass = Mass.bounded(logits, known, count, last, highest.logit(count - 1), sampling.temperature());
        rank = rank(at, count, mass, false);
        double share = sampling.topP() == 1 ? at : sampling.topP();
        if (rank.isPresent() || share * mass.most() > known) {
            return rank;
        }
        return rank(at, count, Mass.exact(logits, highest.logit(0), sampling.temperature()), false);
    }

    /// The rank that is drawn.
    ///
    /// @param count how many weights are known
    /// @param mass the sum of all weights that there are
    /// @param complete whether all are known
    /// @return nothing where that does not decide it
    private OptionalInt rank(double at, int count, Mass mass, boolean complete) {
        if (takesAll()) {
            return reaching(at * mass.least(), at * mass.most(), count, complete);
        }
        OptionalInt kept = kept(count, mass, complete);
        if (kept.isEmpty()) {
            return kept;
        }
        double target = at * sums[kept.getAsInt() - 1];
        return reaching(target, target, kept.getAsInt(), true);
    }

    /// The first rank up to which the weights sum to more than a value between two bounds.
    private OptionalInt reaching(double least, double most, int count, boolean complete) {
        for (int i = 0; i < count; i++) {
            if (sums[i] > most) {
                return OptionalInt.of(i);
            }
            if (sums[i] > least) {
                return OptionalInt.empty();
            }
        }
        return complete ? OptionalInt.of(count - 1) : OptionalInt.empty();
    }

    /// How many of the likeliest tokens top-p and min-p leave, at least one.
    private OptionalInt kept(int count, Mass mass, boolean complete) {
        double topP = sampling.topP();
        for (int kept = 1; kept < count; kept++) {
            boolean reached = topP < 1 && sums[kept - 1] >= topP * mass.most();
            if (reached || weights[kept] < sampling.minP()) {
                return OptionalInt.of(kept);
            }
            if (topP < 1 && sums[kept - 1] >= topP * mass.least()) {
                return OptionalInt.empty();
            }
        }
        boolean reached = topP < 1 && sums[count - 1] >= topP * mass.most();
        return complete || reached ? OptionalInt.of(count) : OptionalInt.empty();
    }
}
