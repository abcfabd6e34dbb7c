package dev.wok.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.generate.Constraint;
import dev.wok.generate.Generation.FinishReason;
import dev.wok.generate.Sampling;
import dev.wok.generate.Token;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Thrown;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ModelTest {
    private static final Answer.Options SHORT =
            Answer.Options.defaults().withMaxTokens(24).withIgnoreEos(true);
    private static final Model.Options ONE_THREAD = Model.Options.defaults().withThreads(1);

    @TempDir
    static Path temporary;

    private static Path folder;
    private static Model model;

    @BeforeAll
    static void load() throws IOException {
        folder = Tiny.model(temporary.resolve("model"));
        model = Model.load(folder, ONE_THREAD);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    @Test
    void aGgufFileIsTheSameModel() throws IOException {
        Path file = Tiny.gguf(folder, temporary.resolve("tiny.gguf"));
        try (Model converted = Model.load(file, ONE_THREAD)) {
            assertArrayEquals(
                    model.tokenizer().orElseThrow().encode("public int x = 7;", true),
                    converted.tokenizer().orElseThrow().encode("public int x = 7;", true));
            Answer.Options greedy = SHORT.withSampling(Sampling.greedy());
            assertEquals(
                    model.generate("int x", greedy).text(),
                    converted.generate("int x", greedy).text());
            List<Message> question = List.of(Message.user("Hello!"));
            assertEquals(
                    model.chat(question, greedy).text(),
                    converted.chat(question, greedy).text());
        }
        try (Model idsAlone = Model.load(file, ONE_THREAD.withoutText())) {
            assertTrue(idsAlone.tokenizer().isEmpty());
        }
    }

    @Test
    void piecesAreTheTextAndComeOnce() {
        Answer answer = model.generate("int x", SHORT);
        StringBuilder pieces = new StringBuilder();
        for (String piece : answer) {
            assertFalse(piece.isEmpty());
            pieces.append(piece);
        }
        assertEquals(answer.text(), pieces.toString());
        assertEquals(answer.text(), model.generate("int x", SHORT).text());
        assertEquals(24, answer.ids().length);
        assertEquals(FinishReason.LENGTH, answer.finishReason());
        assertTrue(answer.prefillTokensPerSecond() > 0 && answer.decodeTokensPerSecond() > 0);
        Tokenizer tokenizer = model.tokenizer().orElseThrow();
        assertEquals(tokenizer.decode(answer.ids(), true), answer.text());
        assertEquals(tokenizer.encode("int x", true).length, answer.promptTokens(), 1);
        assertTrue(Thrown.message(IllegalStateException.class, () -> answer.forEach(_ -> {}))
                .contains("computed once"));
    }

    /// With stop texts, which some tokens wait for and some go into, and without.
    @Test
    void piecesHaveTheirTokens() {
        String text = model.generate("int x", SHORT).text();
        for (String stop : List.of("never to be found", text.substring(7, 9), text.substring(11, 14))) {
            Answer answer = model.generate("int x", SHORT.withStops(stop));
            StringBuilder said = new StringBuilder();
            List<Token> tokens = new ArrayList<>();
            answer.pieces().forEachRemaining(piece -> {
                said.append(piece.text());
                tokens.addAll(piece.tokens());
            });
            assertEquals(answer.text(), said.toString());
            assertEquals(answer.tokens(), tokens);
        }
    }

    @Test
    void textGivesWhatAnIteratorLeft() {
        Answer answer = model.generate("int x", SHORT);
        String first = answer.iterator().next();
        assertTrue(answer.text().startsWith(first) && answer.text().length() > first.length());
    }

    @Test
    void figuresComeAtTheEnd() {
        Answer answer = model.generate("int x", SHORT);
        answer.iterator().next();
        assertEquals(
                "the answer has not ended; read it to its end, or call text() first",
                Thrown.message(IllegalStateException.class, answer::ids));
        answer.cancel();
        assertEquals(FinishReason.CANCELLED, answer.finishReason());
    }

    /// Also where the rest was generated meanwhile: the same question, asked later, has its answer.
    @Test
    void whatIsCancelledIsWhatWasReadOfIt() {
        Answer answer = model.generate("int x", SHORT);
        String first = answer.iterator().next();
        String whole = model.generate("int x", SHORT).text();
        answer.cancel();
        assertEquals(FinishReason.CANCELLED, answer.finishReason());
        assertEquals(first, answer.text());
        assertTrue(whole.startsWith(first) && answer.ids().length < 24);
    }

    /// Every stop string that the text has, also one that spans tokens.
    @Test
    void theTextEndsBeforeAStopString() {
        Answer whole = model.generate("int x", SHORT);
        String text = whole.text();
        Rng rng = Seeds.rng("ModelTest.stops");
        for (int i = 0; i < 12; i++) {
            int from = rng.below(2 * i, text.length());
            int to = Math.min(text.length(), from + 1 + rng.below(2 * i + 1, 6));
            String stop = text.substring(from, to);
            Answer answer = model.generate("int x", SHORT.withStops("never to be found", stop));
            StringBuilder pieces = new StringBuilder();
            answer.forEach(pieces::append);
            String expected = text.substring(0, text.indexOf(stop));
            assertEquals(expected, pieces.toString(), stop);
            assertEquals(FinishReason.STOP, answer.finishReason());
            int[] ids = answer.ids();
            assertArrayEquals(Arrays.copyOf(whole.ids(), ids.length), ids);
            String decoded = model.tokenizer().orElseThrow().decode(ids, true);
            assertTrue(decoded.startsWith(expected) || expected.startsWith(decoded.replace("\uFFFD", "")), decoded);
        }
    }

    @Test
    void stopTokensAndTheEndOfTextStop() {
        int[] ids = answered(SHORT);
        Answer stopped = model.generate("int x", SHORT.withStopIds(ids[5]));
        stopped.text();
        assertEquals(FinishReason.STOP, stopped.finishReason());
        assertTrue(stopped.ids().length <= 5);
        int eos = model.tokenizer().orElseThrow().eosId().orElseThrow();
        Sampling ending = Sampling.greedy().withLogitBias(Map.of(eos, 100.0));
        Answer ended = model.generate("int x", SHORT.withIgnoreEos(false).withSampling(ending));
        assertEquals("", ended.text());
        assertEquals(FinishReason.STOP, ended.finishReason());
        assertEquals(24, answered(SHORT.withSampling(ending)).length);
    }

    /// Random weights say anything; what comes out is what the schema allows.
    @Test
    void theAnswerIsWhatASchemaAllows() {
        Constraint constraint = Constraint.schema(
                "{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\", \"maxLength\": 12}, \"kind\":"
                        + " {\"enum\": [\"a\", \"b\"]}}, \"required\": [\"name\", \"kind\"], \"additionalProperties\": false}");
        Answer.Options options = SHORT.withMaxTokens(300).withConstraint(constraint);
        for (int seed = 0; seed < 5; seed++) {
            Answer answer = model.generate(
                    "int x", options.withSampling(Sampling.atTemperature(1).withSeed(seed)));
            String text = answer.text();
            assertEquals(FinishReason.STOP, answer.finishReason(), text);
            assertTrue(text.strip().matches("(?s)\\{\\s*\"name\":\\s?\".*\",\\s*\"kind\":\\s?\"[ab]\"\\s*}"), text);
        }
    }

    private static int[] answered(Answer.Options options) {
        Answer answer = model.generate("int x", options);
        answer.text();
        return answer.ids();
    }

    @Test
    void tokensHaveLogProbabilities() {
        Answer answer =
                model.generate("int x", SHORT.withSampling(Sampling.greedy()).withLogprobs(2));
        answer.text();
        for (Token token : answer.tokens()) {
            assertEquals(token.id(), token.alternatives().getFirst().id());
            assertEquals(token.logprob(), token.alternatives().getFirst().logprob());
            assertEquals(2, token.alternatives().size());
            assertTrue(token.logprob() < 0);
        }
    }

    @Test
    void whoeverReadsCanCancel() {
        Answer answer = model.generate("int x", SHORT.withMaxTokens(100_000));
        Iterator<String> pieces = answer.iterator();
        String first = pieces.next();
        answer.cancel();
        while (pieces.hasNext()) {
            first += pieces.next();
        }
        assertEquals(answer.text(), first);
        assertEquals(FinishReason.CANCELLED, answer.finishReason());
        assertTrue(answer.ids().length < 1000);
        Answer unread = model.generate("int x", SHORT);
        unread.cancel();
        assertEquals("", unread.text());
        assertEquals(FinishReason.CANCELLED, unread.finishReason());
    }

    @Test
    @Timeout(60)
    void anotherThreadCanCancel() throws Exception {
        Answer answer = model.generate("int x", SHORT.withMaxTokens(100_000));
        try (ExecutorService threads = Executors.newFixedThreadPool(1)) {
            Future<String> text = threads.submit(answer::text);
            Thread.sleep(20);
            answer.cancel();
            text.get();
        }
        assertEquals(FinishReason.CANCELLED, answer.finishReason());
    }

    /// Prompts of several chunks among short ones.
    @Test
    void answersDoNotDependOnOthers() throws Exception {
        List<String> prompts = List.of("int x", "class A {".repeat(150), "return ", "a b c d e f ".repeat(90));
        List<int[]> alone = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            alone.add(read(prompts.get(i), i));
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<int[]>> together = new ArrayList<>();
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < prompts.size(); i++) {
                    int number = i;
                    together.add(threads.submit(() -> read(prompts.get(number), number)));
                }
            }
            for (int i = 0; i < together.size(); i++) {
                assertArrayEquals(alone.get(i % prompts.size()), together.get(i).get(), "answer " + i);
            }
        }
    }

    private static int[] read(String prompt, int seed) {
        Sampling sampling = Sampling.atTemperature(1).withSeed(seed);
        Answer answer = model.generate(prompt, SHORT.withSampling(sampling));
        answer.text();
        return answer.ids();
    }

    @Test
    void theNextTurnReadsOnlyWhatIsNew() {
        List<Message> messages = new ArrayList<>(List.of(Message.system("Be brief."), Message.user("hello")));
        Reply first = model.chat(messages, SHORT);
        messages.add(Message.assistant(first.text()));
        messages.add(Message.user("and now?"));
        Reply second = model.chat(messages, SHORT);
        second.text();
        assertTrue(
                second.answer().knownTokens() >= first.answer().promptTokens() - 1,
                second.answer().knownTokens() + " tokens were known");
        Reply again = model.chat(List.of(Message.system("Be brief."), Message.user("hello")), SHORT);
        assertEquals(first.text(), again.text());
        assertEquals(again.answer().promptTokens() - 1, again.answer().knownTokens());
    }

    @Test
    void aClosedModelSaysSo() {
        Model closed = Model.load(folder, ONE_THREAD);
        Answer begun = closed.generate("int x", SHORT);
        Iterator<String> pieces = begun.iterator();
        pieces.next();
        Answer unread = closed.generate("int x", SHORT);
        closed.close();
        closed.close();
        String closing = "the model is closed; load it again, or close it after its last answer";
        assertEquals(closing, Thrown.message(IllegalStateException.class, () -> closed.generate("x", SHORT)));
        assertEquals(closing, Thrown.message(IllegalStateException.class, () -> closed.logits(1)));
        String engine = "the engine is closed; close it after its last text has ended";
        assertEquals(engine, Thrown.message(IllegalStateException.class, () -> begun.text()));
        assertEquals(engine, Thrown.message(IllegalStateException.class, () -> unread.text()));
        assertEquals(
                "the answer failed before: " + engine,
                Thrown.message(IllegalStateException.class, () -> unread.text()));
    }

    @Test
    void withoutATokenizerIdsStillWork() throws IOException {
        Path bare = Tiny.model(temporary.resolve("bare"));
        Files.delete(bare.resolve("tokenizer.json"));
        int[] prompt = {1, 2, 3};
        try (Model ids = Model.load(bare, ONE_THREAD);
                Model without = Model.load(folder, ONE_THREAD.withoutText())) {
            for (Model wordless : List.of(ids, without)) {
                Answer answer = wordless.generate(prompt, SHORT);
                assertEquals("", answer.text());
                Answer texts = model.generate(prompt, SHORT);
                texts.text();
                assertArrayEquals(texts.ids(), answer.ids());
                String refusal = "the model folder has no tokenizer.json; give token ids instead of text.";
                assertEquals(refusal, Thrown.message(BadInput.class, () -> wordless.generate("x")));
                assertEquals(
                        refusal, Thrown.message(BadInput.class, () -> wordless.generate(prompt, SHORT.withStops("x"))));
            }
        }
    }

    @Test
    void withoutATemplateThereIsNoConversation() throws IOException {
        Path bare = Tiny.model(temporary.resolve("untold"));
        Files.delete(bare.resolve("tokenizer_config.json"));
        try (Model untold = Model.load(bare, ONE_THREAD)) {
            assertFalse(untold.hasChatTemplate());
            assertEquals(
                    "%s has no chat template (tokenizer_config.json or chat_template.jinja); use generate."
                            .formatted(bare),
                    Thrown.message(BadInput.class, () -> untold.chat(List.of(Message.user("hello")))));
        }
    }

    @Test
    void aModelInMemoryStaysItsOwners() {
        try (HostDevice device = Device.host(1);
                var network = dev.wok.model.Model.load(
                        folder, Kernels.on(device.stream(), Kernels.fastest(device)), DType.F32, Progress.silent())) {
            for (int i = 0; i < 2; i++) {
                try (Model of = Model.of(network, Tokenizer.load(folder))) {
                    assertEquals(
                            model.generate("int x", SHORT).text(),
                            of.generate("int x", SHORT).text());
                }
            }
            assertEquals(512, network.logits(1).dim(1));
        }
    }

    @Test
    void optionsReachTheKernels() {
        RecordingProgress progress = new RecordingProgress();
        Model.Options options = ONE_THREAD.withBackend(Backend.REFERENCE).withProgress(progress);
        try (Model exact = Model.load(folder, options.withDType(DType.F64));
                Model rounded = Model.load(folder, options.withDType(DType.BF16))) {
            Tensor found = exact.logits(5, 6, 7);
            assertEquals(DType.F64, found.dtype());
            Tensor fast = model.logits(5, 6, 7);
            double difference = 0;
            double rounding = 0;
            Tensor coarse = rounded.logits(5, 6, 7);
            for (long i = 0; i < found.elements(); i++) {
                difference = Math.max(difference, Math.abs(found.get(i) - fast.get(i)));
                rounding = Math.max(rounding, Math.abs(found.get(i) - coarse.get(i)));
            }
            assertTrue(difference < 1e-4 && rounding > 10 * difference, difference + " and " + rounding);
        }
        assertFalse(progress.tasks().isEmpty());
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeAnythingIsComputed() {
        assertThrows(BadInput.class, () -> model.generate(new int[0], SHORT));
        assertThrows(BadInput.class, () -> model.generate(new int[] {512}, SHORT));
        assertThrows(BadInput.class, () -> model.generate("x", SHORT.withStopIds(512)));
        assertThrows(BadInput.class, () -> model.generate("x", SHORT.withMaxTokens(-1)));
        assertThrows(BadInput.class, () -> model.generate("x", SHORT.withLogprobs(21)));
        assertThrows(BadInput.class, () -> SHORT.withStops(""));
        assertThrows(BadInput.class, () -> ONE_THREAD.withThreads(0));
        assertThrows(BadInput.class, () -> Model.load(temporary.resolve("nowhere")));
        assertEquals(
                "dtype f64: expected f32, bf16, or f64 with the reference backend.",
                Thrown.message(BadInput.class, () -> ONE_THREAD.withDType(DType.F64)));
    }
}
