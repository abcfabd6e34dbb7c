package dev.wok.bench;

import dev.wok.bench.Loops.Kind;
import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Tuning;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.train.Flops;
import dev.wok.train.Settings;
import dev.wok.train.Trainer;
import dev.wok.train.TrainingStep;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Whole training steps of a preset's model on random tokens: forward, backward, clipping, AdamW, bias move.
final class TrainBench {
    private static final int WARM_UP = 6;
    private static final int STEPS = 9;
    private static final int PRODUCT = 2048;
    private static final int TRIES = 20;

    private TrainBench() {}

    static List<Row> run(String preset, Settings settings, int threads, @Nullable Backend backend, Progress progress) {
        ModelConfig config = Trainer.architecture(settings, 0, 1);
        Batch batch = random(settings.batches(), config.vocabSize());
        try (HostDevice device = Device.host(threads)) {
            Backend chosen = backend == null ? Kernels.fastest(device) : backend;
            Tuning.ensure(device, chosen, progress);
            Kernels kernels = Kernels.on(device.stream(), chosen, Kernels.usual(device, chosen));
            Processor processor = Processor.describe(device);
            Setup setup = Setup.of(kernels, processor, threads);
            Limits limits = Limits.of(device, processor, Sizes.FULL.memoryBytes());
            Limit limit = limits.products(Kind.of(kernels.precision()));
            double product;
            double[] seconds = new double[STEPS];
            double[] peaks = new double[STEPS];
            try (Progress.Task task = progress.start("measuring " + preset, WARM_UP + STEPS + 1, "steps");
                    Model model = Trainer.model(config, settings, kernels);
                    TrainingStep step = Trainer.step(model, settings)) {
                for (int i = 0; i < WARM_UP + STEPS; i++) {
                    double peak = limit.measure();
                    long begin = System.nanoTime();
                    step.run(List.of(batch), i + 1, 1e-4, 1e-3);
                    if (i >= WARM_UP) {
                        seconds[i - WARM_UP] = (System.nanoTime() - begin) * 1e-9;
                        peaks[i - WARM_UP] = peak;
                    }
                    task.advance(1);
                }
                product = matmul(kernels);
                task.advance(1);
            }
            double peak = Repeats.median(peaks, STEPS);
            double flops = Flops.perTrainedToken(config, settings.batches().sequenceLength());
            double tokens = batch.tokens().length / Repeats.median(seconds, STEPS);
            double reached = tokens * flops * 1e-9;
            String name = "train." + preset;
            String text = limit.text();
            return List.of(
                    Row.of("train_" + preset, reached, Work.GFLOPS, text, peak, setup),
                    Row.of(
                            name + ".tokens_per_second",
                            tokens,
                            "tokens/s",
                            "the same at " + text,
                            peak * 1e9 / flops,
                            setup),
                    Row.of(name + ".model_flops", reached, Work.GFLOPS, text, peak, setup),
                    Row.of(
                            name + ".share_of_matmul",
                            reached,
                            Work.GFLOPS,
                            "matmul of %d".formatted(PRODUCT),
                            product,
                            setup),
                    Row.of(
                            name + ".flops_per_token",
                            flops * 1e-6,
                            "MFLOP",
                            "6 x active matmul parameters",
                            6e-6 * config.activeMatmulParameters(),
                            setup),
                    Row.of(
                            kernels.precision() == Precision.BF16 ? "matmul.bf16" : "matmul.float32",
                            product,
                            Work.GFLOPS,
                            text,
                            peak,
                            setup));
        }
    }

    /// @return GFLOP/s of the best of several products `[n, n] [n, n]^T`
    private static double matmul(Kernels kernels) {
        try (Memory memory = kernels.stream().device().memory()) {
            Tensor a = Numbers.fill(memory.tensor(DType.F32, PRODUCT, PRODUCT), 1, 1);
            Tensor b = Numbers.fill(memory.tensor(DType.F32, PRODUCT, PRODUCT), 1, 2);
            Tensor c = memory.tensor(DType.F32, PRODUCT, PRODUCT);
            double best = 0;
            for (int i = 0; i < TRIES; i++) {
                long begin = System.nanoTime();
                kernels.matmul().nt(a, b, c, false);
                kernels.stream().synchronize();
                best = Math.max(best, 2.0 * PRODUCT * PRODUCT * PRODUCT / (System.nanoTime() - begin));
            }
            return best;
        }
    }

    static Batch random(Settings.Batches sizes, int vocabulary) {
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
