package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.Safetensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@ExtendWith(ProcessorRunsIt.class)
class ExpertUseTest {
    static Stream<Arguments> onFast() {
        return Fixture.onFast();
    }

    /// What transformers chose for the same tokens, read in pieces and at once.
    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("onFast")
    void choicesAreCounted(Fixture fixture, Fixture.On on) {
        try (Fixture.Loaded loaded = fixture.load(on);
                Safetensors tensors = fixture.open("expected.safetensors")) {
            Model model = loaded.model();
            List<long[]> expected = new ArrayList<>(none(model.config()));
            requireSame(expected, model.expertUse());
            List<int[]> sequences = fixture.sequences();
            for (int i = 0; i < sequences.size(); i++) {
                int[] ids = sequences.get(i);
                try (Cache cache = model.cache(ids.length)) {
                    int half = ids.length / 2;
                    model.extend(cache, Arrays.copyOf(ids, half));
                    model.extend(cache, Arrays.copyOfRange(ids, half, ids.length));
                    model.logits(ids);
                }
                for (int layer = 0; layer < expected.size(); layer++) {
                    if (expected.get(layer).length > 0) {
                        for (int expert : tensors.tensor("seq%d.layer%d.experts".formatted(i, layer))
                                .toInts()) {
                            expected.get(layer)[expert] += 2;
                        }
                    }
                }
                requireSame(expected, model.expertUse());
            }
        }
    }

    private static List<long[]> none(ModelConfig config) {
        List<long[]> none = new ArrayList<>();
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            MoeConfig moe = config.moe();
            none.add(new long[moe != null && config.isMoe(layer) ? moe.nRoutedExperts() : 0]);
        }
        return none;
    }

    private static void requireSame(List<long[]> expected, List<long[]> found) {
        assertEquals(expected.size(), found.size());
        for (int layer = 0; layer < expected.size(); layer++) {
            assertArrayEquals(expected.get(layer), found.get(layer), "layer " + layer);
        }
    }

    @Test
    void countsPassTwoToThe31() {
        try (Device device = Device.host(1);
                Memory memory = device.memory()) {
            ExpertUse use = new ExpertUse(
                    Models.config(6, Models.v3Moe(4, 2, 1), false, 0), Kernels.on(device.stream()), memory);
            for (int i = 0; i < 5; i++) {
                use.reads(2_000_000_000);
                assertEquals(0, use.of(1).load().get(3));
                use.of(1).load().set(3, 2_000_000_000);
            }
            use.reads(147_483_647);
            assertEquals(2_000_000_000, use.of(1).load().get(3));
            use.of(1).load().set(3, 2_000_000_007);
            requireSame(List.of(new long[0], new long[] {0, 0, 0, 10_000_000_007L, 0, 0, 0, 0}), use.total());
            requireSame(List.of(new long[0], new long[] {0, 0, 0, 10_000_000_007L, 0, 0, 0, 0}), use.total());
        }
    }
}
