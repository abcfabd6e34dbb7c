package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.Training;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.train.Optimizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What Wok trained, loaded by PEFT, with the interpreter that `WOK_PYTHON` names, or `python3`: see
/// `src/test/python/adapter.py`.
@Tag("slow")
class LoraPeftTest {
    private static final String PYTHON = System.getenv().getOrDefault("WOK_PYTHON", "python3");

    private static final List<String> FAMILIES =
            List.of("deepseek_v3_tiny", "deepseek_v2_tiny", "qwen2_tiny", "llama_tiny", "qwen3_moe_tiny");

    /// Four layers of sums of a hundred and some float32 products, each good to 6e-8 of its size.
    private static final double FLOAT32 = 5e-6;

    @Test
    void hasTheSameLogits(@TempDir Path folder) throws IOException, InterruptedException {
        assumeTrue(run("-c", "import peft, transformers") == 0, "no Python with peft here: set WOK_PYTHON");
        List<String> arguments = new ArrayList<>(List.of("adapter.py", Double.toString(FLOAT32)));
        for (String name : FAMILIES) {
            write(name, folder.resolve(name));
            arguments.add(folder.resolve(name).toString());
        }
        assertEquals(0, run(arguments.toArray(String[]::new)));
    }

    private static void write(String name, Path folder) {
        try (Device device = Device.host(2);
                Model model = Model.load(
                        Path.of("../model/src/test/resources/fixtures", name),
                        Kernels.on(device.stream(), Backend.VECTOR),
                        DType.F32,
                        Progress.silent())) {
            model.save(folder.resolve("base"));
            List<String> targets = new ArrayList<>(List.of("all-linear"));
            if (model.config().moe() != null) {
                targets.add("mlp.gate");
            }
            if (!model.config().tieWordEmbeddings()) {
                targets.add("lm_head");
            }
            int[] ids = IntStream.range(0, 40).map(i -> (i * i * 7 + i) % 490).toArray();
            try (Adapters adapters = Adapters.fresh(model, new Lora(5, 13, targets, true), 1)) {
                train(model, adapters, ids);
                adapters.save(folder.resolve("adapter"));
                SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
                tensors.put("ids", Tensor.of(ids));
                tensors.put("logits", model.logits(ids));
                Safetensors.write(folder.resolve("expected.safetensors"), tensors, Map.of());
            }
        }
    }

    /// Some steps, after which the loss is lower.
    private static void train(Model model, Adapters adapters, int[] ids) {
        int[] targets = new int[ids.length];
        System.arraycopy(ids, 1, targets, 0, ids.length - 1);
        targets[ids.length - 1] = -1;
        int[] positions = IntStream.range(0, ids.length).toArray();
        Batch batch = new Batch(1, ids.length, ids, targets, positions, new int[ids.length]);
        Optimizer.Constants constants = new Optimizer.Constants(0.9, 0.99, 1e-8, 0, 1);
        try (Training training = model.training(new Training.Settings(1, ids.length, 0, 0));
                Optimizer optimizer = new Optimizer(model.kernels(), adapters.parameters(), constants)) {
            double before = training.evaluate(batch);
            for (int step = 1; step <= 8; step++) {
                training.begin(batch.targetCount(), 1);
                training.accumulate(batch);
                List<Tensor> gradients = adapters.gradients(training);
                optimizer.norm(gradients);
                optimizer.update(gradients, step, 0.01);
                adapters.merge();
            }
            double after = training.evaluate(batch);
            assertTrue(after < 0.8 * before, () -> "a loss of %f became %f".formatted(before, after));
        }
    }

    private static int run(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(PYTHON));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(Path.of("src/test/python").toFile())
                .inheritIO();
        builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
        try {
            Process process = builder.start();
            if (!process.waitFor(3, TimeUnit.MINUTES)) {
                process.destroyForcibly();
            }
            return process.waitFor();
        } catch (IOException e) {
            return -1;
        }
    }
}
