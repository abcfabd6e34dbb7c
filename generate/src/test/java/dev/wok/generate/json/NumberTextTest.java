package dev.wok.generate.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Seeds;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Bounds that digits are compared with, against comparisons of numbers.
class NumberTextTest {
    @Test
    void theSameNumbersAreWithin() {
        long seed = Seeds.of("NumberTextTest");
        int inside = 0;
        for (int i = 0; i < 3000; i++) {
            Random random = new Random(seed + i);
            BigDecimal low = number(random);
            BigDecimal high = random.nextInt(4) == 0 ? low : number(random);
            Range range = (random.nextInt(4) == 0 ? Range.ALL : Range.from(low.min(high), random.nextBoolean()))
                    .and(random.nextInt(4) == 0 ? Range.ALL : Range.to(low.max(high), random.nextBoolean()));
            boolean integer = random.nextBoolean();
            Range near = NumberText.near(range);
            Dfa dfa = NumberText.of(integer, integer ? near.whole() : near);
            for (int j = 0; j < 40; j++) {
                BigDecimal value = switch (random.nextInt(4)) {
                    case 0 -> low;
                    case 1 -> high.add(BigDecimal.valueOf(random.nextInt(3) - 1, random.nextInt(3)));
                    case 2 -> low.negate();
                    default -> number(random);
                };
                String text = value.toPlainString();
                boolean whole = text.indexOf('.') < 0;
                boolean expected = range.contains(value) && (whole || !integer);
                assertEquals(
                        expected,
                        PatternTest.accepts(dfa, text),
                        "%s of %s, integer %s, %s".formatted(text, range, integer, Seeds.hint(seed)));
                inside += expected ? 1 : 0;
            }
        }
        assertTrue(inside > 10_000);
    }

    private static BigDecimal number(Random random) {
        int bits = 1 + random.nextInt(30);
        return BigDecimal.valueOf(random.nextInt(1 << bits) - (1 << bits - 1), random.nextInt(6));
    }

    @Test
    void farBoundsMakeNoDifference() {
        Range far = Range.from(new BigDecimal("-1e400"), false).and(Range.to(new BigDecimal("1e400"), true));
        Dfa dfa = NumberText.of(false, NumberText.near(far));
        assertTrue(PatternTest.accepts(dfa, "-999999999999999999"));
        assertTrue(PatternTest.accepts(dfa, "0.5"));
        Dfa above = NumberText.of(false, NumberText.near(Range.from(new BigDecimal("1e-400"), false)));
        assertEquals(false, PatternTest.accepts(above, "0"));
        assertTrue(PatternTest.accepts(above, "0.00000000000001"));
    }
}
