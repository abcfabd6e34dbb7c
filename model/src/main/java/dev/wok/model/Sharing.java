package dev.wok.model;

import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import java.util.List;

/// How a model is shared among ranks.
///
/// @param fabric all of whose ranks share it; stays the caller's
/// @param dispatch what tokens travel as on their way to experts, and gradients of results
/// @param combine what results travel as on their way back, and gradients of tokens
/// @param parts in how many parts a token's results are summed, wherever experts lie; as many as ranks let
///     least travel. In as many parts any number of ranks computes the same bits
/// @param expertReplicas slots of a layer, over all ranks, beyond one for each routed expert
/// @param placements where experts lie at first, as [Model#placements]. A layer's that is missing, or
///     does not fit the ranks and their slots, is in order
/// @param pipeline whether the layers are dealt to the ranks, in float32, instead of experts: each rank
///     has two stages of a pipeline, as [dev.wok.fabric.DualPipe#vShape] counts them, and rank 0 has
///     the embedding, the head and multi-token prediction; what is said of experts does not count then
public record Sharing(
        Fabric fabric,
        Payload dispatch,
        Payload combine,
        int parts,
        int expertReplicas,
        List<Placement> placements,
        boolean pipeline) {
    public Sharing {
        placements = List.copyOf(placements);
    }

    /// Tokens travel as they are, are summed in one part, and each expert lies on one rank, neighbours together.
    public static Sharing among(Fabric fabric) {
        return new Sharing(fabric, Payload.F32, Payload.F32, 1, 0, List.of(), false);
    }

    /// @return the same with results summed in so many parts
    public Sharing withParts(int parts) {
        return new Sharing(fabric, dispatch, combine, parts, expertReplicas, placements, pipeline);
    }

    /// @return the same with more slots than experts
    public Sharing withReplicas(int expertReplicas) {
        return new Sharing(fabric, dispatch, combine, parts, expertReplicas, placements, pipeline);
    }

    /// @return the same with other payloads
    public Sharing withPayloads(Payload dispatch, Payload combine) {
        return new Sharing(fabric, dispatch, combine, parts, expertReplicas, placements, pipeline);
    }

    /// @return the same with experts elsewhere
    public Sharing withPlacements(List<Placement> placements) {
        return new Sharing(fabric, dispatch, combine, parts, expertReplicas, placements, pipeline);
    }

    /// Each rank has some of the layers. Results are summed in one part.
    public static Sharing pipeline(Fabric fabric) {
        return new Sharing(fabric, Payload.F32, Payload.F32, 1, 0, List.of(), true);
    }
}
