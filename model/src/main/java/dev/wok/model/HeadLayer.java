package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Gpu;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

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
    /// @param dHead accumulated into; null where [#weightGradient] does that later
    static void lossesAndGradients(
            Pass p,
            Weight head,
            @Nullable Weight dHead,
            Tensor normed,
            Tensor targets,
            double factor,
            Tensor losses,
            Tensor dNormed) {
        eachChunk(p, head, normed, targets, factor, losses, (part, from, to, dLogits) -> {
            p.kernels().matmul().linearInput(dLogits, Weights.dense(head), dNormed.slice(0, from, to), false);
            if (dHead != null) {
                Tensor sum = p.parts().of(part, Weights.dense(dHead).value());
                p.kernels().matmul().linearWeight(dLogits, normed.slice(0, from, to), Weights.dense(head), sum);
            }
        });
    }

    /// What [#lossesAndGradients] adds to the head's gradient, from logits that are computed once more.
    ///
    /// @param dHead accumulated into
    static void weightGradient(Pass p, Weight head, Weight dHead, Tensor normed, Tensor targets, double factor) {
        Tensor losses = p.tensor(p.tokens());
        eachChunk(
                p,
                head,
                normed,
                targets,
                factor,
                losses,
                (part, from, to, dLogits) -> p.kernels()
                        .matmul()
                        .linearWeight(
                                dLogits,
                                normed.slice(0, from, to),
                                Weights.dense(head),
                                p.parts().of(part, Weights.dense(dHead).value())));
    }

    /// Something that is done with the gradient of some tokens' logits.
    private interface Chunk {
        /// @param dLogits `[to - from, vocab]`
        void with(int part, long from, long to, Tensor dLogits);
    }

    /// @param losses `[tokens]`, written
    private static void eachChunk(
            Pass p, Weight head, Tensor normed, Tensor targets, double factor, Tensor losses, Chunk work) {
        p.parts().each((part, first, end) -> {
            for (long from = first; from < end; from += CHUNK) {
                long to = Math.min(end, from + CHUNK);
                try (var _ = p.workspace().scope()) {
                    Tensor logits = logits(p, head, normed.slice(0, from, to));
                    p.kernels()
                            .crossEntropy()
                            .forwardBackward(logits, targets.slice(0, from, to), factor, losses.slice(0, from, to));
                    work.with(part, from, to, logits);
                }
            }
        });
    }

    /// @param dHead accumulated into
    private static void backward(Pass p, Tensor rows, Weight head, Tensor dLogits, Tensor dRows, Tensor dHead) {
        Dense dense = Weights.dense(head);
        p.kernels().matmul().linearInput(dLogits, dense, dRows, false);
        p.kernels().matmul().linearWeight(dLogits, rows, dense, dHead);
    }

    /// Shows a loss the logits of some rows, and takes their gradients further where they are wanted.
    ///
    /// @param rows of `normed`
    /// @param dHead accumulated into; null where no gradients are wanted
    /// @param dNormed `[tokens, hidden]`, written
    static void gradients(
            Pass p,
            Weight head,
            @Nullable Weight dHead,
            Tensor normed,
            int[] rows,
            LogitLoss loss,
            @Nullable Tensor dNormed) {
        if (dNormed != null) {
            p.kernels().elementwise().fill(dNormed, 0);
        }
        Device device = p.kernels().stream().device();
        for (int from = 0; from < rows.length; from += CHUNK) {
            int[] some = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + CHUNK));
            try (var _ = p.workspace().scope()) {
                Tensor here = p.workspace().tensor(DType.I32, some.length);
                device.upload(Tensor.of(some), here);
                Tensor picked = p.tensor(some.length, normed.dim(1));
                p.kernels().embedding().forward(here, normed, picked);
                Tensor logits = logits(p, head, picked);
                replace(device, loss, some, logits);
                if (dHead != null && dNormed != null) {
                    Tensor dPicked = p.tensor(some.length, normed.dim(1));
                    backward(
                            p,
                            picked,
                            head,
                            logits,
                            dPicked,
                            Weights.dense(dHead).value());
                    p.kernels().embedding().backward(here, dPicked, dNormed);
                }
            }
        }
    }

    private static void replace(Device device, LogitLoss loss, int[] rows, Tensor logits) {
        switch (device) {
            case HostDevice host -> {
                host.stream().synchronize();
                loss.gradient(rows, logits);
            }
            case Gpu gpu -> {
                Tensor host = Tensor.allocate(Arena.ofAuto(), logits.dtype(), logits.shape());
                gpu.download(logits, host);
                loss.gradient(rows, host);
                gpu.upload(host, logits);
            }
            case DryDevice _ -> {}
        }
    }

    private static Tensor logits(Pass p, Weight head, Tensor rows) {
        Tensor logits = p.tensor(rows.dim(0), head.dim(0));
        p.kernels().matmul().linear(rows, head, logits, false);
        return logits;
    }
}
