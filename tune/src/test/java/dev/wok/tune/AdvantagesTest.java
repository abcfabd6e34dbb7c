package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import dev.wok.tune.Advantages.Scale;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdvantagesTest {
    /// What TRL 1.13's formula gives in float64.
    private static final List<double[]> TRL = List.of(new double[] {1, 0}, new double[] {0.25, 1});

    @Test
    void agreeWithTrl() {
        Advantages group = Advantages.of(TRL, Scale.GROUP, Advantages.EPSILON);
        assertArrayEquals(
                new double[] {0.7070067953266834, -0.7070067953266834},
                group.groups().get(0),
                1e-15);
        assertArrayEquals(
                new double[] {-0.7069734729900489, 0.7069734729900489},
                group.groups().get(1),
                1e-15);
        Advantages batch = Advantages.of(TRL, Scale.BATCH, Advantages.EPSILON);
        assertArrayEquals(
                new double[] {0.9699543013671409, -0.9699543013671409},
                batch.groups().get(0),
                1e-15);
        assertArrayEquals(
                new double[] {-0.7274657260253556, 0.7274657260253556},
                batch.groups().get(1),
                1e-15);
    }

    @Test
    void withoutScaleAreDistancesFromTheMean() {
        Advantages none = Advantages.of(List.of(new double[] {3, 0, 0, 1}), Scale.NONE, 7);
        assertArrayEquals(new double[] {2, -1, -1, 0}, none.groups().getFirst());
        assertEquals(0, none.equal());
    }

    @Test
    void ofEqualRewardsAreZero() {
        List<double[]> rewards = List.of(new double[] {0.1, 0.1, 0.1}, new double[] {1, 0}, new double[] {5});
        for (Scale scale : Scale.values()) {
            Advantages advantages = Advantages.of(rewards, scale, 0);
            assertArrayEquals(new double[3], advantages.groups().getFirst());
            assertArrayEquals(new double[1], advantages.groups().getLast());
            assertEquals(2, advantages.equal());
        }
    }

    @Test
    void refuseWhatIsNoNumber() {
        assertEquals(
                "a reward is NaN; rewards are finite numbers.",
                Thrown.message(
                        BadInput.class, () -> Advantages.of(List.of(new double[] {1, Double.NaN}), Scale.GROUP, 1e-4)));
    }

    @Test
    void longAnswersLoseReward() {
        assertEquals(0, Advantages.overlong(1, 20480, 4096, 1));
        assertEquals(0, Advantages.overlong(16384, 20480, 4096, 1));
        assertEquals(-0.25, Advantages.overlong(17408, 20480, 4096, 1));
        assertEquals(-0.5, Advantages.overlong(20480, 20480, 4096, 0.5));
        assertEquals(-1, Advantages.overlong(Integer.MAX_VALUE, 20480, 4096, 1));
    }
}
