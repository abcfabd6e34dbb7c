package dev.wok.train;

import dev.wok.device.DeviceName;
import dev.wok.device.HostDevice;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Fabric;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Sharing;
import dev.wok.model.Training;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// The model of a run as a rank has it: whole, or its share.
final class RunModel {
    private RunModel() {}

    /// @return in how many parts gradients are summed there: a GPU alone sums them as a whole
    private static int gradientParts(Settings settings, Kernels kernels, int ranks) {
        return ranks > 1 ? settings.batches().gradientParts() : resultParts(settings, kernels);
    }

    /// @return in how many parts a token's results of experts are summed there: a GPU's kernels add them one by one
    private static int resultParts(Settings settings, Kernels kernels) {
        return kernels.stream().device() instanceof HostDevice
                ? settings.batches().gradientParts()
                : 1;
    }

    private static boolean isWhole(Settings settings, Kernels kernels, Fabric fabric) {
        return fabric.size() == 1
                && gradientParts(settings, kernels, 1) == 1
                && !settings.run().roundsTokens();
    }

    /// @return what tokens travel as on their way to experts
    private static Payload dispatch(Settings settings) {
        return Payload.valueOf(settings.run().exchangePayload().toUpperCase(Locale.ROOT));
    }

    /// @return what results travel as on their way back: FP8 is too coarse for sums
    private static Payload combine(Settings settings) {
        return settings.run().roundsTokens() ? Payload.BF16 : Payload.F32;
    }

    /// @return whether the layers are dealt to ranks
    static boolean isPipeline(Settings settings) {
        return settings.run().pipelineRanks() > 1;
    }

    static Model create(ModelConfig config, Settings settings, Kernels kernels, Fabric fabric) {
        long seed = settings.compute().seed();
        return isWhole(settings, kernels, fabric)
                ? Model.create(config, kernels, DType.F32, seed)
                : Model.create(config, kernels, DType.F32, seed, sharing(settings, kernels, fabric));
    }

    private static Sharing sharing(Settings settings, Kernels kernels, Fabric fabric) {
        Sharing sharing = isPipeline(settings)
                ? Sharing.pipeline(fabric)
                : Sharing.among(fabric)
                        .withReplicas(expertReplicas(settings, fabric.size()))
                        .withPayloads(dispatch(settings), combine(settings));
        return sharing.withParts(resultParts(settings, kernels));
    }

    /// @return slots of a layer beyond one for each expert: an expert is of no use twice on a rank
    static int expertReplicas(Settings settings, int ranks) {
        long useful = (long) settings.architecture().nRoutedExperts() * (ranks - 1);
        return (int) Math.min(settings.balance().expertReplicas(), useful);
    }

    /// The share that an order speaks of.
    static Model of(Order.Begin order, Settings settings, Kernels kernels, Fabric fabric, Progress progress) {
        return order.weights() == null
                ? create(Trainer.architecture(settings, order.bosId(), order.eosId()), settings, kernels, fabric)
                : load(order.weights(), settings, kernels, fabric, places(order), progress);
    }

    /// @return where experts lay in the checkpoint that an order speaks of, if any
    static Optional<ExpertPlaces> places(Order.Begin order) {
        return order.weights() != null && order.resumed() ? ExpertPlaces.read(order.weights()) : Optional.empty();
    }

    private static Model load(
            Path folder,
            Settings settings,
            Kernels kernels,
            Fabric fabric,
            Optional<ExpertPlaces> places,
            Progress progress) {
        if (isWhole(settings, kernels, fabric)) {
            return Model.load(folder, kernels, DType.F32, progress);
        }
        Sharing sharing = sharing(settings, kernels, fabric)
                .withPlacements(places.map(ExpertPlaces::placements).orElse(List.of()));
        return Model.load(folder, kernels, DType.F32, sharing, progress);
    }

    /// @return how many threads compute on this rank: those of a machine are dealt to its ranks
    static int threads(Settings settings, Fabric fabric) {
        return Math.max(1, settings.compute().allThreads() / fabric.shape().beside(fabric.rank()));
    }

    /// @return how many of a machine's ranks compute on the device that this one computes on
    static int besideOnDevice(Settings settings, Fabric fabric) {
        int beside = fabric.shape().beside(fabric.rank());
        return settings.compute().hasEachGpu() ? Math.ceilDiv(beside, DeviceName.gpus()) : beside;
    }

    /// @return how this rank computes: ranks of a machine take its GPUs in turn where no GPU is named
    static Compute compute(Settings settings, Fabric fabric) {
        return settings.compute().hasEachGpu()
                ? settings.compute().onGpu(fabric.shape().place(fabric.rank()) % DeviceName.gpus())
                : settings.compute();
    }

    /// @param ranks that share the model
    static Training.Settings microBatch(Settings settings, Kernels kernels, int ranks) {
        Settings.Batches batches = settings.batches();
        return new Training.Settings(
                batches.microBatchSequences(),
                batches.sequenceLength(),
                settings.balance().mtpLossWeight(),
                settings.balance().balanceAlpha(),
                false,
                false,
                gradientParts(settings, kernels, ranks),
                atOnce(settings, ranks));
    }

    /// @return how many micro-batches are under way at once
    private static int atOnce(Settings settings, int ranks) {
        Settings.Batches batches = settings.batches();
        int steps = Math.ceilDiv(batches.batchSequences(), batches.microBatchSequences());
        return mayTakeTurns(settings, ranks) ? Math.min(steps, 3) : 1;
    }

    /// @return whether two micro-batches take turns where a step has two
    static boolean mayTakeTurns(Settings settings, int ranks) {
        return ranks > 1 && !isPipeline(settings) && !settings.run().overlap().equals("off");
    }
}
