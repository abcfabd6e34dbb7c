package dev.wok.bench;

import dev.wok.kernel.Backend;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Settings;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The measurements: the door of this room. Their figures mean something only beside the limits of the same run.
public final class Bench {
    private Bench() {}

    /// Measures whole training steps.
    ///
    /// @param preset whose model is measured
    /// @param threads that compute
    /// @param backend or null for the fastest
    /// @throws BadInput where there is no such preset, or no such kernels on this machine
    public static List<Row> train(String preset, int threads, @Nullable Backend backend, Progress progress) {
        return TrainBench.run(preset, Settings.preset(preset), threads, backend, progress);
    }

    /// Measures single kernels.
    ///
    /// @param only the names of the rows that are wanted, or none for all
    /// @param threads that compute
    /// @param backend or null for the fastest
    /// @throws BadInput where there is no such row, or no such kernels on this machine
    public static KernelRun kernels(List<String> only, int threads, @Nullable Backend backend, Progress progress) {
        return KernelBench.run(only, threads, backend, Sizes.FULL, progress);
    }
}
