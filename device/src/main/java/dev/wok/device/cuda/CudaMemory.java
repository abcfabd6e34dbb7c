package dev.wok.device.cuda;

import dev.wok.device.Memory;

/// Still to be written.
public abstract non-sealed class CudaMemory implements Memory {}
