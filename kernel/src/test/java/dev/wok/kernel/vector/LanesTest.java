package dev.wok.kernel.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class LanesTest {
    private static float[] exp(float... x) {
        float[] padded = Arrays.copyOf(x, (x.length + Lanes.COUNT - 1) / Lanes.COUNT * Lanes.COUNT);
        for (int i = 0; i < padded.length; i += Lanes.COUNT) {
            Lanes.exp(FloatVector.fromArray(Lanes.FLOATS, padded, i)).intoArray(padded, i);
        }
        return Arrays.copyOf(padded, x.length);
    }

    /// Every 64th float of the range in which results are normal numbers, and every one about the polynomial's seams.
    @Test
    void exponentialsAreWithinTheStatedBound() {
        double worst = 0;
        int least = Float.floatToIntBits(1e-9f);
        for (int sign : new int[] {1, -1}) {
            float limit = sign > 0 ? 88.72f : 87.3f;
            for (int bits = least; bits <= Float.floatToIntBits(limit); bits += 64 * Lanes.COUNT) {
                float[] x = new float[Lanes.COUNT];
                for (int i = 0; i < x.length; i++) {
                    x[i] = sign * Math.min(limit, Float.intBitsToFloat(bits + 64 * i));
                }
                float[] y = exp(x);
                for (int i = 0; i < x.length; i++) {
                    worst = Math.max(worst, Math.abs(y[i] / Math.exp(x[i]) - 1));
                }
            }
        }
        assertTrue(worst < 1.5e-7, "relative error " + worst);
        assertTrue(worst > 1e-8, "nothing was measured");
    }

    @Test
    void exponentialsAtTheEdges() {
        float infinity = Float.POSITIVE_INFINITY;
        float[] x = {0f, -0f, Float.NaN, infinity, -infinity, 88.8f, 89f, 1e30f, -87.4f, -88f, -1e30f, Float.MIN_VALUE};
        float[] expected = {1, 1, Float.NaN, infinity, 0, infinity, infinity, infinity, 0, 0, 0, 1};
        float[] given = exp(x);
        for (int i = 0; i < x.length; i++) {
            assertEquals(expected[i], given[i], "exp(" + x[i] + ")");
        }
        float[] last = exp(-87.3f, 88.7f);
        assertTrue(last[0] >= Float.MIN_NORMAL && last[1] < infinity, Arrays.toString(last));
        float[] nan = new float[Lanes.COUNT];
        Arrays.fill(nan, Float.intBitsToFloat(0xffc12345));
        Lanes.sigmoid(FloatVector.fromArray(Lanes.FLOATS, nan, 0)).intoArray(nan, 0);
        assertTrue(Float.isNaN(nan[0]), "sigmoid of NaN");
    }

    @Test
    void sigmoidSaturates() {
        FloatVector high = Lanes.sigmoid(Lanes.broadcast(200));
        FloatVector low = Lanes.sigmoid(Lanes.broadcast(-200));
        FloatVector half = Lanes.sigmoid(Lanes.zero());
        assertEquals(1, high.lane(0));
        assertEquals(0, low.lane(0));
        assertEquals(0.5f, half.lane(Lanes.COUNT - 1));
    }

    /// Halves added pairwise: `((l0 + l2) + (l1 + l3))` for four lanes, whatever the JVM does with the loop.
    @Test
    void sumsHaveAFixedOrder() {
        Rng rng = Seeds.rng("lanes");
        for (int round = 0; round < 20_000; round++) {
            float[] lanes = new float[Lanes.COUNT];
            for (int i = 0; i < lanes.length; i++) {
                lanes[i] = (float) rng.normal((long) round * lanes.length + i);
            }
            float sum = Lanes.sum(FloatVector.fromArray(Lanes.FLOATS, lanes, 0));
            for (int half = lanes.length / 2; half > 0; half /= 2) {
                for (int i = 0; i < half; i++) {
                    lanes[i] += lanes[i + half];
                }
            }
            assertEquals(lanes[0], sum);
        }
    }

    @Test
    void largestOfAllLanes() {
        float[] lanes = new float[Lanes.COUNT];
        for (int i = 0; i < lanes.length; i++) {
            Arrays.fill(lanes, -3);
            lanes[i] = -1;
            assertEquals(-1, Lanes.max(FloatVector.fromArray(Lanes.FLOATS, lanes, 0)));
            lanes[i] = Float.NaN;
            assertEquals(Float.NaN, Lanes.max(FloatVector.fromArray(Lanes.FLOATS, lanes, 0)));
        }
    }

    @Test
    void tailsCoverWhatIsLeft() {
        for (int left = 1; left <= 2 * Lanes.COUNT; left++) {
            assertEquals(Math.min(left, Lanes.COUNT), Lanes.tail(40, 40 + left).trueCount());
        }
    }
}
