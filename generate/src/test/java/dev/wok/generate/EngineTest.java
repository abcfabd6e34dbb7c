package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Timeout(120)
class EngineTest {
    private static final int[] PROMPT = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final int CONTEXT = 10_000;

    /// A text that takes seconds, so that what is asked of it meanwhile comes before its end.
    private static final int LONG = 9000;

    private static Device device;
    private static Model model;

    @BeforeAll
    static void build() {
        device = Device.host(2);
        model = Small.latent(Kernels.on(device.stream(), Kernels.fastest(device)), CONTEXT);
    }

    @AfterAll
    static void close() {
        model.close();
        device.close();
    }

    private static Engine engine() {
        return new Engine(model, Engine.Settings.defaults());
    }

    private static Request greedy(int[] prompt, int tokens) {
        return Request.of(prompt).withMaxTokens(tokens).withSampling(Sampling.greedy());
    }

    private static Generation alone(Request request) {
        try (Engine engine = engine()) {
            return engine.submit(request).await();
        }
    }

    private static int[] prompt(int tokens, int seed) {
        return IntStream.range(0, tokens)
                .map(i -> (i * 7 + seed * (i + 3)) % Small.VOCABULARY)
                .toArray();
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
        Generation generation = alone(greedy(PROMPT, 20));
        assertArrayEquals(withoutCache(PROMPT, 20), generation.ids());
        assertEquals(Generation.FinishReason.LENGTH, generation.finishReason());
        assertEquals(PROMPT.length, generation.promptTokens());
        assertEquals(19, generation.decodeSteps());
        assertTrue(generation.prefillSeconds() > 0 && generation.decodeSeconds() > 0);
    }

    @Test
    void stopTokensEndTheTextAndAreLeftOut() {
        int[] ids = withoutCache(PROMPT, 20);
        int stop = ids[6];
        int first = Arrays.stream(ids).boxed().toList().indexOf(stop);
        Generation generation = alone(greedy(PROMPT, 20).withStopIds(Set.of(stop)));
        assertArrayEquals(Arrays.copyOf(ids, first), generation.ids());
        assertEquals(Generation.FinishReason.STOP, generation.finishReason());
    }

