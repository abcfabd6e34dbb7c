package dev.wok.bench;

import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.device.Gpu;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Explanation;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.model.Model;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The measurements: the door of this room. Their figures mean something only beside the limits of the
/// same run.
public final class Bench {
    /// Training steps that are timed on a GPU.
    private static final int STEPS = 9;

    /// Tokens that are read on a GPU, and tokens that are generated after them.
    private static final int PROMPT = 512;

    private static final int TOKENS = 128;

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

    /// Measures a server on the loopback interface with a model folder against the engine behind it: all tokens per
    /// second of eight chats, the first token of a short one; and how many connections fare for a while.
    ///
    /// @param connections that ask again and again; 0 to leave that out
    /// @param seconds for which they do
    /// @param threads that compute
    /// @param backend or null for the fastest
    /// @param precision of products with weights that are no whole numbers
    /// @throws BadInput where there is no such model, or no such kernels on this machine
    public static List<Row> serve(
            Path folder,
            int connections,
            int seconds,
            int threads,
            @Nullable Backend backend,
            Precision precision,
            Progress progress) {
        return ModelUnderTest.run(
                folder,
                threads,
                backend,
                precision,
                progress,
                test -> ServeBench.measure(test, folder, connections, seconds, progress));
    }

    /// Measures groups of ranks that are processes of this machine: frames between two of them, tokens
    /// of a mixture-of-experts layer to their experts and back, sums. Where Open MPI is installed,
    /// against the same over it.
    ///
    /// @param only the names of the measurements that are wanted, or none for all
    /// @throws BadInput where there is no such measurement, where processes cannot be started, or one of them fails
    public static List<Row> fabric(List<String> only, Progress progress) {
        return FabricBench.run(only, progress);
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

    /// Measures single kernels of a GPU.
    ///
    /// @param only the names of the rows that are wanted, or none for all
    /// @throws BadInput where there is no such row, or nothing can be measured on such a device
    public static KernelRun kernels(List<String> only, DeviceName device, Progress progress) {
        return onChip(device, gpu -> GpuBench.run(gpu, only, GpuSizes.FULL, progress));
    }

    /// Measures whole training steps on a GPU.
    ///
    /// @param preset whose model is measured, or `moe-1b`, a model of a thousand million parameters
    /// @throws BadInput where there is no such preset, or nothing can be measured on such a device
    public static List<Row> train(String preset, DeviceName device, Progress progress) {
        Settings settings = GpuModelBench.settings(preset);
        return onChip(device, gpu -> GpuModelBench.train(gpu, preset, settings, STEPS, GpuSizes.FULL, progress));
    }

    /// Measures generation on a GPU from a model folder: reading 512 tokens, and 128 new ones one after the other.
    ///
    /// @throws BadInput where there is no such model, or nothing can be measured on such a device
    public static List<Row> generate(Path folder, DeviceName device, Progress progress) {
        return onChip(device, gpu -> {
            Kernels kernels = Kernels.on(gpu.stream(), Kernels.fastest(gpu), Precision.BF16);
            try (Model model = Model.open(folder, kernels, progress)) {
                return GpuModelBench.generate(gpu, model, PROMPT, TOKENS, GpuSizes.FULL, progress);
            }
        });
    }

    /// The same of a model of random weights that is in no folder.
    ///
    /// @param preset one of [#shapes]
    /// @param storage what its weights are held as
    /// @throws BadInput where there is no such preset, or nothing can be measured on such a device
    public static List<Row> generate(String preset, Storage storage, DeviceName device, Progress progress) {
        return onChip(device, gpu -> {
            try (Model model = GpuModelBench.drawn(gpu, preset, storage, progress)) {
                return GpuModelBench.generate(gpu, model, PROMPT, TOKENS, GpuSizes.FULL, progress);
            }
        });
    }

    /// Tells how the kernels of a row come about: what was asked for, what was chosen and why, the code, and what it
    /// takes.
    ///
    /// @param row a name of [#kernels(List, DeviceName, Progress)]
    /// @param device a GPU; on an emulated one nothing is computed
    /// @throws BadInput where there is no such row, or no such device
    public static List<Explanation> explain(String row, DeviceName device) {
        device.requireHere();
        try (Device opened = device.open(1)) {
            if (!(opened instanceof Gpu gpu)) {
                throw new BadInput(
                        "kernels of a %s are not explained, expected cuda, cuda:N or emulated.".formatted(device));
            }
            return GpuBench.explain(gpu, row, GpuSizes.FULL);
        }
    }

    private static <T> T onChip(DeviceName device, Function<Gpu, T> measurement) {
        device.requireHere();
        if (device.kind() != DeviceName.Kind.CUDA) {
            throw new BadInput("nothing is measured on the device %s, expected cuda or cuda:N.".formatted(device));
        }
        try (Device opened = device.open(1)) {
            return measurement.apply((Gpu) opened);
        }
    }
}
