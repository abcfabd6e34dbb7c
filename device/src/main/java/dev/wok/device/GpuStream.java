package dev.wok.device;

import dev.wok.device.cuda.CudaStream;
import dev.wok.tensor.Tensor;

/// An order of work on a [Gpu]. Calls return at once, the work comes later.
public sealed interface GpuStream extends Stream, AutoCloseable permits CudaStream, EmulatedGpu.EmulatedStream {
    @Override
    Gpu device();

    /// Launches a kernel.
    ///
    /// @param arguments one for each parameter, in order: [Integer], [Long], [Short], [Byte], [Float]
    ///     or [Double] by their bits; a [Tensor] or a [java.lang.foreign.MemorySegment] as its address;
    ///     a [TensorMap] as its 128 bytes. Tensors must lie in open memory that this GPU sees; a
    ///     number that is an address is taken as it is
    /// @throws IllegalArgumentException where the arguments do not fit the function's parameters,
    ///     naming the first that does not, or the launch does not fit this GPU
    void launch(PtxFunction function, Launch launch, Object... arguments);

    /// Copies elements, between memory of GPUs and pinned memory of the host.
    ///
    /// @param from contiguous
    /// @param to contiguous, of the same type and sizes
    void copy(Tensor from, Tensor to);

    /// Sets every byte.
    ///
    /// @param tensor contiguous, in memory of the GPU or in pinned memory
    void fill(Tensor tensor, byte value);

    /// @return a mark behind everything called so far
    GpuEvent record();

    /// Lets what is called from now on wait for an event of another stream. The host does not wait.
    void waitFor(GpuEvent event);

    /// Keeps what is called meanwhile instead of doing it.
    ///
    /// @param work calls this stream, from this thread; also others that wait for an event of this one
    ///     and for whose event this one waits at the end. It may neither wait nor take memory
    /// @return what was called, to be launched any number of times, with the same addresses each time:
    ///     the memory and the programs that it uses must stay open
    GpuGraph capture(Runnable work);

    /// Waits for its work, then ends the stream. The stream that a GPU always has ends with the GPU:
    /// closing it only waits.
    @Override
    void close();
}
