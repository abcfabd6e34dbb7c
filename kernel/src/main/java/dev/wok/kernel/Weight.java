package dev.wok.kernel;

import dev.wok.tensor.Tensor;

/// A matrix `[n, k]`, or one for each expert, `[experts, n, k]`, that many products read: a [Dense] one
/// that training changes, or a [Packed] one that is read as it lies.
public sealed interface Weight permits Dense, Packed {
    /// @return the sizes
    long[] shape();

    /// @return the size of a dimension
    default long dim(int i) {
        return shape()[i];
    }

    /// @return whether its products are [Precision#F32] whatever the kernels' precision is
    boolean exact();

    /// A weight whose products have the precision of the kernels.
    static Dense of(Tensor value) {
        return new Dense(value, false);
    }

    /// A weight whose products have [Precision#F32] whatever the kernels' is: a router's, whose choices jump where
    /// scores come close (DeepSeek-V3 §3.3.1 keeps the gate in higher precision).
    static Dense exact(Tensor value) {
        return new Dense(value, true);
    }
}
