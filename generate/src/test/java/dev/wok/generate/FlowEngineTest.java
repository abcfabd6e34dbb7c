package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Forms of several parts, through an engine.
@Timeout(120)
class FlowEngineTest {
    private static final int STOP = 0;
    private static final int THOUGHT = 1;
    private static final List<byte[]> TOKENS = Small.jsonTokens();

    private static Device device;
    private static Model model;

    @BeforeAll
    static void build() {
        device = Device.host(2);
        model = Small.drafting(Kernels.on(device.stream(), Kernels.fastest(device)), 512);
    }

    @AfterAll
    static void close() {
        model.close();
        device.close();
    }

    private static int id(char c) {
        return IntStream.range(0, TOKENS.size())
                .filter(id -> TOKENS.get(id).length == 1 && TOKENS.get(id)[0] == c)
                .findFirst()
                .orElseThrow();
    }

    /// What the tokens say; the one without text is a vertical bar.
    private static String text(int[] ids) {
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(id == THOUGHT ? "|" : new String(TOKENS.get(id), StandardCharsets.US_ASCII));
        }
        return text.toString();
    }

    private static Request request(Flow flow, int seed, Map<Integer, Double> bias) {
        return Request.of(2, 3, 5 + seed)
                .withMaxTokens(100)
                .withStopIds(Set.of(STOP))
                .withSampling(Sampling.atTemperature(20).withSeed(seed).withLogitBias(bias))
                .withForm(new Request.Form(Constraint.of(flow), Vocabulary.of(TOKENS)));
    }

    /// Thoughts of at most nine tokens, and then text with calls.
    private static Flow talk() {
        return Flow.sequence(
                Flow.free().until(Flow.token(THOUGHT)).mustGoOn().atMost(9),
                Flow.repeat(Flow.free()
                        .until(
                                Flow.given(" :"),
                                Flow.given("call "),
                                Flow.choice(Flow.given("get"), Flow.given("getall")),
                                Flow.given(" "),
                                Constraint.schema(
                                        "{\"type\": \"array\", \"maxItems\": 3, \"items\": {\"type\": \"boolean\"}}"),
                                Flow.given("\n"))));
    }

    /// As talks are, of a vertical bar where thoughts end.
    private static final Pattern TALK =
            Pattern.compile("[^|]*\\|(?:(?! :)[^~])*( :call get(all)? \\s?\\[[truefals,\\s]*]\n(?:(?! :)[^~])*)*");

    @Test
    void textsAreOfTheFormAndDraftsChangeNone() {
        List<Request> requests = IntStream.range(0, 16)
                .mapToObj(seed -> request(
                        talk(), seed, Map.of(id(' '), 70.0, id(':'), 70.0, THOUGHT, seed % 3 == 0 ? 60.0 : -60.0)))
                .toList();
        List<Generation> plain = generate(requests, Engine.Speculation.NEVER);
        List<Generation> drafted = generate(requests, Engine.Speculation.ALWAYS);
        int calls = 0;
        int stopped = 0;
        int limited = 0;
        for (int i = 0; i < requests.size(); i++) {
            Generation generation = plain.get(i);
            assertArrayEquals(generation.ids(), drafted.get(i).ids());
            assertEquals(generation.finishReason(), drafted.get(i).finishReason());
            String text = text(generation.ids());
            boolean whole = generation.finishReason() == Generation.FinishReason.STOP;
            Matcher matcher = TALK.matcher(text);
            assertTrue(matcher.matches() || !whole && matcher.hitEnd(), text);
            int thoughts = IntStream.range(0, 10)
                    .filter(at -> generation.ids()[at] == THOUGHT)
                    .findFirst()
                    .orElseThrow();
            limited += thoughts == 9 ? 1 : 0;
            stopped += whole ? 1 : 0;
            calls += text.split(" :call get", -1).length - 1;
        }
        String what = "%d calls, %d stopped, %d limited".formatted(calls, stopped, limited);
        assertTrue(calls > 10 && stopped > 2 && stopped < 16 && limited > 2 && limited < 16, what);
        long read = drafted.stream().mapToLong(one -> one.drafts().read()).sum();
        long accepted =
                drafted.stream().mapToLong(one -> one.drafts().accepted()).sum();
        assertTrue(read > 200 && accepted > 20, read + " drafts, " + accepted + " right");
    }

    private static List<Generation> generate(List<Request> requests, Engine.Speculation speculation) {
        try (Engine engine = new Engine(model, Engine.Settings.defaults().withSpeculation(speculation))) {
            return requests.stream().map(engine::submit).toList().stream()
                    .map(Decoding::await)
                    .toList();
        }
    }

    /// Where nothing can follow, there is no need for a stop token; where one is asked for, it ends nothing.
    @Test
    void theFormEndsTheText() {
        Flow flow = Flow.sequence(Flow.given("ab"), Flow.token(STOP), Flow.token(STOP), Flow.given("cd"));
        Generation generation = generate(List.of(request(flow, 1, Map.of())), Engine.Speculation.ALWAYS)
                .getFirst();
        assertArrayEquals(new int[] {id('a'), id('b'), STOP, STOP, id('c'), id('d')}, generation.ids());
        assertEquals(Generation.FinishReason.STOP, generation.finishReason());
    }

    /// What free text allows is what no form allows.
    @Test
    void freeTextIsAsWithoutAForm() {
        Request free = request(Flow.free(), 3, Map.of());
        Request plain = Request.of(free.prompt())
                .withMaxTokens(free.maxTokens())
                .withStopIds(free.stopIds())
                .withSampling(free.sampling());
        List<Generation> both = generate(List.of(free, plain), Engine.Speculation.WHERE_FASTER);
        assertArrayEquals(both.getLast().ids(), both.getFirst().ids());
    }
}
