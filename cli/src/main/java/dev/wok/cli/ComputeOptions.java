package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Tuning;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The options of every command that computes: on which kernels, in which arithmetic, on how many threads.
final class ComputeOptions {
    @Option(
            names = "--backend",
            paramLabel = "B",
            description =
                    "x86, vector (fast) or reference (slow, accumulates in double precision); without, the fastest"
                            + " that runs here.")
    @Nullable
    String backend;

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: all processors).")
    @Nullable
    Integer threads;

    @Option(
            names = "--dtype",
            paramLabel = "T",
            defaultValue = "f32",
            description =
                    "f32 (the default); bf16: weights and what enters matrix products rounded to bfloat16; or, with"
                            + " --backend reference, f64.")
    String dtype = "f32";

    /// Kernels and the device that they run on.
    ///
    /// @param values what models hold
    record Compute(HostDevice device, Kernels kernels, DType values) implements AutoCloseable {
        /// @throws BadInput where the folder holds no model
        Model load(Path folder, Progress progress) {
            Model model = Model.load(folder, kernels, values, progress);
            if (kernels.precision() == Precision.BF16) {
                model.roundWeights();
            }
            return model;
        }

        @Override
        public void close() {
            device.close();
        }
    }

    /// @throws BadInput where there are no such kernels, or not on this machine
    Compute open(Progress progress) {
        Backend asked = backend();
        Precision precision = dtype.equals("bf16") ? Precision.BF16 : Precision.F32;
        DType values = values(asked);
        HostDevice device = Device.host(threads(threads));
        try {
            Backend chosen = asked == null ? Kernels.fastest(device) : asked;
            Tuning.ensure(device, chosen, progress);
            return new Compute(device, Kernels.on(device.stream(), chosen, precision), values);
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private DType values(@Nullable Backend asked) {
        if (dtype.equals("f32") || dtype.equals("bf16")) {
            return DType.F32;
        }
        if (dtype.equals("f64") && asked == Backend.REFERENCE) {
            return DType.F64;
        }
        throw new BadInput("--dtype %s: expected f32, bf16, or f64 with --backend reference.".formatted(dtype));
    }

    private @Nullable Backend backend() {
        return switch (backend) {
            case null -> null;
            case "x86" -> Backend.X86;
            case "vector" -> Backend.VECTOR;
            case "reference" -> Backend.REFERENCE;
            default -> throw new BadInput("--backend %s: expected x86, vector or reference.".formatted(backend));
        };
    }

    /// @param given with `--threads`, or null for all processors
    /// @throws BadInput where it is none
    static int threads(@Nullable Integer given) {
        if (given == null) {
            return Runtime.getRuntime().availableProcessors();
        }
        if (given < 1) {
            throw new BadInput("--threads %d: expected at least 1.".formatted(given));
        }
        return given;
    }
}
