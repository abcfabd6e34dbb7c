package dev.wok.cli;

import dev.wok.api.Model;
import dev.wok.device.DeviceName;
import dev.wok.kernel.Backend;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// The options of every command that computes: on which device and kernels, in which arithmetic, on how many
/// threads.
final class ComputeOptions {
    static final String DEVICES =
            "cpu (the default); cuda or cuda:N, an NVIDIA GPU; emulated, a GPU that does not exist: slow, with every"
                    + " check on.";

    @Mixin
    Where where = new Where();

    @Option(
            names = "--dtype",
            paramLabel = "T",
            description =
                    "f32 (the default on a cpu); bf16 (on a GPU): weights and what enters matrix products rounded to"
                            + " bfloat16; or, with --backend reference, f64.")
    @Nullable
    String dtype;

    @Option(
            names = "--weights",
            paramLabel = "W",
            description =
                    "f32, bf16, int8, fp8 or int4: what the model's matrices are held as in memory; without, what they"
                            + " are stored as. Whole numbers share a scale in groups of 64 and meet rounded tokens,"
                            + " fp8 (E4M3) does in groups of 128.")
    @Nullable
    String weights;

    /// @throws BadInput where there are no such kernels
    Model.Options options(Progress progress) {
        Model.Options options = where.options(progress);
        options = dtype == null ? options : options.withDType(dtype(dtype, where.backend()));
        return weights == null ? options : options.withWeights(storage("--weights", weights));
    }

    /// @param option that names it, for a refusal
    static Storage storage(String option, String name) {
        Storage storage = Storage.byName().get(name);
        if (storage == null) {
            throw new BadInput("%s %s: expected f32, bf16, int8, fp8 or int4.".formatted(option, name));
        }
        return storage;
    }

    private static DType dtype(String dtype, @Nullable Backend asked) {
        return switch (dtype) {
            case "f32" -> DType.F32;
            case "bf16" -> DType.BF16;
            case String s when s.equals("f64") && asked == Backend.REFERENCE -> DType.F64;
            default ->
                throw new BadInput("--dtype %s: expected f32, bf16, or f64 with --backend reference.".formatted(dtype));
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

    /// On which kernels, and on how many threads.
    static final class Where {
        @Option(names = "--device", paramLabel = "D", defaultValue = "cpu", description = DEVICES)
        String device = "cpu";

        @Option(
                names = "--backend",
                paramLabel = "B",
                description =
                        "x86, vector (fast) or reference (slow, accumulates in double precision), ptx on a GPU; without,"
                                + " the fastest that runs there.")
        @Nullable
        String backend;

        @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: all processors).")
        @Nullable
        Integer threads;

        /// @throws BadInput where there are no such kernels
        Model.Options options(Progress progress) {
            Backend asked = backend();
            DeviceName named = DeviceName.parse("--device", device);
            named.requireHere();
            Model.Options options = Model.Options.defaults()
                    .withDevice(named)
                    .withProgress(progress)
                    .withThreads(threads(threads));
            return asked == null ? options : options.withBackend(asked);
        }

        @Nullable
        Backend backend() {
            return switch (backend) {
                case null -> null;
                case "x86" -> Backend.X86;
                case "vector" -> Backend.VECTOR;
                case "reference" -> Backend.REFERENCE;
                case "ptx" -> Backend.PTX;
                default ->
                    throw new BadInput("--backend %s: expected x86, vector, reference or ptx.".formatted(backend));
            };
        }
    }
}
