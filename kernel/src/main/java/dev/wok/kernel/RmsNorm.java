package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Root-mean-square normalisation of rows: `y = x / sqrt(mean(x^2) + eps) * w` (B. Zhang and R. Sennrich, 2019).
///
/// Rows may lie in a wider matrix (strided); a row's elements are adjacent. Cost: memory traffic, two passes of `x`.
public abstract class RmsNorm {
    protected RmsNorm() {}

    /// @param x `[tokens, n]`
    /// @param weight `[n]`
    /// @param eps added to the mean square
    /// @param y `[tokens, n]`, written; may be `x`
    /// @param rstd `[tokens]`, written: the factor `1 / sqrt(mean(x^2) + eps)` that [#backward] needs
    public final void forward(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd) {
        check(x, weight, rstd);
        Shape.require("RmsNorm", y, "y", x.dim(0), x.dim(1));
        Shape.requireRows("RmsNorm", y, "y", x.dtype());
        if (x.elements() > 0) {
            normalize(x, weight, eps, y, rstd);
        }
    }

    /// With `h = x * rstd`: `dw += sum_t dy * h`, `dx (+)= rstd * (dy * w - h * mean(dy * w * h))`.
    ///
    /// @param x `[tokens, n]`, the input of [#forward]
    /// @param weight `[n]`
    /// @param rstd `[tokens]`, from [#forward]
    /// @param dy `[tokens, n]`
    /// @param dx `[tokens, n]`, written, or added to where `accumulate`; neither `x` nor `dy`
    /// @param dWeight `[n]`, accumulated into
    public final void backward(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        check(x, weight, rstd);
        Shape.require("RmsNorm", dy, "dy", x.dim(0), x.dim(1));
        Shape.require("RmsNorm", dx, "dx", x.dim(0), x.dim(1));
        Shape.require("RmsNorm", dWeight, "dWeight", x.dim(1));
        Shape.requireRows("RmsNorm", dy, "dy", x.dtype());
        Shape.requireRows("RmsNorm", dx, "dx", x.dtype());
        Shape.requireRows("RmsNorm", dWeight, "dWeight");
        if (x.elements() > 0) {
            gradient(x, weight, rstd, dy, dx, accumulate, dWeight);
        }
    }

    private static void check(Tensor x, Tensor weight, Tensor rstd) {
        Shape.require("RmsNorm", x, "x", -1, -1);
        Shape.requireRows("RmsNorm", x, "x");
        Shape.require("RmsNorm", weight, "weight", x.dim(1));
        Shape.requireRows("RmsNorm", weight, "weight", x.dtype());
        Shape.require("RmsNorm", rstd, "rstd", x.dim(0));
        Shape.requireRows("RmsNorm", rstd, "rstd");
    }

    protected abstract void normalize(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd);

    protected abstract void gradient(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight);
}
