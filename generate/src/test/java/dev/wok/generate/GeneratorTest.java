package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.model.MlaConfig;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import dev.wok.model.RopeConfig;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class GeneratorTest {
    private static final int[] PROMPT = {3, 1, 4, 1, 5, 9, 2, 6};

    private static Device device;
    private static Model model;

    @BeforeAll
    static void build() {
        device = Device.host(2);
        ModelConfig config = new ModelConfig(
                ModelConfig.Family.DEEPSEEK_V3,
                61,
                32,
                2,
                2,
                new MlaConfig(0, 8, 8, 4, 8),
                48,
                1,
                1,
                List.of(),
                new MoeConfig(4, 1, 2, 16, 1, 1, true, 1, Routing.Scoring.SIGMOID, true),
                new RopeConfig(10000, null),
                64,
                1e-6,
                0.3,
                false,
                0,
                0,
                List.of(1));
        model = Model.create(config, Kernels.on(device.stream(), Kernels.fastest(device)), DType.F32, 11);
    }

    @AfterAll
    static void close() {
        model.close();
        device.close();
    }

    private static Generation greedy(int[] prompt, int tokens, Set<Integer> stop, List<Integer> heard) {
        try (Generator generator = new Generator(model)) {
            return generator.generate(prompt, tokens, Sampling.greedy(), stop, id -> heard.add(id));
        }
    }

    /// The slow way: the whole text through the model for each token.
    private static int[] withoutCache(int[] prompt, int tokens) {
        int[] text = prompt;
        for (int i = 0; i < tokens; i++) {
            Tensor logits = model.logits(text);
            int best = 0;
            long row = (text.length - 1) * logits.dim(1);
            for (int id = 0; id < logits.dim(1); id++) {
                best = logits.get(row + id) > logits.get(row + best) ? id : best;
            }
            text = Arrays.copyOf(text, text.length + 1);
            text[text.length - 1] = best;
        }
        return Arrays.copyOfRange(text, prompt.length, text.length);
    }

    @Test
    void theCacheChangesNothing() {
        List<Integer> heard = new ArrayList<>();
        Generation generation = greedy(PROMPT, 20, Set.of(), heard);
        assertArrayEquals(withoutCache(PROMPT, 20), generation.ids());
        assertEquals(heard, Arrays.stream(generation.ids()).boxed().toList());
        assertEquals(Generation.FinishReason.LENGTH, generation.finishReason());
        assertEquals(PROMPT.length, generation.promptTokens());
    }

    @Test
    void stopTokensEndTheTextAndAreLeftOut() {
        int[] ids = withoutCache(PROMPT, 20);
        int stop = ids[6];
        int first = Arrays.stream(ids).boxed().toList().indexOf(stop);
        List<Integer> heard = new ArrayList<>();
        Generation generation = greedy(PROMPT, 20, Set.of(stop), heard);
        assertArrayEquals(Arrays.copyOf(ids, first), generation.ids());
        assertEquals(first, heard.size());
        assertEquals(Generation.FinishReason.STOP, generation.finishReason());
    }

    /// What is refused leaves a generator that still knows what it has read.
    @Test
    void aRefusalSpoilsNothing() {
        try (Generator generator = new Generator(model)) {
            Generation first = generator.generate(PROMPT, 4, Sampling.greedy(), Set.of(), _ -> true);
            assertThrows(
                    BadInput.class,
                    () -> generator.generate(
                            new int[] {PROMPT[0], 1 << 20}, 4, Sampling.greedy(), Set.of(), _ -> true));
            assertArrayEquals(
                    first.ids(),
                    generator
                            .generate(PROMPT, 4, Sampling.greedy(), Set.of(), _ -> true)
                            .ids());
        }
    }

    @Test
    void theListenerCanStop() {
        try (Generator generator = new Generator(model)) {
            Generation generation = generator.generate(PROMPT, 20, Sampling.greedy(), Set.of(), id -> false);
            assertEquals(1, generation.ids().length);
            assertEquals(Generation.FinishReason.STOP, generation.finishReason());
        }
    }

    @Test
    void aLongerTextReadsOnlyWhatIsNew() {
        try (Generator generator = new Generator(model)) {
            Generation first = generator.generate(PROMPT, 5, Sampling.greedy(), Set.of(), id -> true);
            int[] longer = Arrays.copyOf(PROMPT, PROMPT.length + 7);
            System.arraycopy(first.ids(), 0, longer, PROMPT.length, 5);
            longer[PROMPT.length + 5] = 7;
            longer[PROMPT.length + 6] = 8;
            Generation second = generator.generate(longer, 10, Sampling.greedy(), Set.of(), id -> true);
            assertTrue(second.promptTokens() <= 3, "read " + second.promptTokens());
            assertArrayEquals(withoutCache(longer, 10), second.ids());
            Generation other = generator.generate(PROMPT, 5, Sampling.greedy(), Set.of(), id -> true);
            assertArrayEquals(first.ids(), other.ids());
        }
    }

    @Test
    void theContextEndsTheText() {
        Generation generation = greedy(PROMPT, 1000, Set.of(), new ArrayList<>());
        assertEquals(64 - PROMPT.length, generation.ids().length);
        assertEquals(Generation.FinishReason.LENGTH, generation.finishReason());
    }

    @Test
    void refusesPromptsThatCannotBeRead() {
        assertThrows(BadInput.class, () -> greedy(new int[0], 1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> greedy(new int[65], 1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> greedy(new int[] {61}, 1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> greedy(PROMPT, -1, Set.of(), new ArrayList<>()));
    }
}
