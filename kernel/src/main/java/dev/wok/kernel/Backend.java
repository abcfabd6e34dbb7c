package dev.wok.kernel;

/// The implementations of the kernels.
public enum Backend {
    /// Plain loops that accumulate in double precision: the definition of every operation. Chosen only by name.
    REFERENCE,
    /// The Vector API in float32 on all threads; runs on every processor that the JDK knows.
    VECTOR,
    /// Machine code emitted at run time, in float32 or bfloat16 on all threads; on x86-64 processors with AVX2 or
    /// better.
    X86,
    /// PTX written at run time, in float32 or bfloat16, on a GPU of compute capability 8.0 or above, or an emulated
    /// one.
    PTX,
    /// Checks shapes and computes nothing, on a dry device.
    DRY;

    /// @return the name that options and messages use
    public String text() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
