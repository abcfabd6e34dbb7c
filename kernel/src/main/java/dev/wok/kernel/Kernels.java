package dev.wok.kernel;

import dev.wok.device.DryDevice;
import dev.wok.device.HostDevice;
import dev.wok.device.Stream;
import dev.wok.kernel.dry.DryKernels;
import dev.wok.kernel.reference.ReferenceKernels;
import dev.wok.notice.BadInput;

/// The operations of one backend on one stream: the door of this room. A model calls them without asking which backend
/// they are; nothing they compute is read back by the host before the end of a step.
///
/// @param choice which backend this is, and why
/// @param stream the order in which calls take effect
public record Kernels(
        Choice choice,
        Stream stream,
        Embedding embedding,
        RmsNorm rmsNorm,
        Matmul matmul,
        Rotary rotary,
        Attention attention,
        LatentKeys latentKeys,
        LatentAttention latentAttention,
        Swiglu swiglu,
        Routing routing,
        BalanceLoss balanceLoss,
        Experts experts,
        CrossEntropy crossEntropy,
        Elementwise elementwise,
        AdamW adamW) {

    /// A backend and the reason for it.
    public record Choice(Backend backend, String reason) {}

    /// The fastest kernels for the stream's device.
    ///
    /// @throws BadInput where the fast ones cannot run and nobody asked for slow ones
    public static Kernels on(Stream stream) {
        return switch (stream.device()) {
            case HostDevice _ -> on(stream, Backend.VECTOR);
            case DryDevice _ -> on(stream, Backend.DRY);
        };
    }

    /// The kernels of a backend asked for by name.
    ///
    /// @throws BadInput where this backend cannot run on the stream's device, or not in this Java process
    public static Kernels on(Stream stream, Backend backend) {
        return switch (stream.device()) {
            case HostDevice host ->
                switch (backend) {
                    case REFERENCE -> ReferenceKernels.on(stream);
                    case VECTOR -> VectorChoice.on(host);
                    case DRY -> throw refused(stream, backend);
                };
            case DryDevice _ ->
                switch (backend) {
                    case DRY -> DryKernels.on(stream);
                    case REFERENCE, VECTOR -> throw refused(stream, backend);
                };
        };
    }

    private static BadInput refused(Stream stream, Backend backend) {
        return new BadInput("the %s kernels do not run on this device (%s)."
                .formatted(backend.text(), stream.device().describe()));
    }
}
