package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The options of every command that computes: on which kernels, and on how many threads.
final class ComputeOptions {
    @Option(
            names = "--backend",
            paramLabel = "B",
            description = "vector (the default: fast, float32) or reference (slow, accumulates in double precision).")
    @Nullable
    String backend;

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: all processors).")
    @Nullable
    Integer threads;

    /// Kernels and the device that they run on.
    record Compute(HostDevice device, Kernels kernels) implements AutoCloseable {
        @Override
        public void close() {
            device.close();
        }
    }

    /// @throws BadInput where there are no such kernels, or not on this machine
    Compute open() {
        Backend chosen = backend();
        HostDevice device = Device.host(threads(threads));
        try {
            return new Compute(device, Kernels.on(device.stream(), chosen));
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    /// @param text as `--dtype` has it
    /// @throws BadInput where these kernels do not compute in it
    DType dtype(String text) {
        if (text.equals("f32")) {
            return DType.F32;
        }
        if (text.equals("f64") && backend() == Backend.REFERENCE) {
            return DType.F64;
        }
        throw new BadInput("--dtype %s: expected f32, or f64 with --backend reference.".formatted(text));
    }

    private Backend backend() {
        return switch (backend) {
            case null -> Backend.VECTOR;
            case "vector" -> Backend.VECTOR;
            case "reference" -> Backend.REFERENCE;
            default -> throw new BadInput("--backend %s: expected vector or reference.".formatted(backend));
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
