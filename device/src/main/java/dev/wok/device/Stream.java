package dev.wok.device;

/// An order of work on one device: kernels called on a stream run one after another, and their results may be read by
/// later kernels of the same stream without waiting. The host's stream runs each kernel at its call.
public sealed interface Stream permits HostDevice.HostStream, DryDevice.DryStream, GpuStream {

    Device device();

    /// Waits until everything called so far is done.
    void synchronize();
}
