package dev.wok.device.cuda;

import dev.wok.device.Gpu;

/// Still to be written.
public abstract non-sealed class CudaGpu implements Gpu {}
