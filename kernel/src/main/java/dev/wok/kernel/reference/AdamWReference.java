package dev.wok.kernel.reference;

import dev.wok.kernel.AdamW;
import dev.wok.tensor.Tensor;
import java.util.List;

final class AdamWReference extends AdamW {
    @Override
    protected double[] squares(Tensor gradient) {
        double[] sums = new double[Math.toIntExact(Math.ceilDiv(gradient.elements(), BLOCK))];
        for (long i = 0; i < gradient.elements(); i++) {
            sums[(int) (i / BLOCK)] += gradient.get(i) * gradient.get(i);
        }
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
        double clip = normAndClip.get(1);
        double rate = step.learningRate() / (1 - Math.pow(step.beta1(), step.step()));
        double root = Math.sqrt(1 - Math.pow(step.beta2(), step.step()));
        for (long i = 0; i < parameter.elements(); i++) {
            double g = clip * gradient.get(i);
            mean.set(i, step.beta1() * mean.get(i) + (1 - step.beta1()) * g);
            meanSquare.set(i, step.beta2() * meanSquare.get(i) + (1 - step.beta2()) * g * g);
            double decayed = parameter.get(i) * (1 - step.learningRate() * step.weightDecay());
            parameter.set(i, decayed - rate * mean.get(i) / (Math.sqrt(meanSquare.get(i)) / root + step.eps()));
        }
    }
}
