package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/// How near a model's routers come to another choice on given batches. The loss jumps where a choice changes, so
/// differences mean nothing across such a place.
final class Ties {
    private Ties() {}

    /// @return the smallest gap between a score that was taken and one that was not: of experts, of groups, and of the
    ///     unbiased scores that the balance loss counts
    static double smallestGap(Model model, List<Batch> batches) {
        ModelConfig config = model.config();
        MoeConfig moe = config.moe();
        if (moe == null) {
            return Double.POSITIVE_INFINITY;
        }
        double gap = Double.POSITIVE_INFINITY;
        try (Memory memory = model.kernels().stream().device().memory()) {
            Network network = network(model, memory);
            for (Batch batch : batches) {
                Workspace workspace = Workspace.of(memory, 1 << 22);
                Pass p = network.pass(workspace, batch.positions(), batch.keyStart());
                RouterLayer.Balance balance = network.unwatched(workspace);
                Network.Saved saved = network.forward(
                        p,
                        network.ints(workspace, batch.tokens()),
                        Collections.nCopies(config.numHiddenLayers(), balance));
                for (int i = 0; i < config.numHiddenLayers(); i++) {
                    gap = Math.min(
                            gap,
                            gap(
                                    moe,
                                    network.weights.layers.get(i),
                                    saved.saved().get(i)));
                }
                Tensor hidden = saved.normed();
                for (int k = 0; k < config.numNextnPredictLayers(); k++) {
                    Weights.Mtp w = network.weights.mtp.get(k);
                    Tensor ids = network.ints(workspace, batch.following(k + 1));
                    MtpLayer.Saved s = network.mtp(k).forward(p, w, network.weights.embedding, hidden, ids, balance);
                    gap = Math.min(gap, gap(moe, w.layer(), s.layer()));
                    hidden = s.h();
                }
            }
        }
        return gap;
    }

    /// A network of the model's own weights, copied.
    static Network network(Model model, Memory memory) {
        DType dtype = model.parameters().getFirst().value().dtype();
        Network network = new Network(model.config(), model.kernels(), memory, dtype);
        Device device = model.kernels().stream().device();
        network.weights.named().forEach((name, tensor) -> {
            Tensor host = Tensors.zeros(tensor.dtype(), tensor.shape());
            device.download(Objects.requireNonNull(model.tensors().get(name)), host);
            device.upload(host, tensor);
        });
        network.weights.changed();
        return network;
    }

    private static double gap(MoeConfig moe, Weights.Layer w, DecoderLayer.Saved saved) {
        if (!(w.feedForward() instanceof Weights.Moe weights)
                || !(saved.feedForward() instanceof DecoderLayer.FeedForwardSaved.Moe(var layer))) {
            return Double.POSITIVE_INFINITY;
        }
        Tensor scores = layer.router().scores();
        int experts = scores.size(1);
        double gap = Double.POSITIVE_INFINITY;
        for (long t = 0; t < scores.dim(0); t++) {
            double[] s = new double[experts];
            double[] c = new double[experts];
            for (int e = 0; e < experts; e++) {
                s[e] = scores.get(t * experts + e);
                c[e] = s[e] + (weights.bias() == null ? 0 : weights.bias().get(e));
            }
            gap = Math.min(gap, border(s, moe.numExpertsPerTok()));
            gap = Math.min(gap, chosenGap(moe, c));
        }
        return gap;
    }

    private static double chosenGap(MoeConfig moe, double[] choice) {
        int size = choice.length / moe.nGroup();
        double[] groups = new double[moe.nGroup()];
        for (int g = 0; g < groups.length; g++) {
            double[] members = Arrays.copyOfRange(choice, g * size, (g + 1) * size);
            Arrays.sort(members);
            boolean two = moe.scoringFunc() == Routing.Scoring.SIGMOID && size > 1;
            groups[g] = members[size - 1] + (two ? members[size - 2] : 0);
        }
        double[] ordered = groups.clone();
        Arrays.sort(ordered);
        double worstKept = ordered[groups.length - moe.topkGroup()];
        double[] left = new double[size * moe.topkGroup()];
        int n = 0;
        for (int g = 0; g < groups.length && n < left.length; g++) {
            if (groups[g] >= worstKept) {
                System.arraycopy(choice, g * size, left, n, size);
                n += size;
            }
        }
        return Math.min(border(groups, moe.topkGroup()), border(left, moe.numExpertsPerTok()));
    }

    private static double border(double[] values, int kept) {
        if (kept == values.length) {
            return Double.POSITIVE_INFINITY;
        }
        double[] ordered = values.clone();
        Arrays.sort(ordered);
        return ordered[values.length - kept] - ordered[values.length - kept - 1];
    }
}
