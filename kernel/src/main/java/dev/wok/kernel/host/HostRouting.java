package dev.wok.kernel.host;

import dev.wok.device.Workers;
import dev.wok.kernel.Routing;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/* The choice among a token's few hundred scores branches on each of them: plain loops, tokens spread over the workers. */
public abstract class HostRouting extends Routing {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final int COST_OF_A_SCORE = 32;

    private final Workers workers;

    protected HostRouting(Workers workers) {
        this.workers = workers;
    }

    /// Turns some tokens' logits into scores.
    ///
    /// @param logits `[tokens, experts]`
    /// @param scores `[tokens, experts]`, written
    /// @param worker the calling one
    protected abstract void score(Scoring scoring, Tensor logits, Tensor scores, int worker);

    @Override
    protected void choose(
            Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights) {
        Tasks.requireFloats("Routing", logits, scores, weights);
        int experts = desc.experts();
        int topK = desc.topK();
        float[] shift = bias == null ? new float[experts] : bias.toFloats();
        Tasks.rows(workers, logits.size(0), (long) experts * COST_OF_A_SCORE, (from, to, worker) -> {
            score(desc.scoring(), logits.slice(0, from, to), scores.slice(0, from, to), worker);
            float[] s = new float[experts];
            float[] choice = new float[experts];
            float[] group = new float[desc.groups()];
            int[] best = new int[topK];
            int[] bestGroups = new int[desc.topkGroup()];
            for (int t = from; t < to; t++) {
                copy(scores.memory(), t * scores.stride(0), s);
                for (int e = 0; e < experts; e++) {
                    choice[e] = s[e] + shift[e];
                }
                if (desc.topkGroup() < desc.groups()) {
                    keepBestGroups(desc, choice, group, bestGroups);
                }
                largest(choice, best);
                float sum = 0;
                for (int e : best) {
                    sum += s[e];
                }
                float factor = (float) (desc.normalize() ? desc.factor() / (sum + 1e-20f) : desc.factor());
                for (int k = 0; k < topK; k++) {
                    chosen.setInt((long) t * topK + k, best[k]);
                    weights.memory().setAtIndex(FLOAT, (long) t * topK + k, s[best[k]] * factor);
                }
            }
        });
    }

    private static void copy(MemorySegment from, long element, float[] to) {
        Copies.floats(from, element * Float.BYTES, to, 0, to.length);
    }

    private static void keepBestGroups(Desc desc, float[] choice, float[] group, int[] bestGroups) {
        int size = desc.experts() / desc.groups();
        for (int g = 0; g < group.length; g++) {
            float first = Float.NEGATIVE_INFINITY;
            float second = Float.NEGATIVE_INFINITY;
            for (int e = g * size; e < (g + 1) * size; e++) {
                if (choice[e] > first) {
                    second = first;
                    first = choice[e];
                } else if (choice[e] > second) {
                    second = choice[e];
                }
            }
            group[g] = desc.scoring() == Scoring.SIGMOID ? first + second : first;
        }
        largest(group, bestGroups);
        Arrays.sort(bestGroups);
        for (int g = 0; g < group.length; g++) {
            if (Arrays.binarySearch(bestGroups, g) < 0) {
                Arrays.fill(choice, g * size, (g + 1) * size, Float.NEGATIVE_INFINITY);
            }
        }
    }

    /// The indices of the largest values in descending order, ties by ascending index; an insertion per value.
    private static void largest(float[] values, int[] best) {
        int count = 0;
        for (int i = 0; i < values.length; i++) {
            int at = count;
            while (at > 0 && values[best[at - 1]] < values[i]) {
                at--;
            }
            if (at < best.length) {
                count = Math.min(count + 1, best.length);
                System.arraycopy(best, at, best, at + 1, count - at - 1);
                best[at] = i;
            }
        }
    }

    @Override
    protected void gradient(
            Desc desc, Tensor scores, Tensor chosen, Tensor dWeights, @Nullable Tensor dScores, Tensor dLogits) {
        Tasks.requireFloats("Routing", scores, dWeights, dLogits);
        int experts = desc.experts();
        int topK = desc.topK();
        Tasks.rows(workers, scores.size(0), experts * 4L, (from, to, _) -> {
            float[] s = new float[experts];
            float[] ds = new float[experts];
            for (int t = from; t < to; t++) {
                copy(scores.memory(), t * scores.stride(0), s);
                if (dScores == null) {
                    Arrays.fill(ds, 0);
                } else {
                    copy(dScores.memory(), t * dScores.stride(0), ds);
                }
                addWeightGradients(desc, t, topK, chosen, dWeights, s, ds);
                float mean = 0;
                for (int e = 0; e < experts; e++) {
                    mean += ds[e] * s[e];
                }
                for (int e = 0; e < experts; e++) {
                    ds[e] = switch (desc.scoring()) {
                        case SIGMOID -> ds[e] * s[e] * (1 - s[e]);
                        case SOFTMAX -> s[e] * (ds[e] - mean);
                    };
                }
                Copies.floats(ds, 0, dLogits.memory(), t * dLogits.stride(0) * Float.BYTES, experts);
            }
        });
    }

    private static void addWeightGradients(
            Desc desc, int t, int topK, Tensor chosen, Tensor dWeights, float[] s, float[] ds) {
        float factor = (float) desc.factor();
        float sum = 1e-20f;
        float weighted = 0;
        for (int k = 0; k < topK; k++) {
            float score = s[chosen.getInt((long) t * topK + k)];
            sum += score;
            weighted += score * dWeights.memory().getAtIndex(FLOAT, (long) t * topK + k);
        }
        for (int k = 0; k < topK; k++) {
            float d = dWeights.memory().getAtIndex(FLOAT, (long) t * topK + k);
            ds[chosen.getInt((long) t * topK + k)] += factor * (desc.normalize() ? (d - weighted / sum) / sum : d);
        }
    }

    @Override
    protected void sort(Tensor chosen, Plan plan, Tensor load) {
        int experts = load.size(0);
        int slots = Math.toIntExact(chosen.elements());
        int[] next = new int[experts];
        for (int slot = 0; slot < slots; slot++) {
            next[chosen.getInt(slot)]++;
        }
        int row = 0;
        for (int e = 0; e < experts; e++) {
            int count = next[e];
            load.setInt(e, load.getInt(e) + count);
            plan.offsets().setInt(e, row);
            next[e] = row;
            row += count;
        }
        plan.offsets().setInt(experts, row);
        for (int slot = 0; slot < slots; slot++) {
            int to = next[chosen.getInt(slot)]++;
            plan.rowSlot().setInt(to, slot);
            plan.slotRow().setInt(slot, to);
        }
    }

    @Override
    protected void move(Tensor load, double gamma, Tensor bias) {
        int experts = load.size(0);
        long total = 0;
        for (int e = 0; e < experts; e++) {
            total += load.getInt(e);
        }
        for (int e = 0; e < experts; e++) {
            bias.set(e, bias.get(e) + gamma * Long.signum(total - (long) load.getInt(e) * experts));
        }
    }
}