    /// Long and short prompts, some that begin alike, greedy and drawn, of any priority: as each alone.
    @Test
    void manyAtOnceAreAsEachAlone() {
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            int[] prompt = prompt(i % 5 == 0 ? 500 - i : 1 + 9 * i, i % 3);
            Sampling sampling = i % 2 == 0
                    ? Sampling.greedy()
                    : Sampling.atTemperature(1).withSeed(i).withRepetitionPenalty(1.1);
            requests.add(Request.of(prompt)
                    .withMaxTokens(5 + i)
                    .withSampling(sampling)
                    .withPriority(i % 4 - 1));
        }
        List<int[]> expected =
                requests.stream().map(request -> alone(request).ids()).toList();
        // The second cache holds 12 pages, so that some have to wait and to give back what they have read.
        for (long bytes : new long[] {Engine.Settings.defaults().cacheBytes(), 12 * model.pageBytes()}) {
            try (Engine engine = new Engine(
                    model, Engine.Settings.defaults().withCacheBytes(bytes).withSequences(16))) {
                for (int round = 0; round < 2; round++) {
                    List<Decoding> begun = requests.stream().map(engine::submit).toList();
                    for (int i = 0; i < begun.size(); i++) {
                        assertArrayEquals(expected.get(i), begun.get(i).await().ids(), "text " + i);
                    }
                }
                Engine.Activity done = idle(engine);
                assertEquals(
                        2 * requests.stream().mapToInt(r -> r.prompt().length).sum(), done.promptTokens());
                assertEquals(2 * expected.stream().mapToInt(ids -> ids.length).sum(), done.newTokens());
            }
        }
    }

    @Test
    void whatIsKnownIsNotReadAgain() {
        int[] prompt = prompt(300, 5);
        try (Engine engine = engine()) {
            Decoding first = engine.submit(greedy(prompt, 5));
            assertEquals(300, first.await().promptTokens());
            assertEquals(0, first.knownTokens());
            Decoding again = engine.submit(greedy(prompt, 5));
            assertArrayEquals(first.result().ids(), again.await().ids());
            assertEquals(299, again.knownTokens());
            assertEquals(1, again.result().promptTokens());
            // The text goes on from the answer, but for its last token, which was never read.
            int[] longer = Arrays.copyOf(prompt, 320);
            System.arraycopy(first.result().ids(), 0, longer, 300, 5);
            int[] expected = alone(greedy(longer, 10)).ids();
            Decoding second = engine.submit(greedy(longer, 10));
            assertArrayEquals(expected, second.await().ids());
            assertEquals(304, second.knownTokens());
            int[] other = prompt.clone();
            other[200] = (other[200] + 1) % Small.VOCABULARY;
            expected = alone(greedy(other, 5)).ids();
            Decoding branch = engine.submit(greedy(other, 5));
            assertArrayEquals(expected, branch.await().ids());
            assertEquals(200, branch.knownTokens());
            engine.forget();
            Decoding fresh = engine.submit(greedy(prompt, 5));
            assertArrayEquals(first.result().ids(), fresh.await().ids());
            assertEquals(0, fresh.knownTokens());
        }
    }

    /// Prompts that come together are read together only where they differ.
    /// By another engine, as in another process.
    @Test
    void whatIsKeptInFilesIsNotReadAgain(@TempDir Path folder) throws IOException {
        int[] prompt = prompt(300, 5);
        Engine.Settings settings =
                Engine.Settings.defaults().withDisk(new Engine.Disk(folder, 100 << 20, Progress.silent()));
        try (Model own = Small.opened(model.kernels(), CONTEXT, folder.resolve("model"))) {
            int[] expected;
            try (Engine engine = new Engine(own, settings)) {
                Generation first = engine.submit(greedy(prompt, 100)).await();
                assertEquals(300, first.promptTokens());
                expected = first.ids();
            }
            try (Engine engine = new Engine(own, settings)) {
                Decoding again = engine.submit(greedy(prompt, 100));
                assertArrayEquals(expected, again.await().ids());
                assertEquals(256, again.knownTokens());
                assertEquals(44, again.result().promptTokens());
                int[] text = Arrays.copyOf(prompt, 390);
                System.arraycopy(expected, 0, text, 300, 90);
                Decoding further = engine.submit(greedy(text, 10));
                assertArrayEquals(
                        Arrays.copyOfRange(expected, 90, 100), further.await().ids());
            }
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : (Iterable<Path>) files.filter(f -> f.toString().endsWith(".page"))::iterator) {
                    Files.write(file, new byte[3]);
                }
            }
            // Each looks no further than the first page that is damaged, and keeps that one anew.
            for (int round = 0; round <= 4; round++) {
                int pages = round % 2 == 0 ? 7 : 100;
                try (Engine engine = new Engine(own, settings.withCacheBytes(pages * own.pageBytes()))) {
                    Decoding damaged = engine.submit(greedy(prompt, 100));
                    assertArrayEquals(expected, damaged.await().ids());
                    assertEquals(64 * round, damaged.knownTokens());
                }
            }
        }
        assertThrows(IllegalStateException.class, () -> new Engine(model, settings));
    }

    @Test
    void aCommonBeginningIsReadOnce() {
        try (Engine engine = engine()) {
            List<Decoding> begun = new ArrayList<>();
            engine.between(() -> {
                for (int i = 0; i < 6; i++) {
                    int[] prompt = Arrays.copyOf(prompt(260, 7), 262);
                    prompt[261] = i;
                    begun.add(engine.submit(greedy(prompt, 3)));
                }
            });
            int read = begun.stream().mapToInt(d -> d.await().promptTokens()).sum();
            assertTrue(read <= 262 + 5 * 6, "read " + read);
        }
    }

    @Test
    void tokensCanBeTakenOneByOne() {
        try (Engine engine = engine()) {
            Decoding decoding = engine.submit(greedy(PROMPT, 6));
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
        try (Engine engine = engine()) {
            Decoding decoding = engine.submit(greedy(PROMPT, LONG));
            decoding.next();
            decoding.cancel();
            decoding.stop();
            int known = decoding.result().ids().length;
            assertEquals(Generation.FinishReason.CANCELLED, decoding.await().finishReason());
            assertEquals(known, decoding.await().ids().length);
            assertTrue(known < LONG);
            assertArrayEquals(
                    withoutCache(PROMPT, 6),
                    engine.submit(greedy(PROMPT, 6)).await().ids());
        }
    }

    /// @return what the engine did, after its last text
    private static Engine.Activity idle(Engine engine) {
        Engine.Activity activity = engine.activity();
        while (activity.running() + activity.waiting() > 0) {
            Thread.onSpinWait();
            activity = engine.activity();
        }
        return activity;
    }

    @Test
    void itCountsWhatItDoes() {
        int[] prompt = prompt(300, 5);
        try (Engine engine = new Engine(model, Engine.Settings.defaults().withSequences(1))) {
            Engine.Activity fresh = engine.activity();
            assertTrue(fresh.pages() > 0);
            assertEquals(new Engine.Activity(0, 0, 1, 0, 0, fresh.pages(), 0, 0, 0, 0, Generation.Drafts.NONE), fresh);
            for (int i = 1; i <= 2; i++) {
                engine.submit(greedy(prompt, 5)).await();
                Engine.Activity done = idle(engine);
                assertEquals(
                        new Engine.Activity(
                                0,
                                0,
                                1,
                                0,
                                5,
                                fresh.pages(),
                                300L * i,
                                299L * (i - 1),
                                5L * i,
                                5L * i,
                                Generation.Drafts.NONE),
                        done);
            }
            engine.forget();
            assertEquals(0, engine.activity().keptPages());
        }
    }

    /// Pages, too; those that wait go as well.
    @Test
    void whatIsCancelledIsGoneWithinAStep() {
        try (Engine engine = new Engine(model, Engine.Settings.defaults().withSequences(2))) {
            Decoding first = engine.submit(greedy(prompt(100, 1), LONG));
            Decoding second = engine.submit(greedy(prompt(200, 2), LONG));
            first.next();
            second.next();
            Decoding third = engine.submit(greedy(PROMPT, LONG));
            AtomicReference<Engine.Activity> asked = new AtomicReference<>();
            engine.between(() -> {
                first.cancel();
                third.cancel();
                // Another thread gets the figures, although this one has the model.
                asked.set(CompletableFuture.supplyAsync(engine::activity)
                        .orTimeout(60, TimeUnit.SECONDS)
                        .join());
            });
            assertEquals(2, asked.get().running());
            assertEquals(1, asked.get().waiting());
            assertTrue(asked.get().usedPages() >= 6, asked.get().toString());
            Engine.Activity later = engine.activity();
            while (later.steps() == asked.get().steps()) {
                later = engine.activity();
            }
            assertTrue(later.running() <= 1 && later.waiting() == 0, later.toString());
            second.cancel();
            long steps = engine.activity().steps();
            Engine.Activity last = idle(engine);
            assertTrue(last.steps() <= steps + 1, last.steps() + " steps, " + steps + " when it was cancelled");
            assertEquals(0, last.usedPages());
            assertTrue(last.keptPages() > 0);
        }
    }

    @Test
    void aThreadThatIsInterruptedCancels() throws InterruptedException {
        try (Engine engine = engine()) {
            Decoding decoding = engine.submit(greedy(PROMPT, LONG));
            Thread reader = Thread.ofPlatform().start(decoding::await);
            reader.interrupt();
            reader.join();
            assertEquals(Generation.FinishReason.CANCELLED, decoding.result().finishReason());
        }
    }

    @Test
    void aDeadlineEndsATextWithWhatThereIs() {
        try (Engine engine = engine()) {
            Generation late =
                    engine.submit(greedy(PROMPT, 5).withDeadline(Duration.ZERO)).await();
            assertEquals(Generation.FinishReason.DEADLINE, late.finishReason());
            Generation early = engine.submit(greedy(PROMPT, 5).withDeadline(Duration.ofDays(1)))
                    .await();
            assertEquals(Generation.FinishReason.LENGTH, early.finishReason());
        }
        assertEquals(
                "the deadline is PT8784H, expected up to 365 days.",
                Thrown.message(BadInput.class, () -> greedy(PROMPT, 5).withDeadline(Duration.ofDays(366))));
    }

    @Test
    void nothingIsComputedForNoTokens() {
        Generation none = alone(greedy(PROMPT, 0));
        assertEquals(0, none.ids().length);
        assertEquals(Generation.FinishReason.LENGTH, none.finishReason());
    }

    @Test
    void logProbabilitiesAreThoseOfTheModelsOwnLogits() {
        Sampling far = Sampling.greedy().withLogitBias(Map.of(17, 100.0));
        Request request = greedy(PROMPT, 2).withSampling(far).withLogprobs(OptionalInt.of(3));
        Token token = alone(request).tokens().getFirst();
        assertEquals(17, token.id());
        Tensor logits = model.logits(PROMPT);
        long row = (PROMPT.length - 1) * logits.dim(1);
        double sum = 0;
        for (int id = 0; id < logits.dim(1); id++) {
            sum += Math.exp(logits.get(row + id));
        }
        assertEquals(logits.get(row + 17) - Math.log(sum), token.logprob(), 1e-5);
        assertEquals(3, token.alternatives().size());
        assertEquals(withoutCache(PROMPT, 1)[0], token.alternatives().getFirst().id());
        for (Token.Alternative other : token.alternatives()) {
            assertEquals(logits.get(row + other.id()) - Math.log(sum), other.logprob(), 1e-5);
        }
    }

    @Test
    void withoutBeingAskedThereAreNone() {
        Token token = alone(greedy(PROMPT, 1)).tokens().getFirst();
        assertTrue(Double.isNaN(token.logprob()));
        assertEquals(List.of(), token.alternatives());
    }

    /// Random weights say anything; what comes out is what the schema allows, alone and among others.
    @Test
    void aTextHasTheFormThatIsAskedFor() {
        List<byte[]> tokens = Small.jsonTokens();
        Vocabulary vocabulary = Vocabulary.of(tokens);
        Constraint constraint = Constraint.schema(
                "{\"type\": \"array\", \"items\": {\"type\": \"integer\", \"minimum\": 7, \"maximum\": 120}, \"minItems\": 2,"
                        + " \"maxItems\": 6}");
        List<Request> requests = IntStream.range(0, 8)
                .mapToObj(i -> Request.of(prompt(5, i))
                        .withMaxTokens(200)
                        .withSampling(Sampling.atTemperature(1).withSeed(i))
                        .withStopIds(Set.of(1))
                        .withLogprobs(OptionalInt.of(1))
                        .withForm(new Request.Form(constraint, vocabulary)))
                .toList();
        List<int[]> alone = requests.stream().map(r -> alone(r).ids()).toList();
        try (Engine engine = engine()) {
            List<Decoding> begun = requests.stream().map(engine::submit).toList();
            for (int i = 0; i < begun.size(); i++) {
                Generation generation = begun.get(i).await();
                assertArrayEquals(alone.get(i), generation.ids());
                assertEquals(Generation.FinishReason.STOP, generation.finishReason());
                StringBuilder text = new StringBuilder();
                for (int id : generation.ids()) {
                    text.append(new String(tokens.get(id), StandardCharsets.US_ASCII));
                }
                JsonNode array = JsonMapper.shared().readTree(text.toString());
                assertTrue(array.size() >= 2 && array.size() <= 6, text.toString());
                array.forEach(value -> assertTrue(value.asInt() >= 7 && value.asInt() <= 120, text.toString()));
            }
            Vocabulary large = Vocabulary.of(Collections.nCopies(62, new byte[] {'1'}));
            Request other = requests.getFirst().withForm(new Request.Form(constraint, large));
            assertEquals(
                    "a form is given for a vocabulary of 62, the model's is of 61.",
                    Thrown.message(BadInput.class, () -> engine.submit(other)));
        }
    }

    @Test
    void theContextEndsTheText() {
        Generation generation = alone(greedy(prompt(CONTEXT - 30, 1), 1000));
        assertEquals(30, generation.ids().length);
        assertEquals(Generation.FinishReason.LENGTH, generation.finishReason());
    }

    /// One text without numbers ends with a refusal, and the others go on.
    @Test
    void aTextThatFailsFailsAlone() {
        try (Device own = Device.host(1);
                Model broken = Small.latent(Kernels.on(own.stream(), Kernels.fastest(own)), CONTEXT)) {
            broken.parameters().stream()
                    .filter(parameter -> parameter.name().equals("model.embed_tokens.weight"))
                    .forEach(parameter -> parameter.value().select(0, 9).set(0, Double.NaN));
            broken.weightsChanged();
            try (Engine engine = new Engine(broken, Engine.Settings.defaults())) {
                Decoding failing = engine.submit(greedy(PROMPT, 3));
                Decoding fine = engine.submit(greedy(new int[] {1, 2}, 3)
                        .withSampling(Sampling.greedy().withLogitBias(Map.of(9, -100.0))));
                Decoding alsoFailing = engine.submit(greedy(PROMPT, 0).withPromptLogprobs(true));
                assertThrows(BadInput.class, failing::await);
                assertThrows(BadInput.class, alsoFailing::await);
                assertEquals(List.of(), alsoFailing.prompt());
                assertThrows(BadInput.class, failing::next);
                assertEquals(3, fine.await().ids().length);
            }
        }
    }

    @Test
    void whoClosesItEndsAllTexts() {
        Engine engine = engine();
        Decoding decoding = engine.submit(greedy(PROMPT, LONG));
        decoding.next();
        engine.close();
        engine.close();
        String closed = "the engine is closed; close it after its last text has ended";
        assertEquals(closed, Thrown.message(IllegalStateException.class, decoding::await));
        assertEquals(closed, Thrown.message(IllegalStateException.class, () -> engine.submit(greedy(PROMPT, 1))));
        assertEquals(closed, Thrown.message(IllegalStateException.class, () -> engine.between(() -> {})));
    }

    @Test
    void refusesWhatCannotBeRead() {
        assertThrows(BadInput.class, () -> alone(greedy(new int[0], 1)));
        assertThrows(BadInput.class, () -> alone(greedy(new int[CONTEXT + 1], 1)));
        assertThrows(BadInput.class, () -> alone(greedy(new int[] {61}, 1)));
        assertThrows(BadInput.class, () -> alone(greedy(PROMPT, -1)));
        assertThrows(BadInput.class, () -> Request.of(PROMPT).withLogprobs(OptionalInt.of(21)));
        Request biased = greedy(PROMPT, 1).withSampling(Sampling.greedy().withLogitBias(Map.of(61, 1.0)));
        assertEquals(
                "a logit bias is for token 61, which is not in the model's vocabulary of 61.",
                Thrown.message(BadInput.class, () -> alone(biased)));
        Engine.Settings settings = Engine.Settings.defaults();
        assertThrows(BadInput.class, () -> settings.withSequences(0));
        assertThrows(BadInput.class, () -> settings.withCacheBytes(0));
        try (Engine small = new Engine(model, settings.withCacheBytes(2 * model.pageBytes()))) {
            assertEquals(
                    "the prompt and its answer may take 129 tokens, the cache holds 128; ask for fewer or give it more"
                            + " memory.",
                    Thrown.message(BadInput.class, () -> small.submit(greedy(PROMPT, 121))));
            assertEquals(
                    Optional.empty(),
                    small.submit(greedy(PROMPT, 120).withMaxTokens(0)).next());
            Generation all = small.submit(greedy(PROMPT, Request.ALL)).await();
            assertEquals(128 - PROMPT.length, all.ids().length);
            assertEquals(Generation.FinishReason.LENGTH, all.finishReason());
        }
    }
}
