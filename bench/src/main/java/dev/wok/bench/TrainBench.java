package dev.wok.bench;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.train.Flops;
import dev.wok.train.Settings;
import dev.wok.train.Trainer;
import dev.wok.train.TrainingStep;
import java.util.Arrays;
import java.util.List;

/// Whole training steps of a preset's model on random tokens: forward, backward, clipping, AdamW, bias move.
final class TrainBench {
    private static final int WARM_UP = 6;
    private static final int STEPS = 9;
    private static final int PRODUCT = 2048;

    private TrainBench() {}

    static List<Row> run(String preset, Settings settings, int threads, Progress progress) {
        ModelConfig config = Trainer.architecture(settings, 0, 1);
        Batch batch = random(settings.batches(), config.vocabSize());
        try (HostDevice device = Device.host(threads)) {
            Kernels kernels = Kernels.on(device.stream());
            double peak;
            double product;
            double[] seconds = new double[STEPS];
            try (Progress.Task task = progress.start("measuring " + preset, WARM_UP + STEPS + 2, "steps");
                    Model model = Model.create(config, kernels, DType.F32, 1);
                    TrainingStep step = Trainer.step(model, settings)) {
                for (int i = 0; i < WARM_UP + STEPS; i++) {
                    long begin = System.nanoTime();
                    step.run(List.of(batch), i + 1, 1e-4, 1e-3);
                    if (i >= WARM_UP) {
                        seconds[i - WARM_UP] = (System.nanoTime() - begin) * 1e-9;
                    }
                    task.advance(1);
                }
                peak = Peak.multiplyAdds(device);
                task.advance(1);
                product = Peak.matmul(kernels, PRODUCT);
                task.advance(1);
            }
            Arrays.sort(seconds);
            double flops = Flops.perTrainedToken(config, settings.batches().sequenceLength());
            double tokens = batch.tokens().length / seconds[STEPS / 2];
            String name = "train." + preset;
            String limit =
                    "float32 multiply-adds in registers, %d thread%s".formatted(threads, threads == 1 ? "" : "s");
            return List.of(
                    Row.of(name + ".tokens_per_second", tokens, "tokens/s", "the same at " + limit, peak * 1e9 / flops),
                    Row.of(name + ".model_flops", tokens * flops * 1e-9, "GFLOP/s", limit, peak),
                    Row.of(
                            name + ".share_of_matmul",
                            tokens * flops * 1e-9,
                            "GFLOP/s",
                            "float32 matmul of %d".formatted(PRODUCT),
                            product),
                    Row.of(
                            name + ".flops_per_token",
                            flops * 1e-6,
                            "MFLOP",
                            "6 x active matmul parameters",
                            6e-6 * config.activeMatmulParameters()),
                    Row.of("matmul.float32", product, "GFLOP/s", limit, peak));
        }
    }

    private static Batch random(Settings.Batches sizes, int vocabulary) {
        int length = sizes.sequenceLength();
        int tokens = sizes.microBatchSequences() * length;
        Rng rng = new Rng(1);
        int[] ids = new int[tokens];
        int[] targets = new int[tokens];
        int[] positions = new int[tokens];
        int[] keyStart = new int[tokens];
        for (int i = 0; i < tokens; i++) {
            ids[i] = rng.below(i, vocabulary);
            targets[i] = rng.below(i + 1, vocabulary);
            positions[i] = i % length;
            keyStart[i] = i / length * length;
        }
        return new Batch(sizes.microBatchSequences(), length, ids, targets, positions, keyStart);
    }
}
