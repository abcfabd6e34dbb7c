package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.wok.fabric.Fabric;
import dev.wok.fabric.Shape;
import dev.wok.model.Training;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class MeasuredSpeedsTest {
    private static void assertRelative(double[] expected, double... speed) {
        assertArrayEquals(expected, MeasuredSpeeds.relative(speed), 1e-15);
    }

    @Test
    void speedsAreOverTheirMean() {
        assertRelative(new double[] {0.5, 1.5}, 2, 6);
        assertRelative(new double[] {1.5, 0.6, 0.9}, 5, 2, 3);
    }

    /// What differs by less than a tenth from the next is one speed, to the bit.
    @Test
    void ranksThatDifferLittleAreAlike() {
        assertArrayEquals(new double[] {1, 1, 1}, MeasuredSpeeds.relative(0.31, 0.3, 0.329));
        double[] two = MeasuredSpeeds.relative(1, 2.1, 1.05, 2, 0.95);
        assertArrayEquals(new double[] {two[0], two[1], two[0], two[1], two[0]}, two);
        assertArrayEquals(new double[] {1 / 1.42, 2.05 / 1.42}, new double[] {two[0], two[1]}, 1e-15);
    }

    @Test
    void aRankOfWhichNothingIsKnownIsLikeTheMean() {
        assertRelative(new double[] {1, 1}, 0, 0);
        assertRelative(new double[] {0.5, 1, 1.5}, 1, 0, 3);
    }

    /// The first rank is slow at first and as fast as the other after a half-life.
    @Test
    void allRanksHaveWhatEachMeasured() throws Exception {
        List<Fabric> ranks = Fabric.threads(Shape.oneMachine(2));
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            Future<double[]> theirs = other.submit(() -> speeds(ranks.get(1), 4, 4));
            double[] mine = speeds(ranks.getFirst(), 1, 4);
            assertArrayEquals(new double[] {3 / 3.5, 4 / 3.5}, mine, 1e-15);
            assertArrayEquals(mine, theirs.get());
        } finally {
            ranks.forEach(Fabric::close);
        }
    }

    private static double[] speeds(Fabric fabric, long before, long now) {
        MeasuredSpeeds speeds = new MeasuredSpeeds(fabric, 1);
        speeds.add(new Training.ExpertWork(100 * before, 100));
        speeds.add(new Training.ExpertWork(100 * now, 100));
        return speeds.ofRanks();
    }
}
