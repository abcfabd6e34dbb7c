package dev.wok.device;

/// A call of NVIDIA's driver that failed. The message has the status, its number, what it means, the
/// call and its operands: `CUDA_ERROR_OUT_OF_MEMORY (2), out of memory: cuMemAlloc_v2(dptr=..,
/// bytesize=1024)`.
///
/// Work runs behind the calls: a kernel that went wrong is told by the next call that looks, such as
/// [Stream#synchronize], and often by every call after it; then only closing the device helps.
public final class CudaException extends RuntimeException {
    private final int code;

    /// @param code as the driver numbers it
    public CudaException(int code, String message) {
        super(message);
        this.code = code;
    }

    /// @return the driver's number, 2 for memory that has run out
    public int code() {
        return code;
    }
}
