package dev.wok.serve;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.DoubleAdder;

/// How often something took how long. For any number of threads.
final class Histogram {
    /// Upper ends of the classes, in seconds; what took longer is in one more.
    private static final double[] ENDS = {
        .001, .002, .003, .005, .0075, .01, .015, .02, .03, .05, .075, .1, .15, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 7.5,
        10, 20, 30, 60, 120
    };

    private final AtomicLongArray counts = new AtomicLongArray(ENDS.length + 1);
    private final DoubleAdder sum = new DoubleAdder();

    void add(double seconds) {
        int i = 0;
        while (i < ENDS.length && seconds > ENDS[i]) {
            i++;
        }
        counts.incrementAndGet(i);
        sum.add(seconds);
    }

    long count() {
        long count = 0;
        for (int i = 0; i < counts.length(); i++) {
            count += counts.get(i);
        }
        return count;
    }

    /// @param share 0 to 1
    /// @return how long that share took at most, between the ends of a class as if it were even there;
    ///     NaN where nothing was measured
    double quantile(double share) {
        long count = count();
        double rank = share * count;
        double below = 0;
        for (int i = 0; i < ENDS.length; i++) {
            long here = counts.get(i);
            if (here > 0 && below + here >= rank) {
                double begin = i == 0 ? 0 : ENDS[i - 1];
                return begin + (ENDS[i] - begin) * (rank - below) / here;
            }
            below += here;
        }
        return count == 0 ? Double.NaN : ENDS[ENDS.length - 1];
    }

    /// Writes it in Prometheus' text form.
    void write(Exposition out, String name, String help) {
        out.head(name, "histogram", help);
        long below = 0;
        for (int i = 0; i < counts.length(); i++) {
            below += counts.get(i);
            out.sample(name + "_bucket", below, "le", i < ENDS.length ? Double.toString(ENDS[i]) : "+Inf");
        }
        out.sample(name + "_sum", sum.sum());
        out.sample(name + "_count", below);
    }
}
