package dev.wok.bench;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Settings;
import java.util.List;

/// The measurements by name: the door of this room.
public final class Bench {
    private Bench() {}

    /// Runs a measurement. Its figures mean something only beside the limits of the same run.
    ///
    /// @param name `train`
    /// @param preset whose model is measured
    /// @param threads that compute, 0 for all
    /// @throws BadInput where there is no such measurement or preset
    public static List<Row> run(String name, String preset, int threads, Progress progress) {
        int count = threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
        if (count < 1) {
            throw new BadInput("%d threads were asked for, expected 1 or more, or 0 for all.".formatted(threads));
        }
        return switch (name) {
            case "train" -> TrainBench.run(preset, Settings.preset(preset), count, progress);
            default -> throw new BadInput("there is no measurement %s; there is train.".formatted(name));
        };
    }
}
