package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// The gate of a feed-forward layer: `out = silu(gate) * up`, `silu(x) = x / (1 + e^-x)` (N. Shazeer, 2020).
///
/// Gate and up lie side by side in one row, as one matmul with the fused weight gives them. Cost: memory traffic.
public abstract class Swiglu {
    protected Swiglu() {}

    /// @param gateUp `[tokens, 2 * n]`: gate in the first half of a row, up in the second
    /// @param out `[tokens, n]`, written
    public final void forward(Tensor gateUp, Tensor out) {
        check(gateUp, "gateUp", out, "out");
        if (out.elements() > 0) {
            activate(gateUp, out);
        }
    }

    /// @param gateUp `[tokens, 2 * n]`, the input of [#forward]
    /// @param dOut `[tokens, n]`
    /// @param dGateUp `[tokens, 2 * n]`, written; may be `gateUp`
    public final void backward(Tensor gateUp, Tensor dOut, Tensor dGateUp) {
        check(gateUp, "gateUp", dOut, "dOut");
        check(dGateUp, "dGateUp", dOut, "dOut");
        if (dOut.elements() > 0) {
            gradient(gateUp, dOut, dGateUp);
        }
    }

    private static void check(Tensor gateUp, String gateUpName, Tensor out, String outName) {
        Shape.require("Swiglu", out, outName, -1, -1);
        Shape.require("Swiglu", gateUp, gateUpName, out.dim(0), 2 * out.dim(1));
        Shape.requireRows("Swiglu", gateUp, gateUpName, out.dtype());
        Shape.requireRows("Swiglu", out, outName);
    }

    protected abstract void activate(Tensor gateUp, Tensor out);

    protected abstract void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp);
}
