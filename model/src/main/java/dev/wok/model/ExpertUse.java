package dev.wok.model;

import dev.wok.device.Memory;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How often each routed expert was chosen for what was read into caches. Passes add to counts on the
/// device, which nobody waits for; they go into wider ones on the host before they overflow.
final class ExpertUse {
    private final Kernels kernels;

    /// `[layers, experts]`, I32, on the device.
    private final Tensor counts;

    private final List<RouterLayer.Balance> balances = new ArrayList<>();

    /// What was counted before, `[layers, experts]`, without experts in a dense layer.
    private final long[][] before;

    /// Tokens since counts were moved: each chooses an expert once at most.
    private int tokens;

    ExpertUse(ModelConfig config, Kernels kernels, Memory memory) {
        this.kernels = kernels;
        MoeConfig moe = config.moe();
        int layers = config.numHiddenLayers();
        int experts = moe == null ? 0 : moe.nRoutedExperts();
        counts = memory.tensor(DType.I32, layers, Math.max(1, experts));
        before = new long[layers][];
        for (int i = 0; i < layers; i++) {
            Tensor load = counts.select(0, i);
            balances.add(RouterLayer.Balance.of(load));
            before[i] = new long[moe != null && config.isMoe(i) ? experts : 0];
        }
    }

    /// @return what a layer's choices are added to
    RouterLayer.Balance of(int layer) {
        return balances.get(layer);
    }

    /// Makes room for the choices of a pass that follows.
    void reads(int newTokens) {
        if (newTokens > Integer.MAX_VALUE - tokens) {
            move();
        }
        tokens += newTokens;
    }

    private void move() {
        int width = counts.size(1);
        int[] now = new int[Math.toIntExact(counts.elements())];
        kernels.stream().device().download(counts, Tensor.of(MemorySegment.ofArray(now), DType.I32, counts.shape()));
        kernels.elementwise().fill(counts, 0);
        tokens = 0;
        for (int layer = 0; layer < before.length; layer++) {
            for (int expert = 0; expert < before[layer].length; expert++) {
                before[layer][expert] += now[layer * width + expert];
            }
        }
    }

    /// @return `[layers, experts]`
    List<long[]> total() {
        move();
        return Arrays.stream(before).map(long[]::clone).toList();
    }
}
