package dev.wok.device;

import dev.wok.device.cuda.Cuda;
import java.util.List;

/// The GPUs of this machine, or why there is none. A machine without a GPU is nothing unusual: asking
/// never fails and prints nothing.
public sealed interface Gpus {
    /// At least one GPU that can be opened.
    ///
    /// @param gpus in the driver's order; index `i` has number `i`
    record Found(List<GpuFacts> gpus) implements Gpus {
        public Found {
            gpus = List.copyOf(gpus);
        }

        /// Opens a GPU; whoever opens it closes it.
        ///
        /// @param index from 0
        /// @throws IllegalArgumentException where there is no such GPU
        /// @throws CudaException where the driver refuses, such as where another process has the GPU
        ///     for itself
        public Gpu open(int index) {
            if (index < 0 || index >= gpus.size()) {
                throw new IllegalArgumentException("GPU %d: this machine has %s, expected 0 to %d"
                        .formatted(index, gpus.size() == 1 ? "one GPU" : gpus.size() + " GPUs", gpus.size() - 1));
            }
            return Cuda.open(gpus.get(index));
        }
    }

    /// No GPU can be used.
    ///
    /// @param reason in words: `no CUDA driver: libcuda.so.1 is not on this machine`
    record Absent(String reason) implements Gpus {}

    /// Looks once per process; later calls return the same.
    static Gpus find() {
        return Cuda.find();
    }
}
