package dev.wok.bench;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Tuning;
import dev.wok.model.Model;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// An open model with what it runs on.
record ModelUnderTest(Model model, HostDevice device, Processor processor, Setup setup) {
    /// Java's compiler is done by then.
    static final long WARM_UP_NANOS = 10_000_000_000L;

    /// Opens a model, measures, and closes it.
    ///
    /// @param backend or null for the fastest
    static List<Row> run(
            Path folder,
            int threads,
            @Nullable Backend backend,
            Precision precision,
            Progress progress,
            Function<ModelUnderTest, List<Row>> measurement) {
        try (HostDevice device = Device.host(threads)) {
            Backend chosen = backend == null ? Kernels.fastest(device) : backend;
            Tuning.ensure(device, chosen, progress);
            Kernels kernels = Kernels.on(device.stream(), chosen, precision);
            Processor processor = Processor.describe(device);
            try (Model model = Model.open(folder, kernels, progress)) {
                return measurement.apply(
                        new ModelUnderTest(model, device, processor, Setup.of(kernels, processor, threads)));
            }
        }
    }
}
