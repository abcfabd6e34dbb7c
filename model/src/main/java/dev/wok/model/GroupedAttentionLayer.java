package dev.wok.model;

import dev.wok.kernel.Rotary;
import dev.wok.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Grouped-query attention (J. Ainslie et al., 2023) as Llama and Qwen have it: biases where the model
/// has them, each head of queries and keys normalised where it asks for that (Qwen3), halves of a head
/// rotated.
final class GroupedAttentionLayer implements AttentionLayer {
    private final GqaConfig gqa;
    private final int heads;
    private final double eps;
    private final double scale;

    GroupedAttentionLayer(ModelConfig config, GqaConfig gqa) {
        this.gqa = gqa;
        heads = config.numAttentionHeads();
        eps = config.rmsNormEps();
        scale = 1 / Math.sqrt(gqa.headDim());
    }

    /// @param x the layer's input, `[tokens, hidden]`
    /// @param inputs `[tokens, (heads + 2 kvHeads) * headDim]`: queries, keys, values
    /// @param qk `[tokens, heads + kvHeads, headDim]`, rotated; a part of `inputs` where nothing is normalised
    /// @param rstd of the norms, `[heads + kvHeads, tokens]`, or null
    /// @param out `[tokens, heads, headDim]`
    record Saved(
            Tensor x, Tensor inputs, Tensor qk, @Nullable Tensor rstd, Tensor out, Tensor lse)
            implements AttentionLayer.Saved {}

    private record Inputs(
            Tensor inputs, Tensor qk, @Nullable Tensor rstd) {}

    @Override
    public Saved forward(Pass p, Weights.Attention weights, Tensor x, Tensor y) {
        Weights.Grouped w = (Weights.Grouped) weights;
        Inputs in = inputs(p, w, x);
        Tensor out = p.tensor(p.tokens(), heads, gqa.headDim());
        Tensor lse = p.attend(queries(in.qk), keys(in.qk), values(in.inputs), scale, out);
        if (p.layerCache() == null) {
            output(p, w, out, y);
        } else {
            attend(p, w, in, p.layerCache(), y);
        }
        return new Saved(x, in.inputs, in.qk, in.rstd, out, lse);
    }

    private Inputs inputs(Pass p, Weights.Grouped w, Tensor x) {
        Tensor inputs = p.linear(x, w.qkv());
        if (w.qkvBias() != null) {
            p.kernels().elementwise().addBias(inputs, w.qkvBias());
        }
        Tensor qk = queriesAndKeys(inputs);
        Tensor rstd = null;
        if (w.qNorm() != null && w.kNorm() != null) {
            Tensor normed = p.tensor(p.tokens(), qk.dim(1), gqa.headDim());
            rstd = p.tensor(qk.dim(1), p.tokens());
            for (int head = 0; head < qk.dim(1); head++) {
                Tensor weight = head < heads ? w.qNorm() : w.kNorm();
                p.kernels()
                        .rmsNorm()
                        .forward(qk.select(1, head), weight, eps, normed.select(1, head), rstd.select(0, head));
            }
            qk = normed;
        }
        AttentionLayer.rotate(p, qk, Rotary.Pairing.HALVES, false);
        return new Inputs(inputs, qk, rstd);
    }

    private void output(Pass p, Weights.Grouped w, Tensor out, Tensor y) {
        p.kernels().matmul().linear(AttentionLayer.flat(p, out), w.o(), y, false);
        if (w.oBias() != null) {
            p.kernels().elementwise().addBias(y, w.oBias());
        }
    }

    @Override
    public void extend(Pass p, Weights.Attention weights, Tensor x, Tensor cache, Tensor y) {
        Weights.Grouped w = (Weights.Grouped) weights;
        attend(p, w, inputs(p, w, x), cache, y);
    }

    private void attend(Pass p, Weights.Grouped w, Inputs in, Tensor cache, Tensor y) {
        Tensor rows = cache.swap(1, 2);
        Tensor cachedKeys = rows.slice(2, 0, gqa.numKeyValueHeads());
        Tensor cachedValues = rows.slice(2, gqa.numKeyValueHeads(), 2L * gqa.numKeyValueHeads());
        p.keep(keys(in.qk), cachedKeys);
        p.keep(values(in.inputs), cachedValues);
        Tensor out = p.tensor(p.tokens(), heads, gqa.headDim());
        p.kernels()
                .cachedAttention()
                .forward(queries(in.qk), cachedKeys, cachedValues, p.pages(), p.positions(), scale, out);
        output(p, w, out, y);
    }

    @Override
    public void backward(
            Pass p,
            Weights.Attention weights,
            Weights.Attention gradients,
            AttentionLayer.Saved saved,
            Tensor dy,
            Tensor dx) {
        Weights.Grouped w = (Weights.Grouped) weights;
        Weights.Grouped g = (Weights.Grouped) gradients;
        Saved s = (Saved) saved;
        try (var _ = p.workspace().scope()) {
            if (g.oBias() != null) {
                p.biasGradient(dy, g.oBias());
            }
            Tensor dOut = p.tensor(p.tokens(), heads, gqa.headDim());
            p.linearBackward(AttentionLayer.flat(p, s.out), w.o(), dy, AttentionLayer.flat(p, dOut), false, g.o());
            Tensor dInputs = p.rows(gqa.inputDim(heads));
            Tensor dqk = s.rstd == null ? queriesAndKeys(dInputs) : p.tensor(p.tokens(), s.qk.dim(1), gqa.headDim());
            p.attendBackward(
                    queries(s.qk),
                    keys(s.qk),
                    values(s.inputs),
                    scale,
                    s.out,
                    s.lse,
                    dOut,
                    queries(dqk),
                    keys(dqk),
                    values(dInputs));
            AttentionLayer.rotate(p, dqk, Rotary.Pairing.HALVES, true);
            if (s.rstd != null) {
                normsBackward(p, w, g, queriesAndKeys(s.inputs), s.rstd, dqk, queriesAndKeys(dInputs));
            }
            if (g.qkvBias() != null) {
                p.biasGradient(dInputs, g.qkvBias());
            }
            p.linearBackward(s.x, w.qkv(), dInputs, dx, false, g.qkv());
        }
    }

    private void normsBackward(
            Pass p, Weights.Grouped w, Weights.Grouped g, Tensor qk, Tensor rstd, Tensor dNormed, Tensor dqk) {
        for (int head = 0; head < qk.dim(1); head++) {
            boolean query = head < heads;
            p.normBackward(
                    qk.select(1, head),
                    Objects.requireNonNull(query ? w.qNorm() : w.kNorm()),
                    rstd.select(0, head),
                    dNormed.select(1, head),
                    dqk.select(1, head),
                    false,
                    Objects.requireNonNull(query ? g.qNorm() : g.kNorm()));
        }
    }

    /// @param inputs `[tokens, (heads + 2 kvHeads) * headDim]`
    private Tensor queriesAndKeys(Tensor inputs) {
        return inputs.split(1, gqa.headDim()).slice(1, 0, heads + (long) gqa.numKeyValueHeads());
    }

    private Tensor queries(Tensor qk) {
        return qk.slice(1, 0, heads);
    }

    private Tensor keys(Tensor qk) {
        return qk.slice(1, heads, heads + (long) gqa.numKeyValueHeads());
    }

    private Tensor values(Tensor inputs) {
        int before = heads + gqa.numKeyValueHeads();
        return inputs.split(1, gqa.headDim()).slice(1, before, before + (long) gqa.numKeyValueHeads());
    }
}
