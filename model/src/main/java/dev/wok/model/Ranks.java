package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.fabric.Exchange;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;

/// The ranks that share a model, and which of its routed experts this one holds.
///
/// @param fabric a group of one where memory is measured
/// @param rank this one
/// @param size how many there are
/// @param measures whether nothing travels
/// @param dispatch what tokens travel as on their way to experts
/// @param combine what results travel as on their way back
record Ranks(Fabric fabric, int rank, int size, boolean measures, Payload dispatch, Payload combine) {
    private static final Ranks ALONE = of(Fabric.alone(), Payload.F32, Payload.F32);

    /// @return one that has a model for itself
    static Ranks alone() {
        return ALONE;
    }

    static Ranks of(Fabric fabric, Payload dispatch, Payload combine) {
        return new Ranks(fabric, fabric.rank(), fabric.size(), false, dispatch, combine);
    }

    /// @return the first of so many, which has the most experts, on a dry device
    static Ranks dry(int size) {
        return new Ranks(ALONE.fabric, 0, size, true, Payload.F32, Payload.F32);
    }

    /// @return whether others hold a part of the model
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
        if (exchange() && (!(device instanceof HostDevice) || dtype != DType.F32)) {
            throw new BadInput("tokens go to experts of other ranks in float32 on the processor alone, not in %s on %s."
                    .formatted(dtype, device.describe()));
        }
        MoeConfig moe = config.moe();
        if (moe != null && moe.nRoutedExperts() < size) {
            throw new BadInput(
                    "%d ranks cannot share %d routed experts, expected one or more for each; use fewer ranks."
                            .formatted(size, moe.nRoutedExperts()));
        }
    }

    /// @return the first expert of this rank; its others follow
    int firstExpert(MoeConfig moe) {
        return slots(moe)[0];
    }

    /// @return how many experts this rank has of a layer
    int experts(MoeConfig moe) {
        return slots(moe).length;
    }

    /// @return the rank of an expert
    int of(MoeConfig moe, int expert) {
        int[][] slots = placement(moe).slots();
        int rank = 0;
        while (slots[rank][slots[rank].length - 1] < expert) {
            rank++;
        }
        return rank;
    }

    private int[] slots(MoeConfig moe) {
        return placement(moe).slots()[rank];
    }

    private Placement placement(MoeConfig moe) {
        return Placement.even(moe.nRoutedExperts(), size);
    }

    /// @param hidden width of a token
    Exchange exchange(int hidden, MoeConfig moe) {
        return measures
                ? new DryExchange(experts(moe))
                : fabric.exchange(new Exchange.Desc(hidden, moe.numExpertsPerTok(), placement(moe), dispatch, combine));
    }
}
