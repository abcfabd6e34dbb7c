package dev.wok.generate;

import dev.wok.tensor.Rng;
import java.util.Arrays;
import java.util.BitSet;

/// Picks tokens for one text. Draw `i` is a pure function of the seed and `i`; ties go to the lower id.
final class Sampler {
    private final Sampling sampling;
    private final Rng rng;
    private final BitSet seen = new BitSet();
    private long draws;

    Sampler(Sampling sampling) {
        this.sampling = sampling;
        rng = new Rng(sampling.seed()).split("sampling");
    }

    /// Counts a token as part of the text.
    void see(int id) {
        seen.set(id);
    }

    /// @param logits `[vocab]`; overwritten
    int pick(float[] logits) {
        penalise(logits);
        if (sampling.temperature() == 0) {
            return likeliest(logits);
        }
        int[] ids = descending(logits);
        double[] p = probabilities(logits, ids);
        int kept = kept(p);
        double sum = 0;
        for (int i = 0; i < kept; i++) {
            sum += p[i];
        }
        double at = rng.uniform(draws++) * sum;
        for (int i = 0; i < kept; i++) {
            at -= p[i];
            if (at < 0) {
                return ids[i];
            }
        }
        return ids[kept - 1];
    }

    private void penalise(float[] logits) {
        if (sampling.repetitionPenalty() == 1) {
            return;
        }
        float penalty = (float) sampling.repetitionPenalty();
        for (int id = seen.nextSetBit(0); id >= 0 && id < logits.length; id = seen.nextSetBit(id + 1)) {
            logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
        }
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    /// The ids by descending logit, as many as top-k keeps.
    private int[] descending(float[] logits) {
        long[] keys = new long[logits.length];
        for (int i = 0; i < keys.length; i++) {
            int bits = Float.floatToIntBits(logits[i]);
            int ascending = bits ^ (bits >> 31 & Integer.MAX_VALUE);
            keys[i] = (long) ~ascending << 32 | i;
        }
        Arrays.sort(keys);
        int count = sampling.topK() == 0 ? keys.length : Math.min(sampling.topK(), keys.length);
        int[] ids = new int[count];
        for (int i = 0; i < count; i++) {
            ids[i] = (int) keys[i];
        }
        return ids;
    }

    private double[] probabilities(float[] logits, int[] ids) {
        double[] p = new double[ids.length];
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            p[i] = Math.exp((logits[ids[i]] - logits[ids[0]]) / sampling.temperature());
            sum += p[i];
        }
        for (int i = 0; i < p.length; i++) {
            p[i] /= sum;
        }
        return p;
    }

    /// How many of the likeliest tokens top-p and min-p leave, at least one.
    private int kept(double[] p) {
        int kept = 0;
        double sum = 0;
        while (kept < p.length && sum < sampling.topP() && p[kept] >= sampling.minP() * p[0]) {
            sum += p[kept++];
        }
        return sampling.topP() == 1 && sampling.minP() == 0 ? p.length : Math.max(1, kept);
    }
}
