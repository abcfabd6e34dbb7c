package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

final class AdamWVector extends AdamW {
    /// Elements whose squares are summed in float32 before they join the sum in double: a part of
    /// [#BLOCK].
    private static final int SUMMED = 4096;

    private final Workers workers;

    AdamWVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected double[] squares(Tensor gradient) {
        Tasks.requireFloats("AdamW", gradient);
        long elements = gradient.elements();
        double[] sums = new double[Math.toIntExact((elements + SUMMED - 1) / SUMMED)];
        int perTask = 16;
        workers.run((sums.length + perTask - 1) / perTask, (task, _) -> {
            for (int i = task * perTask; i < Math.min(sums.length, (task + 1) * perTask); i++) {
                long from = (long) i * SUMMED;
                int count = (int) Math.min(SUMMED, elements - from);
                sums[i] = Rows.dot(gradient.memory(), from, gradient.memory(), from, count);
            }
        });
        return sums;
    }

    @Override
    protected void norm(List<Tensor> gradients, double maxNorm, Tensor normAndClip) {
        double squares = 0;
        for (Tensor gradient : gradients) {
            for (double sum : squares(gradient)) {
                squares += sum;
            }
        }
        double norm = Math.sqrt(squares);
        normAndClip.set(0, norm);
        normAndClip.set(1, Math.min(1, maxNorm / (norm + 1e-6)));
    }

    @Override
    protected void apply(
            Step step, Tensor parameter, Tensor gradient, Tensor mean, Tensor meanSquare, Tensor normAndClip) {
        Tasks.requireFloats("AdamW", parameter, gradient, mean, meanSquare);
        Factors factors = new Factors(
                (float) normAndClip.get(1),
                (float) step.beta1(),
                (float) step.beta2(),
                (float) (1 - step.beta1()),
                (float) (1 - step.beta2()),
                (float) step.rate(),
                (float) step.root(),
                (float) step.eps(),
                (float) (1 - step.learningRate() * step.weightDecay()));
        ElementwiseVector.blocks(
                workers,
                parameter.elements(),
                (from, count) -> apply(
                        factors,
                        parameter.memory(),
                        gradient.memory(),
                        mean.memory(),
                        meanSquare.memory(),
                        from,
                        count));
    }

    private record Factors(
            float clip,
            float beta1,
            float beta2,
            float rest1,
            float rest2,
            float rate,
            float root,
            float eps,
            float decay) {}

    private static void apply(
            Factors f, MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, long from, int count) {
        for (int i = 0; i < count; i += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(i, count);
            long at = from + i;
            FloatVector gradient = Lanes.load(g, at, mask).mul(f.clip);
            FloatVector mean = Lanes.load(m, at, mask).mul(f.beta1).add(gradient.mul(f.rest1));
            FloatVector square = Lanes.load(v, at, mask)
                    .mul(f.beta2)
                    .add(gradient.mul(gradient).mul(f.rest2));
            FloatVector step = mean.mul(f.rate).div(square.sqrt().mul(f.root).add(f.eps));
            Lanes.store(mean, m, at, mask);
            Lanes.store(square, v, at, mask);
            Lanes.store(Lanes.load(p, at, mask).mul(f.decay).sub(step), p, at, mask);
        }
    }
}
