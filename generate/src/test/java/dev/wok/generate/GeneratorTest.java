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
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class GeneratorTest {
    private static final int[] PROMPT = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final int LONG = 600;
    private static final int CONTEXT = 640;

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
                CONTEXT,
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

    private static Request greedy(int[] prompt, int tokens) {
        return Request.of(prompt).withMaxTokens(tokens).withSampling(Sampling.greedy());
    }

    private static Generation greedy(int[] prompt, int tokens, Set<Integer> stop, List<Integer> heard) {
        try (Generator generator = new Generator(model)) {
            return generator.generate(greedy(prompt, tokens).withStopIds(stop), token -> heard.add(token.id()));
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
            Generation first = generator.generate(greedy(PROMPT, 4), _ -> true);
            assertThrows(
                    BadInput.class, () -> generator.generate(greedy(new int[] {PROMPT[0], 1 << 20}, 4), _ -> true));
            assertArrayEquals(
                    first.ids(),
                    generator.generate(greedy(PROMPT, 4), _ -> true).ids());
        }
    }

    @Test
    void theListenerCanStop() {
        try (Generator generator = new Generator(model)) {
            Generation generation = generator.generate(greedy(PROMPT, 20), _ -> false);
            assertEquals(1, generation.ids().length);
            assertEquals(Generation.FinishReason.STOP, generation.finishReason());
        }
    }

    @Test
    void aLongerTextReadsOnlyWhatIsNew() {
        try (Generator generator = new Generator(model)) {
            Generation first = generator.generate(greedy(PROMPT, 5), _ -> true);
            int[] longer = Arrays.copyOf(PROMPT, PROMPT.length + 7);
            System.arraycopy(first.ids(), 0, longer, PROMPT.length, 5);
            longer[PROMPT.length + 5] = 7;
            longer[PROMPT.length + 6] = 8;
            Generation second = generator.generate(greedy(longer, 10), _ -> true);
            assertTrue(second.promptTokens() <= 3, "read " + second.promptTokens());
            assertArrayEquals(withoutCache(longer, 10), second.ids());
            Generation other = generator.generate(greedy(PROMPT, 5), _ -> true);
            assertArrayEquals(first.ids(), other.ids());
        }
    }

    /// Taking one token after the other is the same as listening to them.
    @Test
    void tokensCanBeTakenOneByOne() {
        try (Generator generator = new Generator(model)) {
            Decoding decoding = generator.begin(greedy(PROMPT, 6));
            List<Integer> taken = new ArrayList<>();
            for (var token = decoding.next(); token.isPresent(); token = decoding.next()) {
                taken.add(token.get().id());
            }
            assertEquals(Arrays.stream(withoutCache(PROMPT, 6)).boxed().toList(), taken);
            assertTrue(decoding.next().isEmpty());
            assertEquals(Generation.FinishReason.LENGTH, decoding.result().finishReason());
        }
    }

    @Test
    void whatIsCancelledEndsAndCanBeRepeated() {
        try (Generator generator = new Generator(model)) {
            Decoding decoding = generator.begin(greedy(PROMPT, 6));
            decoding.next();
            decoding.next();
            decoding.cancel();
            assertTrue(decoding.next().isEmpty());
            assertEquals(Generation.FinishReason.CANCELLED, decoding.result().finishReason());
            assertEquals(2, decoding.result().ids().length);
            assertArrayEquals(
                    withoutCache(PROMPT, 6),
                    generator.generate(greedy(PROMPT, 6), _ -> true).ids());
        }
    }

    @Test
    void anotherTextEndsTheOneBefore() {
        try (Generator generator = new Generator(model)) {
            Decoding before = generator.begin(greedy(PROMPT, 6));
            before.next();
            generator.begin(greedy(PROMPT, 6));
            assertThrows(IllegalStateException.class, before::next);
        }
    }

    /// A prompt is read in steps, so that others get their turn in between.
    @Test
    void everyStepWaitsForItsTurn() {
        AtomicInteger turns = new AtomicInteger();
        Turns counted = step -> {
            turns.incrementAndGet();
            step.run();
        };
        try (Generator generator = new Generator(model, counted)) {
            generator.generate(greedy(new int[LONG], 3), _ -> true);
        }
        assertEquals((LONG + Model.CHUNK - 1) / Model.CHUNK + 2, turns.get());
    }

    @Test
    void logProbabilitiesAreThoseOfTheModelsOwnLogits() {
        Sampling far = Sampling.greedy().withLogitBias(Map.of(17, 100.0));
        try (Generator generator = new Generator(model)) {
            Request request = greedy(PROMPT, 2).withSampling(far).withLogprobs(OptionalInt.of(3));
            Token token = generator.generate(request, _ -> true).tokens().getFirst();
            assertEquals(17, token.id());
            Tensor logits = model.logits(PROMPT);
            long row = (PROMPT.length - 1) * logits.dim(1);
            double sum = 0;
            for (int id = 0; id < logits.dim(1); id++) {
                sum += Math.exp(logits.get(row + id));
            }
            assertEquals(logits.get(row + 17) - Math.log(sum), token.logprob(), 1e-5);
            assertEquals(3, token.alternatives().size());
            assertEquals(
                    withoutCache(PROMPT, 1)[0], token.alternatives().getFirst().id());
            for (Token.Alternative other : token.alternatives()) {
                assertEquals(logits.get(row + other.id()) - Math.log(sum), other.logprob(), 1e-5);
            }
        }
    }

    @Test
    void withoutBeingAskedThereAreNone() {
        try (Generator generator = new Generator(model)) {
            Token token =
                    generator.generate(greedy(PROMPT, 1), _ -> true).tokens().getFirst();
            assertTrue(Double.isNaN(token.logprob()));
            assertEquals(List.of(), token.alternatives());
        }
    }

    @Test
    void theContextEndsTheText() {
        Generation generation = greedy(PROMPT, 1000, Set.of(), new ArrayList<>());
        assertEquals(CONTEXT - PROMPT.length, generation.ids().length);
        assertEquals(Generation.FinishReason.LENGTH, generation.finishReason());
    }

    @Test
    void refusesPromptsThatCannotBeRead() {
        assertThrows(BadInput.class, () -> greedy(new int[0], 1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> greedy(new int[CONTEXT + 1], 1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> greedy(new int[] {61}, 1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> greedy(PROMPT, -1, Set.of(), new ArrayList<>()));
        assertThrows(BadInput.class, () -> Request.of(PROMPT).withLogprobs(OptionalInt.of(21)));
        try (Generator generator = new Generator(model)) {
            Request biased = greedy(PROMPT, 1).withSampling(Sampling.greedy().withLogitBias(Map.of(61, 1.0)));
            String message = Thrown.message(BadInput.class, () -> generator.begin(biased));
            assertEquals("a logit bias is for token 61, which is not in the model's vocabulary of 61.", message);
        }
    }
}
