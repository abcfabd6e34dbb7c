package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.generate.Engine.Speculation;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Texts do not depend on whether drafts are read, bit for bit.
@Timeout(120)
class SpeculationTest {
    private static final int CONTEXT = 640;

    private static Device device;
    private static Model model;

    @BeforeAll
    static void build() {
        device = Device.host(2);
        model = Small.drafting(Kernels.on(device.stream(), Kernels.fastest(device)), CONTEXT);
    }

    @AfterAll
    static void close() {
        model.close();
        device.close();
    }

    private static Engine engine(Speculation speculation) {
        return new Engine(model, Engine.Settings.defaults().withSpeculation(speculation));
    }

    /// Of two tokens that are forced, a random model guesses about half.
    private static Sampling ofTwo(Sampling sampling) {
        return sampling.withLogitBias(Map.of(7, 100.0, 8, 100.0));
    }

    private static Request.Form form() {
        return new Request.Form(Constraint.anyJson(), Vocabulary.of(Small.jsonTokens()));
    }

    private static List<Request> requests() {
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 18; i++) {
            int seed = i;
            int[] prompt = IntStream.range(0, i % 5 == 0 ? 200 - i : 1 + 5 * i)
                    .map(t -> (t * 7 + seed % 3 * (t + 3)) % Small.VOCABULARY)
                    .toArray();
            Sampling sampling = switch (i % 4) {
                case 0 -> Sampling.greedy();
                case 1 -> ofTwo(Sampling.greedy());
                case 2 -> ofTwo(Sampling.atTemperature(30).withSeed(i));
                default -> Sampling.atTemperature(1).withSeed(i).withRepetitionPenalty(1.1);
            };
            Request request = Request.of(prompt).withMaxTokens(20 + 5 * i).withSampling(sampling);
            requests.add(
                    switch (i % 6) {
                        case 2 -> request.withPromptLogprobs(true);
                        case 5 ->
                            request.withForm(form())
                                    .withStopIds(Set.of(1))
                                    .withLogprobs(OptionalInt.of(2))
                                    .withPromptLogprobs(i > 6);
                        default -> request;
                    });
        }
        return requests;
    }

    @Test
    void draftsChangeNoText() {
        List<Request> requests = requests();
        List<Generation> expected = new ArrayList<>();
        List<List<Token>> prompts = new ArrayList<>();
        for (Request request : requests) {
            try (Engine engine = engine(Speculation.NEVER)) {
                Decoding decoding = engine.submit(request);
                expected.add(decoding.await());
                prompts.add(decoding.prompt());
            }
        }
        for (Speculation speculation : List.of(Speculation.ALWAYS, Speculation.WHERE_FASTER)) {
            for (int pages : new int[] {200, 9}) {
                int read = 0;
                int accepted = 0;
                try (Engine engine = new Engine(
                        model,
                        Engine.Settings.defaults()
                                .withCacheBytes(pages * model.pageBytes())
                                .withSpeculation(speculation)
                                .withSequences(8))) {
                    List<Decoding> begun = requests.stream().map(engine::submit).toList();
                    for (int i = 0; i < begun.size(); i++) {
                        Generation found = begun.get(i).await();
                        assertArrayEquals(expected.get(i).ids(), found.ids(), "text " + i);
                        assertEquals(expected.get(i).tokens(), found.tokens());
                        assertEquals(prompts.get(i), begun.get(i).prompt());
                        assertEquals(expected.get(i).finishReason(), found.finishReason());
                        read += found.drafts().read();
                        accepted += found.drafts().accepted();
                    }
                }
                if (speculation == Speculation.ALWAYS) {
                    assertTrue(read > 300 && accepted > 100, read + " drafts, " + accepted + " right");
                }
            }
        }
    }

    @Test
    void aDraftThatIsRightSavesAStep() {
        Request request = Request.of(1, 2, 3)
                .withMaxTokens(300)
                .withSampling(ofTwo(Sampling.atTemperature(30).withSeed(4)));
        try (Engine engine = engine(Speculation.ALWAYS)) {
            Generation generation = engine.submit(request).await();
            assertEquals(300, generation.ids().length);
            long accepted = generation.drafts().accepted();
            assertTrue(accepted > 30, generation.drafts().toString());
            // The first token comes with the prompt; a draft that is right at the very end saves nothing.
            assertTrue(
                    Math.abs(300 - 1 - accepted - generation.decodeSteps()) <= 1, generation.decodeSteps() + " steps");
            assertEquals(
                    accepted / (double) generation.drafts().read(),
                    generation.drafts().acceptance());
        }
    }

    @Test
    void theContextEndsTheText() {
        try (Engine engine = engine(Speculation.ALWAYS)) {
            Generation generation = engine.submit(
                            Request.of(1).withMaxTokens(1000).withSampling(Sampling.greedy()))
                    .await();
            assertEquals(CONTEXT - 1, generation.ids().length);
        }
    }

    /// What prediction says is a guess: where it has no numbers, texts go on.
    @Test
    void drivelDoesNoHarm() {
        Request request = Request.of(1, 2, 3).withMaxTokens(50).withSampling(Sampling.greedy());
        int[] expected;
        try (Engine engine = engine(Speculation.NEVER)) {
            expected = engine.submit(request).await().ids();
        }
        try (Device own = Device.host(1);
                Model broken = Small.drafting(Kernels.on(own.stream(), Kernels.fastest(own)), CONTEXT)) {
            broken.parameters().stream()
                    .filter(parameter -> parameter.name().endsWith("eh_proj.weight"))
                    .forEach(parameter -> parameter.value().set(0, Double.NaN));
            broken.weightsChanged();
            try (Engine engine = new Engine(broken, Engine.Settings.defaults().withSpeculation(Speculation.ALWAYS))) {
                assertArrayEquals(expected, engine.submit(request).await().ids());
            }
        }
    }

    @Test
    void aModelThatCannotGuessIsRefused() {
        try (Device own = Device.host(1);
                Model plain = Small.latent(Kernels.on(own.stream(), Kernels.fastest(own)), CONTEXT)) {
            Engine.Settings settings = Engine.Settings.defaults().withSpeculation(Speculation.ALWAYS);
            assertEquals(
                    "the model has no multi-token prediction, which guesses tokens; ask for no speculation.",
                    Thrown.message(BadInput.class, () -> new Engine(plain, settings)));
        }
    }
}
