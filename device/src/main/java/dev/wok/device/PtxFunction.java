package dev.wok.device;

/// An entry of a [PtxProgram], to be launched on a [GpuStream] of the same GPU.
public interface PtxFunction {
    String name();
}
