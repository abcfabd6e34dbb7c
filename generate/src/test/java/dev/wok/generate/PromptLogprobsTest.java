package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.generate.Engine.Speculation;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What the model says of a prompt's own tokens.
@Timeout(120)
class PromptLogprobsTest {
    private static final int CONTEXT = 640;

    @TempDir
    private Path temporary;

    private static int[] prompt(int tokens) {
        return IntStream.range(0, tokens)
                .map(i -> (i * i + 5 * i + tokens) % Small.VOCABULARY)
                .toArray();
    }

    /// Logits of a text have the same bits however it is read, and the sum is the one of generated tokens: so do these.
    private static List<Token> expected(Model model, int alternatives, int... prompt) {
        Tensor all = model.logits(prompt);
        List<Token> tokens = new ArrayList<>();
        tokens.add(new Token(prompt[0], Double.NaN, List.of()));
        for (int i = 1; i < prompt.length; i++) {
            float[] logits = all.select(0, i - 1).toFloats();
            List<Integer> order = IntStream.range(0, logits.length)
                    .boxed()
                    .sorted(Comparator.comparingDouble(id -> -logits[id]))
                    .toList();
            double logSum = LogSumExp.of(LogSumExp.widened(logits)).value();
            tokens.add(new Token(
                    prompt[i],
                    logits[prompt[i]] - logSum,
                    order.subList(0, alternatives).stream()
                            .map(id -> new Token.Alternative(id, logits[id] - logSum))
                            .toList()));
        }
        return tokens;
    }

    @ParameterizedTest
    @EnumSource(Speculation.class)
    void areTheModelsOwnAndChangeNothing(Speculation speculation) {
        try (Device device = Device.host(2);
                Model model = Small.opened(
                        Kernels.on(device.stream(), Kernels.fastest(device)), CONTEXT, temporary.resolve("model"));
                Engine engine = new Engine(model, Engine.Settings.defaults().withSpeculation(speculation))) {
            for (int length : new int[] {1, 2, 31, 32, 64, 65, 600, CONTEXT}) {
                int[] prompt = prompt(length);
                List<List<Token>> expected = List.of(expected(model, 0, prompt), expected(model, 3, prompt));
                for (int tokens : new int[] {0, 1, 7}) {
                    Request plain = Request.of(prompt).withMaxTokens(tokens).withSampling(Sampling.greedy());
                    Decoding first = engine.submit(plain.withPromptLogprobs(true));
                    Decoding second =
                            engine.submit(plain.withLogprobs(OptionalInt.of(3)).withPromptLogprobs(true));
                    Generation generation = first.await();
                    assertEquals(Math.min(tokens, CONTEXT - length), generation.ids().length);
                    assertEquals(Generation.FinishReason.LENGTH, generation.finishReason());
                    assertEquals(length, generation.promptTokens());
                    assertEquals(0, first.knownTokens());
                    assertEquals(expected.getFirst(), first.prompt());
                    assertArrayEquals(generation.ids(), second.await().ids());
                    assertEquals(0, second.knownTokens());
                    assertEquals(expected.getLast(), second.prompt());
                    Decoding third = engine.submit(plain);
                    assertArrayEquals(generation.ids(), third.await().ids());
                    assertEquals(List.of(), third.prompt());
                    assertEquals(tokens == 0 || length == CONTEXT ? 0 : length - 1, third.knownTokens());
                }
            }
        }
    }

    /// What is read before pages have to be given back is not scored again, and is adopted.
    @Test
    void goOnWherePagesWereTakenAway() {
        try (Device device = Device.host(2);
                Model model = Small.opened(
                        Kernels.on(device.stream(), Kernels.fastest(device)), CONTEXT, temporary.resolve("model"));
                Engine engine = new Engine(model, Engine.Settings.defaults().withCacheBytes(10 * model.pageBytes()))) {
            int[] prompt = prompt(500);
            Request request = Request.of(prompt)
                    .withMaxTokens(20)
                    .withSampling(Sampling.greedy())
                    .withPromptLogprobs(true);
            Request urgent =
                    Request.of(prompt(40)).withMaxTokens(300).withPriority(1).withSampling(Sampling.greedy());
            List<Token> expected = expected(model, 0, prompt);
            List<Decoding> all = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                all.add(engine.submit(request));
                engine.submit(urgent).next();
            }
            for (Decoding decoding : all) {
                assertEquals(20, decoding.await().ids().length);
                assertEquals(expected, decoding.prompt());
            }
        }
    }
}
