package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Forms at random, over vocabularies at random: after any tokens those are allowed that a naive reading allows.
class RandomFlowsTest {
    private static final String[] TEXTS = {
        "<", "<a", "<a>", "<ab>", "a<a>", "ab", "aab", "b>", ">", "1", "12", "é", "<€", "tr", "true", "\"a\""
    };

    private static final Map<Flow, List<String>> VALUES = new LinkedHashMap<>();

    static {
        VALUES.put(Constraint.schema("{\"type\": \"boolean\"}"), List.of("true", "false"));
        VALUES.put(Constraint.schema("{\"enum\": [1, 12, \"a\", \"ab<\"]}"), List.of("1", "12", "\"a\"", "\"ab<\""));
        VALUES.put(
                Constraint.schema("{\"type\": \"integer\", \"minimum\": 1, \"maximum\": 21}"),
                IntStream.rangeClosed(1, 21).mapToObj(Integer::toString).toList());
    }

    /// A flow and what its tokens say; the first six ids say nothing, some of them end texts.
    private static final class Case {
        private final Random random;
        private final List<byte[]> tokens = new ArrayList<>();
        private final Set<Integer> stops;
        private final Flow flow;

        Case(Random random) {
            this.random = random;
            for (int i = 0; i < 6; i++) {
                tokens.add(new byte[0]);
            }
            byte[] all = String.join("", TEXTS).concat("false0345689").getBytes(StandardCharsets.UTF_8);
            Set<Integer> bytes = new TreeSet<>();
            for (byte b : all) {
                bytes.add((int) b);
            }
            bytes.forEach(b -> tokens.add(new byte[] {(byte) (int) b}));
            stops = random.nextInt(4) == 0
                    ? Set.of(0, 3, tokens.size())
                    : Set.of(random.nextInt(3), random.nextInt(3) + 3);
            for (int i = 0; i < 24; i++) {
                StringBuilder text = new StringBuilder();
                for (int j = 1 + random.nextInt(3); j > 0; j--) {
                    text.append(text());
                }
                byte[] cut = text.toString().getBytes(StandardCharsets.UTF_8);
                int from = random.nextInt(cut.length);
                tokens.add(Arrays.copyOfRange(cut, from, Math.min(cut.length, from + 1 + random.nextInt(5))));
            }
            flow = flow(3);
        }

        private String text() {
            return TEXTS[random.nextInt(TEXTS.length)];
        }

        private Flow.Trigger trigger() {
            return random.nextInt(3) == 0
                    ? Flow.token(random.nextInt(8) == 0 ? random.nextInt(tokens.size()) : random.nextInt(6))
                    : Flow.given(text());
        }

        private Flow flow(int depth) {
            return switch (random.nextInt(depth == 0 ? 4 : 9)) {
                case 0, 1 -> trigger();
                case 2 -> random.nextInt(4) == 0 ? Flow.given("") : Flow.given(text() + text());
                case 3 -> List.copyOf(VALUES.keySet()).get(random.nextInt(VALUES.size()));
                case 4 -> Flow.choice(flows(1, depth));
                case 5, 6 -> Flow.sequence(flows(0, depth));
                case 7 -> Flow.repeat(flow(depth - 1));
                default -> {
                    Flow.Free free = Flow.free();
                    for (int i = random.nextInt(3); i > 0; i--) {
                        free = free.until(trigger(), flows(0, depth));
                    }
                    free = random.nextBoolean() || free.ends().isEmpty() ? free : free.mustGoOn();
                    yield random.nextInt(3) == 0 ? free.atMost(random.nextInt(4)) : free;
                }
            };
        }

        private Flow[] flows(int least, int depth) {
            return IntStream.range(0, least + random.nextInt(3))
                    .mapToObj(_ -> flow(depth - 1))
                    .toArray(Flow[]::new);
        }

        FlowOracle.Verdict verdict(int... ids) {
            return FlowOracle.of(tokens, stops, VALUES, flow, ids);
        }

        FlowMatcher matcher() {
            return Constraint.of(flow).matcher(Vocabulary.of(tokens), stops);
        }
    }

    @Test
    void tokensAreAllowedThatLeadOn() {
        tokensAreAllowedThatLeadOn("RandomFlowsTest", 1000);
    }

    @Tag("slow")
    @Test
    void tokensAreAllowedThatLeadOnInMany() {
        tokensAreAllowedThatLeadOn("RandomFlowsTest.many", 20_000);
    }

    private static void tokensAreAllowedThatLeadOn(String id, int flows) {
        long seed = Seeds.of(id);
        int ended = 0;
        for (int i = 0; i < flows; i++) {
            Random random = new Random(seed + i);
            Case made = new Case(random);
            String hint = "flow %d (%s) %s, stops %s: ".formatted(i, Seeds.hint(seed), made.flow, made.stops);
            FlowMatcher matcher = made.matcher();
            int[] ids = {};
            while (ids.length < 14 && !matcher.mustEnd()) {
                BitSet allowed = Allowed.of(matcher, made.tokens.size());
                assertEquals(expected(made, ids), allowed, hint + shown(made, ids));
                assertFalse(allowed.isEmpty(), hint + "nothing follows " + shown(made, ids));
                int[] choices = allowed.stream().toArray();
                int next = choices[random.nextInt(choices.length)];
                assertEquals(made.verdict(ids).mayEnd(), matcher.mayEnd(), hint + shown(made, ids));
                if (matcher.ends(next)) {
                    break;
                }
                matcher.accept(next);
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = next;
            }
            if (matcher.mustEnd()) {
                assertEquals(new FlowOracle.Verdict(false, true), made.verdict(ids), hint + shown(made, ids));
                ended++;
            }
        }
        assertTrue(ended > flows / 4, ended + " ended");
    }

    private static BitSet expected(Case made, int[] ids) {
        BitSet expected = new BitSet();
        int[] more = Arrays.copyOf(ids, ids.length + 1);
        for (int id = 0; id < made.tokens.size(); id++) {
            more[ids.length] = id;
            boolean end = made.stops.contains(id) && made.verdict(ids).mayEnd();
            expected.set(id, end || made.verdict(more).isAllowed());
        }
        return expected;
    }

    private static String shown(Case made, int[] ids) {
        return IntStream.of(ids)
                .mapToObj(id -> id + "=" + new String(made.tokens.get(id), StandardCharsets.UTF_8))
                .toList()
                .toString();
    }
}
