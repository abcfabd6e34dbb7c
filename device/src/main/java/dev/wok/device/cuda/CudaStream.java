package dev.wok.device.cuda;

import dev.wok.device.GpuStream;

/// Still to be written.
public abstract non-sealed class CudaStream implements GpuStream {}
