package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.CrossEntropy;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

final class CrossEntropyVector extends CrossEntropy {
    private final Workers workers;

    CrossEntropyVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void measure(Tensor logits, Tensor targets, Tensor losses) {
        Tasks.requireFloats("CrossEntropy", logits, losses);
        int vocab = logits.size(1);
        Tasks.rows(workers, logits.size(0), 4L * vocab, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                int target = targets.getInt(t);
                long row = t * logits.stride(0);
                if (target < 0) {
                    losses.set(t, 0);
                    continue;
                }
                Objects.checkIndex(target, vocab);
                float max = max(logits.memory(), row, vocab);
                float sum = sumOfExponentials(logits.memory(), row, vocab, max);
                losses.set(t, max - logits.get(row + target) + Math.log(sum));
            }
        });
    }

    @Override
    protected void replace(Tensor logits, Tensor targets, double factor, Tensor losses) {
        Tasks.requireFloats("CrossEntropy", logits, losses);
        int vocab = logits.size(1);
        Tasks.rows(workers, logits.size(0), 4L * vocab, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                int target = targets.getInt(t);
                long row = t * logits.stride(0);
                if (target < 0) {
                    logits.memory()
                            .asSlice(row * Float.BYTES, (long) vocab * Float.BYTES)
                            .fill((byte) 0);
                    losses.set(t, 0);
                    continue;
                }
                Objects.checkIndex(target, vocab);
                float max = max(logits.memory(), row, vocab);
                double own = logits.get(row + target);
                float sum = replaceByExponentials(logits.memory(), row, vocab, max);
                losses.set(t, max - own + Math.log(sum));
                Rows.scale(logits.memory(), row, (float) (factor / sum), vocab);
                logits.set(row + target, logits.get(row + target) - factor);
            }
        });
    }

    private static float max(MemorySegment x, long row, int n) {
        FloatVector max = Lanes.broadcast(Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
            max = max.max(Lanes.load(x, row + i));
        }
        if (i < n) {
            VectorMask<Float> mask = Lanes.tail(i, n);
            max = max.blend(max.max(Lanes.load(x, row + i, mask)), mask);
        }
        return Lanes.max(max);
    }

    private static float sumOfExponentials(MemorySegment x, long row, int n, float max) {
        FloatVector sum = Lanes.zero();
        for (int i = 0; i < n; i += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(i, n);
            sum = sum.add(Lanes.exp(Lanes.load(x, row + i, mask).sub(max)), mask);
        }
        return Lanes.sum(sum);
    }

    private static float replaceByExponentials(MemorySegment x, long row, int n, float max) {
        FloatVector sum = Lanes.zero();
        for (int i = 0; i < n; i += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(i, n);
            FloatVector value = Lanes.exp(Lanes.load(x, row + i, mask).sub(max));
            Lanes.store(value, x, row + i, mask);
            sum = sum.add(value, mask);
        }
        return Lanes.sum(sum);
    }
}
