package dev.wok.train;

import dev.wok.device.HostDevice;
import dev.wok.fabric.Fabric;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Training;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.nio.file.Path;

/// The model of a run as a rank has it: whole, or its share.
final class RunModel {
    private RunModel() {}

    /// @return in how many parts gradients are summed there: a GPU sums them as a whole
    static int parts(Settings settings, Kernels kernels) {
        return kernels.stream().device() instanceof HostDevice
                ? settings.batches().gradientParts()
                : 1;
    }

    private static boolean isWhole(Settings settings, Kernels kernels, Fabric fabric) {
        return fabric.size() == 1 && parts(settings, kernels) == 1;
    }

    static Model create(ModelConfig config, Settings settings, Kernels kernels, Fabric fabric) {
        long seed = settings.compute().seed();
        return isWhole(settings, kernels, fabric)
                ? Model.create(config, kernels, DType.F32, seed)
                : Model.create(config, kernels, DType.F32, seed, fabric);
    }

    /// The share that an order speaks of.
    static Model of(Order.Begin order, Settings settings, Kernels kernels, Fabric fabric, Progress progress) {
        return order.weights() == null
                ? create(Trainer.architecture(settings, order.bosId(), order.eosId()), settings, kernels, fabric)
                : load(order.weights(), settings, kernels, fabric, progress);
    }

    private static Model load(Path folder, Settings settings, Kernels kernels, Fabric fabric, Progress progress) {
        return isWhole(settings, kernels, fabric)
                ? Model.load(folder, kernels, DType.F32, progress)
                : Model.load(folder, kernels, DType.F32, fabric, progress);
    }

    /// @return how many threads compute on this rank: those of a machine are dealt to its ranks
    static int threads(Settings settings, Fabric fabric) {
        return Math.max(1, settings.compute().allThreads() / ranksHere(fabric));
    }

    /// @return how many ranks share this rank's machine, itself included
    static int ranksHere(Fabric fabric) {
        int[] machines = fabric.shape().machines();
        int here = 0;
        for (int machine : machines) {
            here += machine == machines[fabric.rank()] ? 1 : 0;
        }
        return here;
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
                parts(settings, kernels),
                takeTurns(settings, ranks));
    }

    /// @return whether two micro-batches take turns
    private static boolean takeTurns(Settings settings, int ranks) {
        return mayTakeTurns(settings, ranks)
                && settings.batches().batchSequences() > settings.batches().microBatchSequences();
    }

    /// @return whether two micro-batches take turns where a step has two
    static boolean mayTakeTurns(Settings settings, int ranks) {
        return ranks > 1 && !settings.run().overlap().equals("off");
    }
}
