package dev.wok.device;

/// A mark in the work of a [GpuStream]. Closing it is optional: the GPU closes what is left.
public interface GpuEvent extends AutoCloseable {
    /// @return whether the work before it is done
    boolean isDone();

    /// Waits until the work before it is done.
    void synchronize();

    /// Waits for both events.
    ///
    /// @param start of the same GPU
    /// @return the time from that event to this one, in nanoseconds, as the GPU's clock has it: steps
    ///     of about 500
    long nanosSince(GpuEvent start);

    @Override
    void close();
}
