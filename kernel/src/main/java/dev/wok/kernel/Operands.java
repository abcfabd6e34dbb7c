package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.Arrays;

/// Checks that several operations share.
final class Operands {
    private Operands() {}

    /// Requires a weight to have exactly these sizes.
    ///
    /// @throws IllegalArgumentException naming the argument, its sizes and the expected ones
    static void requireShape(String op, Weight weight, String name, long... expected) {
        switch (weight) {
            case Dense dense -> Shape.require(op, dense.value(), name, expected);
            case Packed packed -> {
                if (!Arrays.equals(packed.shape(), expected)) {
                    throw new IllegalArgumentException("%s: %s is %s, expected %s"
                            .formatted(op, name, Shape.text(packed.shape()), Shape.text(expected)));
                }
            }
        }
    }

    /// Requires a weight that a product reads: a dense one as [#requireRead(String, Tensor, String,
    /// DType)] says, or a packed one where the result is F32, or F64 on the reference kernels.
    ///
    /// @throws IllegalArgumentException naming the argument
    static void requireRead(String op, Weight weight, String name, DType result) {
        if (weight instanceof Dense dense) {
            requireRead(op, dense.value(), name, result);
        }
    }

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
