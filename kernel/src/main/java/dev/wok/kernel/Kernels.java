package dev.wok.kernel;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Gpu;
import dev.wok.device.HostDevice;
import dev.wok.device.Stream;
import dev.wok.kernel.dry.DryKernels;
import dev.wok.kernel.ptx.PtxKernels;
import dev.wok.kernel.reference.ReferenceKernels;
import dev.wok.kernel.x86.X86Kernels;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;

/// The operations of one backend on one stream: the door of this room. A model calls them without asking which backend
/// they are; nothing they compute is read back by the host before the end of a step.
///
/// @param choice which backend this is, and why
/// @param precision of matrix products
/// @param stream the order in which calls take effect
public record Kernels(
        Choice choice,
        Precision precision,
        Stream stream,
        Embedding embedding,
        RmsNorm rmsNorm,
        Matmul matmul,
        Fp8Matmul fp8Matmul,
        Rotary rotary,
        Attention attention,
        LatentKeys latentKeys,
        LatentAttention latentAttention,
        CachedAttention cachedAttention,
        Swiglu swiglu,
        Routing routing,
        BalanceLoss balanceLoss,
        Experts experts,
        CrossEntropy crossEntropy,
        Elementwise elementwise,
        AdamW adamW) {

    /// A backend and the reason for it.
    public record Choice(Backend backend, String reason) {}

    /// The fastest kernels for the stream's device, in the precision that it has by default.
    ///
    /// @throws BadInput where the fast ones cannot run and nobody asked for slow ones
    public static Kernels on(Stream stream) {
        Backend backend = fastest(stream.device());
        return on(stream, backend, usual(stream.device(), backend));
    }

    /// @return the fastest backend that runs on a device
    public static Backend fastest(Device device) {
        return switch (device) {
            case HostDevice host -> Processor.describe(host).used().isPresent() ? Backend.X86 : Backend.VECTOR;
            case DryDevice _ -> Backend.DRY;
            case Gpu _ -> Backend.PTX;
        };
    }

    /// @return what a backend multiplies in on a device where nobody asks for a precision: bf16 where the processor has
    ///     instructions for it
    public static Precision usual(Device device, Backend backend) {
        if (backend == Backend.PTX) {
            return Precision.BF16;
        }
        boolean multipliesBf16 = backend == Backend.X86
                && device instanceof HostDevice host
                && Processor.describe(host)
                        .used()
                        .map(Processor.InstructionSet::hasBf16)
                        .orElse(false);
        return multipliesBf16 ? Precision.BF16 : Precision.F32;
    }

    /// The kernels of a backend asked for by name, in float32.
    ///
    /// @throws BadInput where this backend cannot run on the stream's device, or not in this Java process
    public static Kernels on(Stream stream, Backend backend) {
        return on(stream, backend, Precision.F32);
    }

    /// The kernels of a backend and of a precision asked for by name.
    ///
    /// @throws BadInput where this backend cannot run on the stream's device, or not in this Java process
    public static Kernels on(Stream stream, Backend backend, Precision precision) {
        return switch (stream.device()) {
            case HostDevice host ->
                switch (backend) {
                    case REFERENCE -> ReferenceKernels.on(stream, precision);
                    case VECTOR -> VectorChoice.on(host, precision);
                    case X86 -> X86Kernels.on(host, Processor.describe(host), precision);
                    case PTX, DRY -> throw refused(stream, backend);
                };
            case DryDevice _ ->
                switch (backend) {
                    case DRY -> DryKernels.on(stream, precision);
                    case REFERENCE, VECTOR, X86, PTX -> throw refused(stream, backend);
                };
            case Gpu gpu ->
                switch (backend) {
                    case PTX -> PtxKernels.on(gpu, precision);
                    case REFERENCE, VECTOR, X86, DRY -> throw refused(stream, backend);
                };
        };
    }

    /// The bytes that this backend's forms of a weight take beside its values, where it keeps any.
    ///
    /// @param forms how many orientations of it are used: 1 to infer, 2 to train
    public long formBytes(Weight weight, int forms) {
        return switch (choice.backend) {
            case REFERENCE, VECTOR, DRY -> 0;
            case PTX ->
                weight instanceof Dense dense && precision == Precision.BF16 && !dense.exact()
                        ? PtxKernels.formBytes(dense)
                        : 0;
            case X86 ->
                switch (weight) {
                    case Packed _ -> 0;
                    case Dense dense ->
                        forms
                                * dense.value().elements()
                                * (precision == Precision.BF16 && !dense.exact() ? DType.BF16 : DType.F32).bytes();
                };
        };
    }

    private static BadInput refused(Stream stream, Backend backend) {
        return new BadInput("the %s kernels do not run on this device (%s)."
                .formatted(backend.text(), stream.device().describe()));
    }
}
