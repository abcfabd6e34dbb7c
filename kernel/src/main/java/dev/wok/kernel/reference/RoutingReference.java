package dev.wok.kernel.reference;

import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

final class RoutingReference extends Routing {
    @Override
    protected void choose(
            Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights) {
        int experts = desc.experts();
        for (long t = 0; t < logits.dim(0); t++) {
            double[] s = new double[experts];
            for (int e = 0; e < experts; e++) {
                s[e] = logits.get(t * logits.stride(0) + e);
            }
            score(desc.scoring(), s);
            double[] choice = new double[experts];
            for (int e = 0; e < experts; e++) {
                scores.set(t * scores.stride(0) + e, s[e]);
                choice[e] = s[e] + (bias == null ? 0 : bias.get(e));
            }
            keepBestGroups(desc, choice);
            int[] best = descending(choice);
            double sum = 1e-20;
            for (int k = 0; k < desc.topK(); k++) {
                sum += s[best[k]];
            }
            for (int k = 0; k < desc.topK(); k++) {
                chosen.setInt(t * desc.topK() + k, best[k]);
                weights.set(t * desc.topK() + k, desc.factor() * s[best[k]] / (desc.normalize() ? sum : 1));
            }
        }
    }

    private static void score(Scoring scoring, double[] s) {
        switch (scoring) {
            case SIGMOID -> Arrays.setAll(s, e -> Numbers.sigmoid(s[e]));
            case SOFTMAX -> {
                double max = Arrays.stream(s).max().orElseThrow();
                double sum = Arrays.stream(s).map(x -> Math.exp(x - max)).sum();
                Arrays.setAll(s, e -> Math.exp(s[e] - max) / sum);
            }
        }
    }

    private static void keepBestGroups(Desc desc, double[] choice) {
        int size = desc.experts() / desc.groups();
        double[] group = new double[desc.groups()];
        for (int g = 0; g < group.length; g++) {
            double[] members = Arrays.copyOfRange(choice, g * size, (g + 1) * size);
            Arrays.sort(members);
            group[g] = desc.scoring() == Scoring.SIGMOID && size > 1
                    ? members[size - 1] + members[size - 2]
                    : members[size - 1];
        }
        int[] best = descending(group);
        for (int rank = desc.topkGroup(); rank < group.length; rank++) {
            Arrays.fill(choice, best[rank] * size, (best[rank] + 1) * size, Double.NEGATIVE_INFINITY);
        }
    }

    /// The indices by descending value, ties by ascending index.
    private static int[] descending(double[] values) {
        return IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
                .mapToInt(i -> i)
                .toArray();
    }

    @Override
    protected void gradient(
            Desc desc, Tensor scores, Tensor chosen, Tensor dWeights, @Nullable Tensor dScores, Tensor dLogits) {
        int experts = desc.experts();
        int topK = desc.topK();
        for (long t = 0; t < scores.dim(0); t++) {
            double[] ds = new double[experts];
            double sum = 1e-20;
            double weighted = 0;
            for (int k = 0; k < topK; k++) {
                double s = scores.get(t * scores.stride(0) + chosen.getInt(t * topK + k));
                sum += s;
                weighted += dWeights.get(t * topK + k) * s;
            }
            for (int k = 0; k < topK; k++) {
                double d = dWeights.get(t * topK + k);
                ds[chosen.getInt(t * topK + k)] =
                        desc.factor() * (desc.normalize() ? d / sum - weighted / (sum * sum) : d);
            }
            double mean = 0;
            for (int e = 0; e < experts; e++) {
                ds[e] += dScores == null ? 0 : dScores.get(t * dScores.stride(0) + e);
                mean += ds[e] * scores.get(t * scores.stride(0) + e);
            }
            for (int e = 0; e < experts; e++) {
                double s = scores.get(t * scores.stride(0) + e);
                dLogits.set(
                        t * dLogits.stride(0) + e,
                        switch (desc.scoring()) {
                            case SIGMOID -> ds[e] * s * (1 - s);
                            case SOFTMAX -> s * (ds[e] - mean);
                        });
            }
        }
    }

    @Override
    protected void sort(Tensor chosen, Plan plan, Tensor load) {
        int experts = load.size(0);
        long slots = chosen.elements();
        int row = 0;
        for (int e = 0; e < experts; e++) {
            plan.offsets().setInt(e, row);
            for (int slot = 0; slot < slots; slot++) {
                if (chosen.getInt(slot) == e) {
                    plan.rowSlot().setInt(row, slot);
                    plan.slotRow().setInt(slot, row++);
                }
            }
            load.setInt(e, load.getInt(e) + row - plan.offsets().getInt(e));
        }
        plan.offsets().setInt(experts, row);
    }

    @Override
    protected void move(Tensor load, double gamma, Tensor bias) {
        long experts = load.dim(0);
        long total = 0;
        for (long e = 0; e < experts; e++) {
            total += load.getInt(e);
        }
        for (long e = 0; e < experts; e++) {
            Numbers.add(bias, e, gamma * Long.signum(total - experts * load.getInt(e)));
        }
    }
}
