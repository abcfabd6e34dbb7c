package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.testkit.Property;
import org.junit.jupiter.api.Test;

class ExponentialsTest {
    /// [StrictMath#exp] is within one unit of the true power, and so is what is tested.
    @Test
    void powersAreWithinTwoUnits() {
        Property.of("ExponentialsTest.units")
                .size("count", 0, 5000)
                .size("reach", -6, 10)
                .cases(200)
                .check(c -> {
                    double reach = Math.scalb(1.0, c.size("reach"));
                    double[] x = new double[c.size("count")];
                    double[] powers = new double[x.length + 3];
                    for (int i = 0; i < x.length; i++) {
                        x[i] = -c.rng("x").uniform(i) * reach;
                        powers[i] = x[i];
                    }
                    Exponentials.replace(powers, x.length);
                    for (int i = 0; i < x.length; i++) {
                        double expected = StrictMath.exp(x[i]);
                        assertEquals(expected, powers[i], 2 * Math.ulp(expected), () -> "e^x");
                    }
                    assertEquals(0, powers[x.length]);
                });
    }

    @Test
    void endsAreWhatTheyAre() {
        double[] x = {0, -0.0, -1e-300, Double.NEGATIVE_INFINITY, -1e9, -745.2, Double.NaN, -744.4};
        double[] expected = {1, 1, 1, 0, 0, 0, Double.NaN, Double.MIN_VALUE};
        Exponentials.replace(x, x.length);
        assertArrayEquals(expected, x);
    }
}
