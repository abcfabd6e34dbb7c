package dev.wok.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.generate.Engine;
import dev.wok.generate.Generation.FinishReason;
import dev.wok.generate.Sampling;
import dev.wok.generate.Token;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What a model says beside its answers.
@Timeout(120)
class FiguresTest {
    @TempDir
    static Path temporary;

    private static Path folder;
    private static Model model;

    @BeforeAll
    static void load() throws IOException {
        folder = Tiny.model(temporary.resolve("model"));
        model = Model.load(folder, Model.Options.defaults().withThreads(1));
    }

    @AfterAll
    static void close() {
        model.close();
        assertEquals(
                "the model is closed; load it again, or close it after its last answer",
                Thrown.message(IllegalStateException.class, () -> model.embed(List.of("a"))));
    }

    /// The form of `echo` with `logprobs` that evaluations ask for.
    @Test
    void promptsHaveLogProbabilities() {
        Answer.Options none =
                Answer.Options.defaults().withMaxTokens(0).withLogprobs(2).withPromptLogprobs(true);
        Answer answer = model.generate("public int x = 7;", none);
        assertEquals("", answer.text());
        assertEquals(FinishReason.LENGTH, answer.finishReason());
        List<Token> prompt = answer.promptLogprobs();
        int[] ids = prompt.stream().mapToInt(Token::id).toArray();
        assertEquals(answer.promptTokens(), ids.length);
        Tensor logits = model.logits(ids);
        assertTrue(Double.isNaN(prompt.getFirst().logprob()));
        for (int i = 1; i < ids.length; i++) {
            float[] row = logits.select(0, i - 1).toFloats();
            double sum = 0;
            for (float logit : row) {
                sum += Math.exp(logit);
            }
            assertEquals(row[ids[i]] - Math.log(sum), prompt.get(i).logprob(), 1e-9);
            assertEquals(2, prompt.get(i).alternatives().size());
        }
        Answer without = model.generate("public int x = 7;", none.withPromptLogprobs(false));
        without.text();
        assertEquals(List.of(), without.promptLogprobs());
        Answer cancelled = model.generate("public int x = 7;", none);
        cancelled.cancel();
        assertEquals(List.of(), cancelled.promptLogprobs());
    }

    @Test
    void aDeadlineEndsAnAnswer() {
        Answer answer =
                model.generate("int", Answer.Options.defaults().withMaxTokens(5).withDeadline(Duration.ZERO));
        assertEquals("", answer.text());
        assertEquals(FinishReason.DEADLINE, answer.finishReason());
    }

    @Test
    void vectorsAreThoseOfTheTexts() throws IOException {
        String[] texts = {"public class A {}", "x", "public class A { }", "return ".repeat(400), "x"};
        List<float[]> vectors = model.embed(List.of(texts));
        assertEquals(texts.length, vectors.size());
        for (int i = 0; i < texts.length; i++) {
            assertEquals(model.config().hiddenSize(), vectors.get(i).length);
            assertEquals(1, dot(vectors.get(i), vectors.get(i)), 1e-6);
            assertArrayEquals(model.embed(List.of(texts[i])).getFirst(), vectors.get(i));
        }
        assertTrue(dot(vectors.get(0), vectors.get(2)) > dot(vectors.get(0), vectors.get(1)));
        Path pooling = Files.createDirectories(folder.resolve("1_Pooling")).resolve("config.json");
        try {
            Files.writeString(pooling, "{\"pooling_mode_lasttoken\": true}");
            float[] last = model.embed(List.of("x")).getFirst();
            assertNotEquals(Arrays.toString(vectors.get(1)), Arrays.toString(last));
            Files.writeString(pooling, "{\"pooling_mode_max_tokens\": true}");
            assertEquals(
                    pooling + " asks for pooling_mode_max_tokens, supported is one of pooling_mode_cls_token,"
                            + " pooling_mode_lasttoken, pooling_mode_mean_tokens.",
                    Thrown.message(BadInput.class, () -> model.embed(List.of("x"))));
        } finally {
            Files.delete(pooling);
        }
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    private static Engine.Activity idle() {
        Engine.Activity activity = model.activity();
        while (activity.running() + activity.waiting() > 0) {
            Thread.onSpinWait();
            activity = model.activity();
        }
        return activity;
    }

    @Test
    void workIsCounted() {
        Engine.Activity before = idle();
        List<long[]> use = model.expertUse();
        Answer answer = model.generate(
                "for (int i = 0;",
                Answer.Options.defaults().withMaxTokens(7).withIgnoreEos(true).withSampling(Sampling.greedy()));
        answer.text();
        Engine.Activity after = idle();
        assertEquals(answer.promptTokens(), after.promptTokens() - before.promptTokens());
        assertEquals(7, after.newTokens() - before.newTokens());
        assertEquals(0, after.usedPages());
        List<long[]> more = model.expertUse();
        assertEquals(model.config().numHiddenLayers(), more.size());
        // Known tokens choose no experts again, and the last of the answer is read by nobody.
        int read = answer.promptTokens() - answer.knownTokens() + 7 - 1;
        for (int layer = 0; layer < more.size(); layer++) {
            long chosen = Arrays.stream(more.get(layer)).sum()
                    - Arrays.stream(use.get(layer)).sum();
            assertEquals(model.config().isMoe(layer) ? 4 * read : 0, chosen, "layer " + layer);
        }
    }
}
