package dev.wok.bench;

import java.util.Arrays;

/// Repeats of a call, each right after a measurement of its limit: what else runs on the machine meets both alike.
///
/// @param nanos that a call took, the median
/// @param limit the median
record Repeats(double nanos, double limit) {
    private static final int LEAST = 5;
    private static final int MOST = 1001;
    private static final int WARM_UP_CALLS = 20;

    /// What is timed at once takes this long at least.
    private static final double SHORTEST_NANOS = 10e6;

    /// @param seconds of repeats, and half of it before them until Java's compiler is done
    static Repeats beside(Limit limit, Runnable call, double seconds) {
        int calls = warmUp(call, seconds / 2 * 1e9);
        limit.measure();
        double[] nanos = new double[MOST];
        double[] limits = new double[MOST];
        int n = 0;
        for (long begin = System.nanoTime();
                n < MOST && (n < LEAST || System.nanoTime() - begin < seconds * 1e9);
                n++) {
            limits[n] = limit.measure();
            nanos[n] = timed(call, calls) / calls;
        }
        return new Repeats(median(nanos, n), median(limits, n));
    }

    /// @return how many calls are timed at once
    private static int warmUp(Runnable call, double nanos) {
        double fastest = Double.MAX_VALUE;
        long begin = System.nanoTime();
        for (int i = 0; i < WARM_UP_CALLS || System.nanoTime() - begin < nanos; i++) {
            fastest = Math.min(fastest, timed(call, 1));
        }
        return (int) Math.max(1, Math.ceil(Math.min(SHORTEST_NANOS, nanos / LEAST) / Math.max(1, fastest)));
    }

    private static double timed(Runnable call, int calls) {
        long begin = System.nanoTime();
        for (int i = 0; i < calls; i++) {
            call.run();
        }
        return System.nanoTime() - begin;
    }

    static double median(double[] values, int count) {
        double[] sorted = Arrays.copyOf(values, count);
        Arrays.sort(sorted);
        return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    }
}
