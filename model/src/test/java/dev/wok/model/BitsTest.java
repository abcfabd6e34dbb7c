package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// The same input gives the same bits, however many threads share several sequences with documents.
class BitsTest {
    private static final ModelConfig CONFIG = Models.config(6, Models.v3Moe(4, 2, 1), false, 2);
    private static final ModelConfig V2 = Models.config(0, Models.v2Moe(1, 1, 2), true, 0);

    /// Enough rows that three threads get unequal shares, and more than one chunk of any kernel.
    private static final int LENGTH = 129;

    private static final int SEQUENCES = 3;

    @Test
    void threadsDoNotMatter() {
        for (ModelConfig config : List.of(CONFIG, V2)) {
            for (Backend backend : Fixture.fastBackends()) {
                Map<String, String> one = everything(config, backend, 1, 7);
                assertEquals(one, everything(config, backend, 2, 7));
                assertEquals(one, everything(config, backend, 3, 7));
            }
        }
    }

    /// Losses, gradients, logits and a continued text, after a first step that leaves its traces in reused memory.
    private static Map<String, String> everything(ModelConfig config, Backend backend, int threads, long seed) {
        Map<String, String> bits = new LinkedHashMap<>();
        try (Device device = Device.host(threads);
                Model model = Model.create(
                        config, Kernels.on(device.stream(), backend, Kernels.usual(device, backend)), DType.F32, seed);
                Training training = model.training(new Training.Settings(SEQUENCES, LENGTH, 0.3, 0.01));
                Cache cache = model.cache(60)) {
            for (int step = 0; step < 2; step++) {
                Batch batch = batch(step);
                training.begin(batch.targetCount(), SEQUENCES);
                training.accumulate(batch);
            }
            Training.Result result = training.result();
            bits.put("losses", result.loss() + " " + result.mtpLoss() + " " + result.balanceLoss());
            bits.put("load", Arrays.deepToString(result.load()));
            model.tensors().keySet().forEach(name -> bits.put(name, bits(training.gradient(name))));
            bits.put("evaluated", String.valueOf(training.evaluate(batch(2))));
            int[] ids = Arrays.copyOf(batch(3).tokens(), 50);
            bits.put("logits", bits(model.logits(ids)));
            bits.put("prompt", Arrays.toString(model.extend(cache, ids)));
            bits.put("next", Arrays.toString(model.extend(cache, 4)));
            bits.put("further", Arrays.toString(model.extend(cache, 4, 5, 6)));
        }
        return bits;
    }

    private static Batch batch(int number) {
        Rng rng = new Rng(number);
        int count = SEQUENCES * LENGTH;
        int[] keyStart = IntStream.range(0, count)
                .map(i -> i - i % LENGTH + (i % LENGTH >= 40 ? 40 : 0))
                .toArray();
        return new Batch(
                SEQUENCES,
                LENGTH,
                IntStream.range(0, count).map(i -> rng.below(i, 23)).toArray(),
                IntStream.range(0, count)
                        .map(i -> i % 11 == 0 ? -1 : rng.below(count + i, 23))
                        .toArray(),
                IntStream.range(0, count).map(i -> i - keyStart[i]).toArray(),
                keyStart);
    }

    private static String bits(Tensor tensor) {
        StringBuilder bits = new StringBuilder();
        for (double value : Tensors.values(tensor)) {
            bits.append(Long.toHexString(Double.doubleToRawLongBits(value))).append(' ');
        }
        return bits.toString();
    }
}
