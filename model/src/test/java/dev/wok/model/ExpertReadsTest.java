package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExpertReadsTest {
    private static final Tensor SOME = Tensor.of(new int[] {0, 1});
    private static final Tensor OTHERS = Tensor.of(new int[] {2, 3});

    private static List<Weights.Moe> mixtures(Memory memory) {
        ModelConfig config = Fixture.all()
                .map(fixture -> ModelConfig.load(fixture.folder()))
                .filter(c -> c.family() == ModelConfig.Family.QWEN3_MOE)
                .findFirst()
                .orElseThrow();
        Weights weights = new Weights(config, Weights.Supply.of(memory), DType.F32, Storage.int8());
        return weights.layers.stream()
                .map(Weights.Layer::feedForward)
                .filter(Weights.Moe.class::isInstance)
                .map(Weights.Moe.class::cast)
                .toList();
    }

    /// The next layer's are guessed before this layer's are known.
    @Test
    void guessesAreJudgedByTheirOwnLayer() {
        try (Device device = Device.host(1);
                Memory memory = device.memory()) {
            List<Weights.Moe> layers = mixtures(memory);
            ExpertReads reads = new ExpertReads();
            reads.guess(layers.get(1), SOME);
            reads.need(layers.get(0), OTHERS);
            assertEquals(0, reads.total().guessed());
            reads.need(layers.get(1), SOME);
            assertEquals(2, reads.total().guessed());
            assertEquals(2, reads.total().right());
            assertEquals(4, reads.total().chosen());
        }
    }

    @Test
    void wrongGuessesEnd() {
        try (Device device = Device.host(1);
                Memory memory = device.memory()) {
            Weights.Moe layer = mixtures(memory).getFirst();
            ExpertReads reads = new ExpertReads();
            int rounds = 0;
            while (reads.guesses()) {
                reads.guess(layer, SOME);
                reads.need(layer, OTHERS);
                rounds++;
                assertTrue(rounds <= 1000);
            }
            assertTrue(rounds > 100);
            ExpertReads good = new ExpertReads();
            for (int i = 0; i < 1000; i++) {
                good.guess(layer, SOME);
                good.need(layer, SOME);
            }
            assertTrue(good.guesses());
            assertFalse(reads.guesses());
        }
    }
}
