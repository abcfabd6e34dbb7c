package dev.wok.bench;

import dev.wok.device.Gpu;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.model.Batch;
import dev.wok.model.Cache;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Storage;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.train.Flops;
import dev.wok.train.Settings;
import dev.wok.train.Trainer;
import dev.wok.train.TrainingStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/// Whole models on a GPU: training steps against what its tensor cores reach, tokens one after the other against what
/// reading their weights takes.
final class GpuModelBench {
    /// The preset of a thousand million parameters, of which 250 million work on a token.
    static final String LARGE = "moe-1b";

    private static final Map<String, String> LARGE_SETTINGS = Map.ofEntries(
            Map.entry("vocab_size", "32000"),
            Map.entry("hidden_size", "1024"),
            Map.entry("intermediate_size", "4096"),
            Map.entry("moe_intermediate_size", "704"),
            Map.entry("num_hidden_layers", "14"),
            Map.entry("num_attention_heads", "16"),
            Map.entry("q_lora_rank", "0"),
            Map.entry("kv_lora_rank", "512"),
            Map.entry("qk_nope_head_dim", "64"),
            Map.entry("qk_rope_head_dim", "64"),
            Map.entry("v_head_dim", "64"),
            Map.entry("n_routed_experts", "32"),
            Map.entry("n_shared_experts", "1"),
            Map.entry("num_experts_per_tok", "4"),
            Map.entry("sequence_length", "2048"),
            Map.entry("batch_sequences", "16"),
            Map.entry("micro_batch_sequences", "16"),
            Map.entry("max_position_embeddings", "4096"));

    private static final int BOTH_WAYS = 2;

    private GpuModelBench() {}

    /// @return the settings of a preset, or of [#LARGE]
    static Settings settings(String preset) {
        return preset.equals(LARGE) ? Settings.of("small", LARGE_SETTINGS) : Settings.preset(preset);
    }

    /// Forward, backward, clipping, AdamW and bias move, on random tokens.
    ///
    /// @param steps that are timed, after as many that are not
    static List<Row> train(Gpu gpu, String preset, Settings settings, int steps, GpuSizes sizes, Progress progress) {
        ModelConfig config = Trainer.architecture(settings, 0, 1);
        Batch batch = TrainBench.random(settings.batches(), config.vocabSize());
        Kernels kernels = Kernels.on(gpu.stream(), Kernels.fastest(gpu), Precision.BF16);
        GpuLimits limits = new GpuLimits(gpu, sizes);
        double[] seconds = new double[steps];
        try (limits;
                Progress.Task task = progress.start("measuring " + preset, BOTH_WAYS * (long) steps, "steps");
                Model model = Model.create(config, kernels, DType.F32, 1);
                TrainingStep step = Trainer.step(model, settings)) {
            for (int i = 0; i < BOTH_WAYS * steps; i++) {
                long begin = System.nanoTime();
                step.run(List.of(batch), i + 1L, 1e-4, 1e-3);
                if (i >= steps) {
                    seconds[i - steps] = (System.nanoTime() - begin) * 1e-9;
                }
                task.advance(1);
            }
            double flops = Flops.perTrainedToken(config, settings.batches().sequenceLength());
            double tokens = batch.tokens().length / Repeats.median(seconds, steps);
            double peak = limits.compute().best();
            Setup setup = GpuBench.setup(gpu);
            return List.of(
                    Row.of(
                            "train_" + preset,
                            tokens * flops * 1e-12,
                            "TFLOP/s",
                            limits.compute().text(),
                            peak,
                            setup),
                    Row.of(
                            "train.%s.tokens_per_second".formatted(preset),
                            tokens,
                            "tokens/s",
                            "the same at " + limits.compute().text(),
                            peak * 1e12 / flops,
                            setup));
        }
    }

    /// One text: a prompt is read, and tokens are computed one after the other, each the likeliest.
    ///
    /// @param reads tokens of the prompt
    /// @param tokens that are computed
    static List<Row> generate(Gpu gpu, Model model, int reads, int tokens, GpuSizes sizes, Progress progress) {
        double[] prefill = new double[sizes.repeats()];
        double[] decode = new double[sizes.repeats()];
        int[] prompt = IntStream.range(0, reads)
                .map(i -> i * 7919 % model.config().vocabSize())
                .toArray();
        try (GpuLimits limits = new GpuLimits(gpu, sizes);
                Progress.Task task = progress.start("generating", sizes.repeats() + 1L, "times")) {
            for (int i = -1; i < sizes.repeats(); i++) {
                try (Cache cache = model.cache(reads + tokens)) {
                    long begin = System.nanoTime();
                    int next = likeliest(model.extend(cache, prompt));
                    long read = System.nanoTime();
                    for (int t = 0; t < tokens; t++) {
                        next = likeliest(model.extend(cache, next));
                    }
                    if (i >= 0) {
                        prefill[i] = (read - begin) * 1e-9;
                        decode[i] = (System.nanoTime() - read) * 1e-9;
                    }
                }
                task.advance(1);
            }
            double bytes = model.bytesPerToken();
            String weights = model.storage().matrices().name().toLowerCase(Locale.ROOT);
            double operations = 2.0 * model.config().activeMatmulParameters();
            Setup setup = GpuBench.setup(gpu);
            List<Row> rows = new ArrayList<>();
            rows.add(Row.of(
                    "prefill_%d_%s".formatted(reads, weights),
                    reads / Repeats.median(prefill, prefill.length),
                    "tokens/s",
                    "its products at " + limits.compute().text(),
                    limits.compute().best() * 1e12 / operations,
                    setup));
            rows.add(Row.of(
                    "decode_%d_%s".formatted(tokens, weights),
                    tokens / Repeats.median(decode, decode.length),
                    "tokens/s",
                    "its weights at " + limits.copy().text(),
                    limits.copy().best() * 1e9 / bytes,
                    setup));
            return rows;
        }
    }

    /// A model of random weights in bf16, or as it is asked for.
    static Model drawn(Gpu gpu, String preset, Storage storage, Progress progress) {
        Kernels kernels = Kernels.on(gpu.stream(), Kernels.fastest(gpu), Precision.BF16);
        return Model.drawn(Shapes.named(preset), 1, kernels, storage, progress);
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }
}
