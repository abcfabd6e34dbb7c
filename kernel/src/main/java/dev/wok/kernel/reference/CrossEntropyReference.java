package dev.wok.kernel.reference;

import dev.wok.kernel.CrossEntropy;
import dev.wok.tensor.Tensor;
import java.util.Objects;

final class CrossEntropyReference extends CrossEntropy {
    @Override
    protected void measure(Tensor logits, Tensor targets, Tensor losses) {
        for (long t = 0; t < logits.dim(0); t++) {
            int target = targets.getInt(t);
            if (target < 0) {
                losses.set(t, 0);
                continue;
            }
            int own = Objects.checkIndex(target, logits.size(1));
            losses.set(t, logSum(logits, t) - logits.get(t * logits.stride(0) + own));
        }
    }

    @Override
    protected void replace(Tensor logits, Tensor targets, double factor, Tensor losses) {
        measure(logits, targets, losses);
        for (long t = 0; t < logits.dim(0); t++) {
            int target = targets.getInt(t);
            double logSum = logSum(logits, t);
            for (long v = 0; v < logits.dim(1); v++) {
                long at = t * logits.stride(0) + v;
                double p = Math.exp(logits.get(at) - logSum);
                logits.set(at, target < 0 ? 0 : (p - (v == target ? 1 : 0)) * factor);
            }
        }
    }

    private static double logSum(Tensor logits, long t) {
        double max = Double.NEGATIVE_INFINITY;
        for (long v = 0; v < logits.dim(1); v++) {
            max = Math.max(max, logits.get(t * logits.stride(0) + v));
        }
        double sum = 0;
        for (long v = 0; v < logits.dim(1); v++) {
            sum += Math.exp(logits.get(t * logits.stride(0) + v) - max);
        }
        return max + Math.log(sum);
    }
}
