package dev.wok.device;

import com.sun.management.OperatingSystemMXBean;
import dev.wok.tensor.Tensor;
import java.lang.management.ManagementFactory;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/// A place that has memory and runs kernels.
public sealed interface Device extends AutoCloseable permits HostDevice, DryDevice, Gpu {
    /// This machine's processor.
    ///
    /// @param threads how many threads compute together, at least 1
    static HostDevice host(int threads) {
        return new HostDevice(threads);
    }

    /// @return the bytes of memory that this process may use: the machine's, or the limit that a
    ///     container sets
    static long hostMemory() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    }

    /// @return what of [#hostMemory] a model may take, about: the system, Java and what a run needs
    ///     beside it get the rest
    static long usableMemory() {
        return (long) (0.85 * hostMemory());
    }

    /// @return what of this device's memory a model may take, about
    default long usableBytes() {
        return usableMemory();
    }

    /// A device that computes nothing: its tensors have shapes and no memory. Running a model on it
    /// measures the memory and the arithmetic that the real run takes, and proves that the host reads
    /// nothing back in between.
    static DryDevice dry() {
        return new DryDevice();
    }

    /// A GPU that does not exist: runs PTX on the host with every check on.
    static EmulatedGpu emulated() {
        return new EmulatedGpu();
    }

    /// @return one line for people: what it is and how much of it is used
    String describe();

    /// @return a new owner of tensors on this device; closing it frees them
    Memory memory();

    /// @return the stream in which this device does its work in the order of the calls
    Stream stream();

    /// Copies host elements to this device, converting the type, and waits.
    ///
    /// @param host a host tensor
    /// @param here a tensor of the same sizes on this device
    void upload(Tensor host, Tensor here);

    /// Waits for the stream and copies elements from this device to the host.
    ///
    /// @param here a tensor on this device
    /// @param host a host tensor of the same sizes
    void download(Tensor here, Tensor host);

    /// Does work of the host beside the device's, and waits for it: on the processor on the threads
    /// of its kernels, which are awake between two of them.
    ///
    /// @param work is given numbers from 0 on, by several threads; calls no kernel
    default void each(int count, IntConsumer work) {
        IntStream.range(0, count).parallel().forEach(work);
    }

    /// Gives the device's threads or handles back.
    @Override
    void close();
}
