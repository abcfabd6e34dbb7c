package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PartSumsTest {
    /// To the last bit: rounding shows in which order was added.
    @Test
    void agreesWithPlainLoops() {
        try (HostDevice device = Device.host(3)) {
            Property.of("PartSums")
                    .size("tokens", 0, 40)
                    .size("topK", 1, 9)
                    .size("width", 1, 70)
                    .size("experts", 1, 12)
                    .size("parts", 1, 5)
                    .flag("weighs")
                    .cases(60)
                    .check(c -> {
                        int tokens = c.size("tokens");
                        int topK = c.size("topK");
                        int width = c.size("width");
                        int slots = tokens * topK;
                        Rng rng = c.rng("choices");
                        int[] partOf = IntStream.range(0, c.size("experts"))
                                .map(e -> rng.split(1).below(e, c.size("parts")))
                                .toArray();
                        int[] chosen = IntStream.range(0, slots)
                                .map(s -> rng.split(2).below(s, partOf.length))
                                .toArray();
                        int[] row = IntStream.range(0, slots)
                                .map(s -> slots - 1 - s)
                                .toArray();
                        float[] rows = Tensors.magnitudes(c.rng("rows"), slots * width);
                        float[] weights = c.flag("weighs") ? Tensors.magnitudes(c.rng("weights"), slots) : null;
                        float[] y = Tensors.magnitudes(c.rng("y"), tokens * width);
                        Tensor sums = Tensor.of(y.clone()).reshape(tokens, width);
                        new PartSums(device, partOf, width)
                                .add(
                                        Tensor.of(rows).reshape(slots, width),
                                        Tensor.of(row),
                                        Tensor.of(chosen).reshape(tokens, topK),
                                        weights == null
                                                ? null
                                                : Tensor.of(weights).reshape(tokens, topK),
                                        sums);
                        for (int part = 0; part < c.size("parts"); part++) {
                            for (int i = 0; i < y.length; i++) {
                                float sum = 0;
                                boolean any = false;
                                for (int k = 0; k < topK; k++) {
                                    int slot = i / width * topK + k;
                                    if (partOf[chosen[slot]] == part) {
                                        any = true;
                                        float weight = weights == null ? 1 : weights[slot];
                                        sum = Math.fma(weight, rows[row[slot] * width + i % width], sum);
                                    }
                                }
                                y[i] = any ? y[i] + sum : y[i];
                            }
                        }
                        assertArrayEquals(y, sums.toFloats());
                    });
        }
    }

    /// Two small values are lost one by one beside a large one, and not together.
    @Test
    void partsAreSummedApart() {
        float small = 0x1p-24f;
        float[] rows = {1, small, small};
        int[] slots = {0, 1, 2};
        float[] together = new float[2];
        try (HostDevice device = Device.host(1)) {
            for (int parts = 1; parts <= 2; parts++) {
                int[] partOf = {0, parts - 1, parts - 1};
                Tensor y = Tensor.of(0f).reshape(1, 1);
                new PartSums(device, partOf, 1)
                        .add(
                                Tensor.of(rows).reshape(3, 1),
                                Tensor.of(slots),
                                Tensor.of(slots).reshape(1, 3),
                                null,
                                y);
                together[parts - 1] = y.toFloats()[0];
            }
        }
        assertEquals(1, together[0]);
        assertEquals(1 + 0x1p-23f, together[1], Arrays.toString(together));
    }
}
