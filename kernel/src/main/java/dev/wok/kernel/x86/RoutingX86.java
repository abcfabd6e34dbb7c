package dev.wok.kernel.x86;

import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.Vec;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/* Scores are machine code; the choice among a token's few hundred branches on each of them: plain loops, tokens spread
 * over the workers.
 */
final class RoutingX86 extends Routing {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final String OP = "Routing";
    private static final int COST_OF_A_SCORE = 32;

    private final Workers workers;
    private final Arguments results;
    private final Program sigmoid;
    private final Program measure;
    private final Program exponentials;

    RoutingX86(Programs programs) {
        workers = programs.device().workers();
        results = new Arguments(programs.device());
        sigmoid = programs.get(Scoring.SIGMOID, RoutingX86::writeSigmoid);
        measure = Softmax.measure(programs, Softmax.Accuracy.EXACT);
        exponentials = Softmax.exponentials(programs, Softmax.Accuracy.EXACT);
    }

    private static void writeSigmoid(Lanes lanes) {
        lanes.each(RAX, RDX, R10, 2, copy -> {
            Vec value = lanes.v(3 * copy);
            lanes.load(value, lanes.at(RDI, RAX, copy));
            lanes.sigmoid(value, lanes.v(3 * copy + 1), lanes.v(3 * copy + 2));
            lanes.store(lanes.at(RSI, RAX, copy), value);
        });
        lanes.end();
    }

    @Override
    protected void choose(
            Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights) {
        Span in = Span.read(OP, logits);
        Span out = Span.written(OP, scores);
        Span picks = Span.written(OP, chosen, DType.I32);
        Span factors = Span.written(OP, weights);
        int experts = desc.experts();
        int topK = desc.topK();
        float[] shift = bias == null ? new float[experts] : bias.toFloats();
        Tasks.rows(workers, logits.size(0), (long) experts * COST_OF_A_SCORE, (from, to, worker) -> {
            float[] s = new float[experts];
            float[] choice = new float[experts];
            float[] group = new float[desc.groups()];
            int[] best = new int[topK];
            int[] bestGroups = new int[desc.topkGroup()];
            for (int t = from; t < to; t++) {
                score(desc.scoring(), in.row(t), out.row(t), experts, worker);
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
        Span.keep(in, out, picks, factors);
    }

    private static void copy(MemorySegment from, long element, float[] to) {
        MemorySegment.copy(from, FLOAT, element * Float.BYTES, to, 0, to.length);
    }

    private void score(Scoring scoring, long logits, long scores, int experts, int worker) {
        switch (scoring) {
            case SIGMOID -> sigmoid.call(logits, scores, experts);
            case SOFTMAX -> {
                measure.call(logits, experts, results.address(worker));
                float max = results.result(worker, 0);
                float share = 1 / results.result(worker, 1);
                exponentials.call(logits, scores, experts, Arguments.bits(max), Arguments.bits(share));
            }
        }
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
        Span.read(OP, scores);
        Span.read(OP, dWeights);
        Span.written(OP, dLogits);
        if (dScores != null) {
            Span.read(OP, dScores);
        }
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
                MemorySegment.copy(ds, 0, dLogits.memory(), FLOAT, t * dLogits.stride(0) * Float.BYTES, experts);
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
