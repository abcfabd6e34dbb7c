package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/// The optimizer: Adam with decoupled weight decay and clipping by the global norm (I. Loshchilov and F. Hutter, 2019),
/// as PyTorch computes it.
///
/// `g' = clip * g`; `m = b1 m + (1 - b1) g'`; `v = b2 v + (1 - b2) g'^2`;
/// `p = p (1 - lr * decay) - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`. Cost: memory traffic of four
/// tensors.
public abstract class AdamW {
    /// @param learningRate of this step
    /// @param beta1 decay of the mean
    /// @param beta2 decay of the mean square
    /// @param eps added to the root
    /// @param weightDecay decoupled, times the learning rate
    /// @param step counts from 1
    public record Step(double learningRate, double beta1, double beta2, double eps, double weightDecay, long step) {
        /// @return the learning rate over what the mean lacks in the first steps: `lr / (1 - b1^t)`
        public double rate() {
            return learningRate / (1 - StrictMath.pow(beta1, step));
        }

        /// @return the same for the root of the mean square: `1 / sqrt(1 - b2^t)`
        public double root() {
            return 1 / Math.sqrt(1 - StrictMath.pow(beta2, step));
        }
    }

    /// Elements. The squares of so many from a multiple of it on are summed without regard to the
    /// others.
    public static final int BLOCK = 1 << 15;

    protected AdamW() {}

    /// The gradients' common norm and the factor that clips it, without the host in between. Float32 backends sum
    /// squares in float32: a norm beyond 1e19 is infinite.
    ///
    /// @param gradients contiguous
    /// @param maxNorm the largest norm that stays as it is
    /// @param normAndClip `[2]`, written: the norm before clipping, and `min(1, maxNorm / (norm + 1e-6))`
    public final void clip(List<Tensor> gradients, double maxNorm, Tensor normAndClip) {
        Shape.require("AdamW.clip", normAndClip, "normAndClip", 2);
        Shape.requireRows("AdamW.clip", normAndClip, "normAndClip");
        for (Tensor gradient : gradients) {
            Shape.requireContiguous("AdamW.clip", gradient, "a gradient");
        }
        norm(gradients, maxNorm, normAndClip);
    }

    /// The sums of squares that [#clip] adds up in order. The norm of gradients that lie in several
    /// places is the root of the sum of all their lists; they may be cut at multiples of [#BLOCK].
    ///
    /// @param gradients contiguous
    /// @return one or more for each block of each tensor
    public final double[] squares(List<Tensor> gradients) {
        for (Tensor gradient : gradients) {
            Shape.requireContiguous("AdamW.squares", gradient, "a gradient");
        }
        return gradients.stream()
                .flatMapToDouble(g -> Arrays.stream(squares(g)))
                .toArray();
    }

    /// Updates one parameter.
    ///
    /// @param parameter contiguous, updated
    /// @param gradient shaped as the parameter
    /// @param mean shaped as the parameter, updated
    /// @param meanSquare shaped as the parameter, updated
    /// @param normAndClip from [#clip]
    public final void update(
            Step step, Tensor parameter, Tensor gradient, Tensor mean, Tensor meanSquare, Tensor normAndClip) {
        Shape.require("AdamW.update", normAndClip, "normAndClip", 2);
        Shape.requireRows("AdamW.update", normAndClip, "normAndClip");
        Shape.requireContiguous("AdamW.update", parameter, "parameter");
        like(parameter, gradient, "gradient");
        like(parameter, mean, "mean");
        like(parameter, meanSquare, "meanSquare");
        if (parameter.elements() > 0) {
            apply(step, parameter, gradient, mean, meanSquare, normAndClip);
        }
    }

    private static void like(Tensor parameter, Tensor tensor, String name) {
        Shape.require("AdamW.update", tensor, name, parameter.shape());
        Shape.require("AdamW.update", tensor, name, parameter.dtype());
        Shape.requireContiguous("AdamW.update", tensor, name);
    }

    /// @return the sums of squares of a tensor, in order
    protected abstract double[] squares(Tensor gradient);

    protected abstract void norm(List<Tensor> gradients, double maxNorm, Tensor normAndClip);

    protected abstract void apply(
            Step step, Tensor parameter, Tensor gradient, Tensor mean, Tensor meanSquare, Tensor normAndClip);
}
