package dev.wok.bench;

import dev.wok.kernel.Backend;
import dev.wok.kernel.Precision;
import dev.wok.model.Model;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The measurements: the door of this room. Their figures mean something only beside the limits of the
/// same run.
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

    /// Measures generation from a model folder: reading 512 tokens, and 128 new ones one after the other.
    ///
    /// @param threads that compute
    /// @param backend or null for the fastest
    /// @param precision of products with weights that are no whole numbers
    /// @throws BadInput where there is no such model, or no such kernels on this machine
    public static List<Row> generate(
            Path folder, int threads, @Nullable Backend backend, Precision precision, Progress progress) {
        return ModelUnderTest.run(
                folder, threads, backend, precision, progress, test -> GenerateBench.measure(test, progress));
    }

    /// Measures many texts at once from a model folder: their speed against that of one, the first token after
    /// a known beginning, and what a long prompt does to texts that go on.
    ///
    /// @param threads that compute
    /// @param backend or null for the fastest
    /// @param precision of products with weights that are no whole numbers
    /// @throws BadInput where there is no such model, or no such kernels on this machine
    public static List<Row> batch(
            Path folder, int threads, @Nullable Backend backend, Precision precision, Progress progress) {
        return ModelUnderTest.run(
                folder, threads, backend, precision, progress, test -> BatchBench.measure(test, progress));
    }

    /// Measures one text from a model folder with tokens guessed by multi-token prediction, against the same one
    /// without.
    ///
    /// @param threads that compute
    /// @param backend or null for the fastest
    /// @param precision of products with weights that are no whole numbers
    /// @throws BadInput where there is no such model or it cannot guess, or no such kernels on this machine
    public static List<Row> speculate(
            Path folder, int threads, @Nullable Backend backend, Precision precision, Progress progress) {
        return ModelUnderTest.run(
                folder, threads, backend, precision, progress, test -> SpeculationBench.measure(test, progress));
    }

    /// @return the shapes that [#makeModel] knows
    public static Set<String> shapes() {
        return Shapes.all().keySet();
    }

    /// Writes a model of random weights to measure with.
    ///
    /// @param target a folder that does not exist yet
    /// @param storage what the weights are held as
    /// @throws BadInput where there is no such preset, or the folder cannot be written
    public static void makeModel(String preset, Path target, Storage storage, Progress progress) {
        Model.draw(Shapes.named(preset), 1, target, storage, progress);
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
