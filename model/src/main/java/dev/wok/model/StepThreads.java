package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// How many threads compute steps of one token, or of two: all, or fewer where fewer are faster. It is measured
/// while tokens are computed, and changes no result.
///
/* A small model's kernels take some microseconds each. Two virtual processors that are threads of one core then lose
 * more by waiting for each other, in the same core's queues, than they gain; and where Java's compiler or another process
 * wants a processor too, a step that needs all of them waits for the system's next tick. A stretch of steps on the chosen
 * number is followed by a short one on half or twice as many, less and less often as long as that is not faster. The
 * first steps of a stretch do not count, in which threads wake up or fall asleep.
 */
final class StepThreads {
    /// Steps that take longer have enough to do for all threads.
    private static final long LONG_NANOS = 10_000_000;

    private static final double FASTER = 0.95;
    private static final int COUNTED = 12;
    private static final int TRIAL = COUNTED + 2;
    private static final int PAUSE_MOST = 16 * TRIAL;

    private final int all;
    private int chosen;
    private int used;
    private int left = TRIAL;
    private int pause = TRIAL;
    private boolean fewer = true;
    private long usual;
    private long taken;

    /// @param all threads there are
    StepThreads(int all) {
        this.all = all;
        chosen = all;
        used = all;
    }

    /// @param most tokens of a step
    /// @return for one token, two and so on, or none where there is nothing to choose
    static List<StepThreads> of(Device device, int most) {
        return device instanceof HostDevice host && host.workers().count() > 1
                ? Stream.generate(() -> new StepThreads(host.workers().count()))
                        .limit(most)
                        .toList()
                : List.of();
    }

    /// Computes a step on as many threads as it is the turn of.
    <T> T run(Device device, Supplier<T> step) {
        return on(used, device, () -> {
            long begin = System.nanoTime();
            T result = step.get();
            took(System.nanoTime() - begin);
            return result;
        });
    }

    /// Computes something about as large as a step, on the number that is fastest as far as is known.
    <T> T like(Device device, Supplier<T> step) {
        return on(chosen, device, step);
    }

    private <T> T on(int threads, Device device, Supplier<T> step) {
        Workers workers = ((HostDevice) device).workers();
        workers.use(threads);
        try {
            return step.get();
        } finally {
            workers.use(all);
        }
    }

    /// @return the threads of the next step
    int used() {
        return used;
    }

    /// Notes how long a step took on [#used] threads.
    void took(long nanos) {
        left--;
        taken += left < COUNTED ? nanos : 0;
        if (left > 0) {
            return;
        }
        if (used != chosen) {
            decide();
            return;
        }
        usual = taken;
        int other = fewer ? chosen / 2 : Math.min(all, 2 * chosen);
        if (other == 0 || other == chosen || fewer && usual > COUNTED * LONG_NANOS) {
            fewer = !fewer;
            stretch(chosen, pause);
        } else {
            stretch(other, TRIAL);
        }
    }

    private void decide() {
        if (taken < FASTER * usual) {
            chosen = used;
            pause = TRIAL;
        } else {
            fewer = !fewer;
            pause = Math.min(2 * pause, PAUSE_MOST);
        }
        stretch(chosen, pause);
    }

    private void stretch(int threads, int steps) {
        used = threads;
        left = steps;
        taken = 0;
    }
}
