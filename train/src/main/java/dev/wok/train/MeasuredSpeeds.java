package dev.wok.train;

import dev.wok.fabric.Fabric;
import dev.wok.fabric.MeasuredLoads;
import dev.wok.model.Training;
import java.nio.ByteBuffer;
import java.util.Arrays;

/// How fast the experts of each rank compute, measured while a run goes on: rows over the time that their products
/// take, of which those `halfLife` steps ago count half. All ranks come to the same speeds.
final class MeasuredSpeeds {
    /// A rank counts as one with the next slower one that it is not faster than by this.
    private static final double ALIKE = 0.1;

    private final Fabric fabric;
    private final double halfLife;

    /// Rows of this rank, and the nanoseconds that they took.
    private MeasuredLoads work = MeasuredLoads.none(2);

    MeasuredSpeeds(Fabric fabric, double halfLife) {
        this.fabric = fabric;
        this.halfLife = halfLife;
    }

    /// @param more of a step, on this rank
    void add(Training.ExpertWork more) {
        work = work.with(new double[] {more.rows(), more.nanos()}, halfLife);
    }

    /// Gathers what ranks measured: all of them make this call.
    ///
    /// @return as [#relative]
    double[] ofRanks() {
        double rows = work.sum()[0];
        double nanos = work.sum()[1];
        double speed = rows > 0 && nanos > 0 ? rows / nanos : 0;
        byte[] mine = ByteBuffer.allocate(Double.BYTES).putDouble(speed).array();
        return relative(fabric.allGather(mine).stream()
                .mapToDouble(theirs -> ByteBuffer.wrap(theirs).getDouble())
                .toArray());
    }

    /// Those that differ too little to tell them apart count as one, their mean.
    ///
    /// @param speed `[ranks]`, 0 where nothing was measured
    /// @return `[ranks]`: over the mean; 1 where nothing was measured
    static double[] relative(double... speed) {
        double[] sorted = Arrays.stream(speed).filter(s -> s > 0).sorted().toArray();
        double[] relative = new double[speed.length];
        Arrays.fill(relative, 1);
        for (int from = 0, to; from < sorted.length; from = to) {
            to = from + 1;
            while (to < sorted.length && sorted[to] < sorted[to - 1] * (1 + ALIKE)) {
                to++;
            }
            double one = mean(sorted, from, to) / mean(sorted, 0, sorted.length);
            for (int rank = 0; rank < speed.length; rank++) {
                if (speed[rank] >= sorted[from] && speed[rank] <= sorted[to - 1]) {
                    relative[rank] = one;
                }
            }
        }
        return relative;
    }

    private static double mean(double[] values, int from, int to) {
        return Arrays.stream(values, from, to).average().orElseThrow();
    }
}
