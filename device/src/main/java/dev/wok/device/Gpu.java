package dev.wok.device;

import dev.wok.device.cuda.CudaGpu;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// A graphics processor: memory of its own, streams of work, and programs in PTX.
///
/// Every thread may call it. Closing it closes all that is still open of it: graphs, programs, streams,
/// memory. What is used after it was closed throws an [IllegalStateException] that names it. Tensors in
/// its memory have an address and no bytes that the host could read; see [Tensor].
public sealed interface Gpu extends Device permits CudaGpu, EmulatedGpu {
    GpuFacts facts();

    @Override
    default long usableBytes() {
        return (long) (0.9 * facts().memoryBytes());
    }

    /// @return what PTX for this GPU names as its `.target`, `sm_90a`
    default String target() {
        return facts().capability().target();
    }

    /// Assembles PTX for this GPU.
    ///
    /// @throws PtxRejected where the assembler refuses it, with its words and the lines that it speaks
    ///     of
    PtxProgram load(String ptx);

    /// @return the stream that this GPU always has; uploads and downloads take their place in it
    @Override
    GpuStream stream();

    /// @return another stream, whose work overlaps with that of the others; closing it is optional
    GpuStream newStream();

    /// @return memory of the GPU: every tensor is allocated for itself, aligned to 256 bytes
    @Override
    Memory memory();

    /// @return memory of the host that stays where it is: host and GPU see its tensors at the same
    ///     address, and copies from and to it go on while the host does something else
    Memory pinned();

    /// @return memory of the GPU that is taken and given back in the order of a stream, without
    ///     waiting. Only work of that stream, and work that waits for it, may use its tensors
    Memory pooled(GpuStream stream);

    /// @return whether this GPU could read and write the memory of another one
    boolean canReach(Gpu other);

    /// Lets this GPU read and write the memory of another one, except pooled memory. Asking twice is
    /// harmless.
    ///
    /// @throws CudaException where it cannot
    void reach(Gpu other);

    /// Makes a tensor's memory known to other processes.
    ///
    /// @param tensor the beginning of what a [#memory] of this GPU handed out
    /// @return 64 bytes, which another process gives to [#open]
    byte[] export(Tensor tensor);

    /// Opens memory of another process of this machine.
    ///
    /// @param handle what [#export] returned there; it must keep the memory until this end is closed
    /// @param dtype of the tensor
    /// @param shape of the tensor, no larger than what was exported
    Import open(byte[] handle, DType dtype, long... shape);

    /// Another process's memory.
    interface Import extends AutoCloseable {
        Tensor tensor();

        @Override
        void close();
    }
}
