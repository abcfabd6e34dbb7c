package dev.wok.tensor;

/// The element types that tensors hold, named as safetensors files name them.
public enum DType {
    /// IEEE 754 binary64; only the reference kernels compute in it.
    F64(8),
    /// IEEE 754 binary32.
    F32(4),
    /// The upper half of a binary32.
    BF16(2),
    /// IEEE 754 binary16.
    F16(2),
    /// 8 bits: see [E4m3].
    F8_E4M3(1),
    /// Two's complement, 64 bits.
    I64(8),
    /// Two's complement, 32 bits.
    I32(4),
    /// Two's complement, 8 bits.
    I8(1),
    /// A whole number from 0 to 255, or bits whose meaning its owner knows.
    U8(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /// @return the size of one element
    public int bytes() {
        return bytes;
    }

    /// @return whether the elements are floating-point numbers
    public boolean isFloating() {
        return switch (this) {
            case F64, F32, BF16, F16, F8_E4M3 -> true;
            case I64, I32, I8, U8 -> false;
        };
    }
}
