package dev.wok.device;

/// Work that was captured, see [GpuStream#capture]. Closing it is optional: its stream closes what is
/// left.
public interface GpuGraph extends AutoCloseable {
    /// Does the work once more, on the stream that it was captured on.
    void launch();

    @Override
    void close();
}
