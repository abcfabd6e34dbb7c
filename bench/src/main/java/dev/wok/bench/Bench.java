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
    /// @param threads that compute
    /// @throws BadInput where there is no such measurement or preset
    public static List<Row> run(String name, String preset, int threads, Progress progress) {
        return switch (name) {
            case "train" -> TrainBench.run(preset, Settings.preset(preset), threads, progress);
            default -> throw new BadInput("there is no measurement %s; there is train.".formatted(name));
        };
    }
}
