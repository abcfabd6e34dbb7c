package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Checks that several operations share.
final class Operands {
    private Operands() {}

    /// Requires rows that a product reads: of the result's type, or BF16 where that is F32.
    ///
    /// @throws IllegalArgumentException naming the argument
    static void requireRead(String op, Tensor tensor, String name, DType result) {
        if (result != DType.F32 || tensor.dtype() != DType.BF16) {
            Shape.require(op, tensor, name, result);
        }
        Shape.requireRows(op, tensor, name);
    }
}
