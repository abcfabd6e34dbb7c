package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Softmax cross-entropy of rows of logits: `loss[t] = log(sum_v e^logits[t, v]) - logits[t, target]`.
///
/// A negative target is none: its loss and gradient are zero; one beyond the vocabulary is an
/// [IndexOutOfBoundsException]. Cost: one exponential per logit.
public abstract class CrossEntropy {
    protected CrossEntropy() {}

    /// @param logits `[tokens, vocab]`
    /// @param targets `[tokens]`, I32
    /// @param losses `[tokens]`, written, in nats
    public final void forward(Tensor logits, Tensor targets, Tensor losses) {
        check(logits, targets, losses);
        if (logits.elements() > 0) {
            measure(logits, targets, losses);
        }
    }

    /// As [#forward], and replaces the logits by the gradient `(softmax - onehot) * factor`, so that a large
    /// vocabulary is held once.
    ///
    /// @param logits `[tokens, vocab]`, overwritten
    /// @param factor on the gradient: one over the number of targets, usually
    public final void forwardBackward(Tensor logits, Tensor targets, double factor, Tensor losses) {
        check(logits, targets, losses);
        if (logits.elements() > 0) {
            replace(logits, targets, factor, losses);
        }
    }

    private static void check(Tensor logits, Tensor targets, Tensor losses) {
        Shape.require("CrossEntropy", logits, "logits", -1, -1);
        Shape.requireRows("CrossEntropy", logits, "logits");
        Shape.require("CrossEntropy", targets, "targets", logits.dim(0));
        Shape.requireRows("CrossEntropy", targets, "targets", DType.I32);
        Shape.require("CrossEntropy", losses, "losses", logits.dim(0));
        Shape.requireRows("CrossEntropy", losses, "losses");
    }

    protected abstract void measure(Tensor logits, Tensor targets, Tensor losses);

    protected abstract void replace(Tensor logits, Tensor targets, double factor, Tensor losses);
}
