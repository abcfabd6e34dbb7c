package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.device.HostDevice;
import dev.wok.device.Mirrors;
import dev.wok.fabric.Exchange;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.GpuPeers;
import dev.wok.fabric.Placement;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.PartSums;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The ranks that share a model, and which of its routed experts this one holds.
///
/// @param fabric a group of one where memory is measured
/// @param rank this one
/// @param size how many there are
/// @param measures whether nothing travels
/// @param dispatch what tokens travel as on their way to experts
/// @param combine what results travel as on their way back
/// @param parts in how many parts a token's results are summed
/// @param replicas slots of a layer beyond one for each expert
/// @param placements where experts lie at first, see [Sharing]
/// @param stages how the layers are dealt to ranks, each of which has its layers' experts all; null
///     where each rank has all layers
/// @param place this rank's among those of the stages, 0 where there are none
record Ranks(
        Fabric fabric,
        int rank,
        int size,
        boolean measures,
        Payload dispatch,
        Payload combine,
        int parts,
        int replicas,
        List<Placement> placements,
        @Nullable Stages stages,
        int place) {
    private static final Ranks ALONE = group(Sharing.among(Fabric.alone()));

    /// @return one that has a model for itself
    static Ranks alone() {
        return ALONE;
    }

    /// @throws BadInput where a pipeline has fewer layers than two for each rank
    static Ranks of(Sharing sharing, ModelConfig config) {
        return sharing.pipeline()
                ? pipeline(sharing, Stages.of(config, sharing.fabric().size()))
                : group(sharing);
    }

    private static Ranks group(Sharing sharing) {
        Fabric fabric = sharing.fabric();
        return new Ranks(
                fabric,
                fabric.rank(),
                fabric.size(),
                false,
                sharing.dispatch(),
                sharing.combine(),
                sharing.parts(),
                sharing.expertReplicas(),
                sharing.placements(),
                null,
                0);
    }

    private static Ranks pipeline(Sharing sharing, Stages stages) {
        Fabric fabric = sharing.fabric();
        Payload exact = Payload.F32;
        return new Ranks(fabric, 0, 1, false, exact, exact, sharing.parts(), 0, List.of(), stages, fabric.rank());
    }

    /// @return a rank of a pipeline, on a dry device
    static Ranks dry(Stages stages, int place) {
        return new Ranks(ALONE.fabric, 0, 1, true, Payload.F32, Payload.F32, 1, 0, List.of(), stages, place);
    }

    /// @return the first of so many, which has the most experts, on a dry device
    static Ranks dry(int size, int replicas) {
        return new Ranks(ALONE.fabric, 0, size, true, Payload.F32, Payload.F32, 1, replicas, List.of(), null, 0);
    }

    /// @param layer those of multi-token prediction follow the main model's
    /// @return whether a layer lies here
    boolean has(int layer) {
        return stages == null || stages.rankOfLayer(layer) == place;
    }

    /// @return whether the embedding, the head and multi-token prediction lie here
    boolean hasEnds() {
        return place == 0;
    }

    /// @return whether others hold experts of the layers that are here
    boolean share() {
        return size > 1;
    }

    /// @return whether tokens go to their experts through an exchange: to other ranks, or rounded
    ///     as if they did
    boolean exchange() {
        return share() || dispatch != Payload.F32 || combine != Payload.F32;
    }

    /// @throws BadInput where there are fewer routed experts than ranks
    void require(ModelConfig config, Device device, DType dtype) {
        if (exchange() && dtype != DType.F32) {
            throw new BadInput("tokens go to experts of other ranks in float32 alone, not in %s.".formatted(dtype));
        }
        if (stages != null && !(device instanceof HostDevice && dtype == DType.F32)) {
            throw new BadInput("a pipeline's ranks compute in float32 on the processor, not in %s on %s."
                    .formatted(dtype, device.describe()));
        }
        MoeConfig moe = config.moe();
        if (moe != null && moe.nRoutedExperts() < size) {
            throw new BadInput(
                    "%d ranks cannot share %d routed experts, expected one or more for each; use fewer ranks."
                            .formatted(size, moe.nRoutedExperts()));
        }
    }

    /// @return how many experts this rank has room for in a layer
    int slots(MoeConfig moe) {
        return inOrder(moe).slots()[rank].length;
    }

    /// @param number of the layer, counted among those with experts
    /// @return where its experts lie at first
    Placement first(MoeConfig moe, int number) {
        Placement inOrder = inOrder(moe);
        return number < placements.size() && placements.get(number).isAlike(inOrder) ? placements.get(number) : inOrder;
    }

    private Placement inOrder(MoeConfig moe) {
        return Placement.even(moe.nRoutedExperts(), size, replicas);
    }

    /// @param kernels that the model runs on
    /// @return what sums results in parts where they do not go through an exchange that does, or null
    @Nullable
    PartSums partSums(ModelConfig config, Kernels kernels) {
        MoeConfig moe = config.moe();
        boolean byKernels = parts == 1 || exchange() || !kernels.experts().addsRowByRow();
        if (moe == null || byKernels || !(kernels.stream().device() instanceof HostDevice host)) {
            return null;
        }
        return new PartSums(host, Placement.even(moe.nRoutedExperts(), parts).rankOf(), config.hiddenSize());
    }

    /// @param hidden width of a token
    /// @param mirrors of the device that computes
    /// @param peers of [#peers]
    Exchange exchange(int hidden, MoeConfig moe, Placement placement, Mirrors mirrors, @Nullable GpuPeers peers) {
        if (measures) {
            return new DryExchange(size, slots(moe));
        }
        return fabric.exchange(
                new Exchange.Desc(hidden, moe.numExpertsPerTok(), placement, parts, dispatch, combine), mirrors, peers);
    }

    /// Finds out, together with all ranks, whether tokens go from GPU to GPU.
    ///
    /// @return null where they go through memory of the host, or nowhere
    @Nullable
    GpuPeers peers(ModelConfig config, Device device) {
        boolean travels = exchange() && !measures && config.moe() != null;
        return travels && device instanceof Gpu gpu
                ? GpuPeers.of(fabric, gpu, dispatch, combine).orElse(null)
                : null;
    }
}
