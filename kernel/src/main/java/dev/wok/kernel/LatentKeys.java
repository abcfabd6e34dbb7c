package dev.wok.kernel;

import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Keys of multi-head latent attention, put together from their two parts: each head's own part without position,
/// and the rotated part that all heads share (DeepSeek-V2 §2.1).
///
/// Exact forward; backward sums over the heads in their order. Cost: memory traffic.
public abstract class LatentKeys {
    protected LatentKeys() {}

    /// `k[t, h] = [nope[t, h], rope[t]]`.
    ///
    /// @param nope `[tokens, heads, nopeDim]`, may be strided but for the last dimension
    /// @param rope `[tokens, ropeDim]`, rotated
    /// @param k `[tokens, heads, nopeDim + ropeDim]`, written
    public final void forward(Tensor nope, Tensor rope, Tensor k) {
        check(nope, "nope", rope, "rope", k, "k");
        if (k.elements() > 0) {
            join(nope, rope, k);
        }
    }

    /// `dNope[t, h] = dk[t, h, :nopeDim]`, `dRope[t] = sum_h dk[t, h, nopeDim:]`.
    ///
    /// @param dk `[tokens, heads, nopeDim + ropeDim]`
    /// @param dNope `[tokens, heads, nopeDim]`, written
    /// @param dRope `[tokens, ropeDim]`, written
    public final void backward(Tensor dk, Tensor dNope, Tensor dRope) {
        check(dNope, "dNope", dRope, "dRope", dk, "dk");
        if (dk.elements() > 0) {
            part(dk, dNope, dRope);
        }
    }

    private static void check(Tensor nope, String nopeName, Tensor rope, String ropeName, Tensor k, String kName) {
        Shape.require("LatentKeys", nope, nopeName, -1, -1, -1);
        Shape.require("LatentKeys", rope, ropeName, nope.dim(0), -1);
        Shape.require("LatentKeys", k, kName, nope.dim(0), nope.dim(1), nope.dim(2) + rope.dim(1));
        Shape.requireRows("LatentKeys", nope, nopeName, k.dtype());
        Shape.requireRows("LatentKeys", rope, ropeName, k.dtype());
        Shape.requireRows("LatentKeys", k, kName);
    }

    protected abstract void join(Tensor nope, Tensor rope, Tensor k);

    protected abstract void part(Tensor dk, Tensor dNope, Tensor dRope);
}
