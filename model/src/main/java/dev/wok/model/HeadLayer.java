package dev.wok.model;

import dev.wok.kernel.Weight;
import dev.wok.tensor.Tensor;

/// From hidden states to logits and their cross-entropy. The logits of a vocabulary are wide, so they exist for a
/// chunk of tokens at a time.
final class HeadLayer {
    private static final int CHUNK = 1024;

    private HeadLayer() {}

    /// The losses of all tokens.
    ///
    /// @param normed `[tokens, hidden]`
    /// @param targets `[tokens]`, I32
    /// @param losses `[tokens]`, written
    static void losses(Pass p, Weight head, Tensor normed, Tensor targets, Tensor losses) {
        for (long from = 0; from < p.tokens(); from += CHUNK) {
            long to = Math.min(p.tokens(), from + CHUNK);
            try (var _ = p.workspace().scope()) {
                Tensor logits = logits(p, head, normed.slice(0, from, to));
                p.kernels().crossEntropy().forward(logits, targets.slice(0, from, to), losses.slice(0, from, to));
            }
        }
    }

    /// The losses of all tokens and the gradients of their sum times a factor.
    ///
    /// @param dNormed `[tokens, hidden]`, written
    /// @param dHead accumulated into
    static void lossesAndGradients(
            Pass p,
            Weight head,
            Weight dHead,
            Tensor normed,
            Tensor targets,
            double factor,
            Tensor losses,
            Tensor dNormed) {
        for (long from = 0; from < p.tokens(); from += CHUNK) {
            long to = Math.min(p.tokens(), from + CHUNK);
            try (var _ = p.workspace().scope()) {
                Tensor rows = normed.slice(0, from, to);
                Tensor logits = logits(p, head, rows);
                p.kernels()
                        .crossEntropy()
                        .forwardBackward(logits, targets.slice(0, from, to), factor, losses.slice(0, from, to));
                p.linearBackward(rows, head, logits, dNormed.slice(0, from, to), false, dHead);
            }
        }
    }

    private static Tensor logits(Pass p, Weight head, Tensor rows) {
        Tensor logits = p.tensor(rows.dim(0), head.dim(0));
        p.kernels().matmul().linear(rows, head, logits, false);
        return logits;
    }
}
