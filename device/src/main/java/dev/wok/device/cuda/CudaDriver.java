package dev.wok.device.cuda;

/// NVIDIA's driver, or in tests something that keeps its books. Every thread may call it.
interface CudaDriver {
    /// @return whether this driver has a function; only those of [DriverFunction#since] may be missing
    boolean has(DriverFunction function);

    /// @param words the function's arguments: numbers, handles, and addresses of memory that is there
    ///     during the call; a structure that is passed by value as the address of its bytes
    /// @return a status, 0 where all is well
    int call(DriverFunction function, long... words);
}
