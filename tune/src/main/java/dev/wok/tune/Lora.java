package dev.wok.tune;

import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.List;

/// Low-rank adapters on linears of a model (LoRA, E. Hu et al. 2021): `W = W0 + scale * B * A`, where
/// only A and B move. In memory, W is always the sum, so that a model under training generates at full
/// speed; files keep A and B apart, as PEFT does.
///
/// Names of linears are those of transformers 5, without `.weight`, such as
/// `model.layers.0.self_attn.q_proj`. Routed experts of a layer are two:
/// `model.layers.1.mlp.experts.gate_up_proj`, gate and up as one, and `down_proj`; each expert has an A
/// and a B of its own. Multi-token prediction is not adapted.
///
/// @param rank inner width of B * A, for each expert
/// @param alpha what `scale` is `rank` times of, or `sqrt(rank)` times where `rslora`
/// @param targets which linears: `all-linear` for all of attention, feed-forward parts and experts,
///     without the head and routers; `experts` for the routed ones; ends of names such as `q_proj` or
///     `shared_experts.up_proj`; or regular expressions for whole names. Experts' gate and up go
///     together: `gate_proj` beside `up_proj` is both
/// @param rslora whether `scale` is `alpha / sqrt(rank)` (D. Kalajdzievski 2023) instead of `alpha /
///     rank`
public record Lora(int rank, double alpha, List<String> targets, boolean rslora) {
    private static final int RANK_MOST = 1 << 16;

    /// @throws BadInput where the rank is not 1 to 65536, alpha no positive number, or nothing is
    ///     targeted
    public Lora {
        targets = List.copyOf(targets);
        if (rank < 1 || rank > RANK_MOST) {
            throw new BadInput("adapters of rank %d are asked for, expected 1 to %d.".formatted(rank, RANK_MOST));
        }
        if (!(alpha > 0) || !Double.isFinite(alpha)) {
            throw new BadInput("adapters with alpha %s are asked for, expected a positive number.".formatted(alpha));
        }
        if (targets.isEmpty()) {
            throw new BadInput("adapters are asked for on no linear; name some, such as all-linear.");
        }
    }

    /// @return the factor on B * A
    static double scale(int rank, double alpha, boolean rslora) {
        return alpha / (rslora ? Math.sqrt(rank) : rank);
    }

    /// Adds an adapter that PEFT or Wok wrote to a model's weights, which [Model#save] then writes
    /// merged.
    ///
    /// @param model loaded to train
    /// @param folder with adapter_config.json and adapter_model.safetensors
    /// @throws BadInput where they are missing, malformed, for another model or of a kind that is no
    ///     LoRA on linears
    public static void merge(Model model, Path folder) {
        Adapters.merge(model, folder);
    }
}
