package dev.wok.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/// Checks and arithmetic on shapes.
public final class Shape {
    private Shape() {}

    /// Requires a tensor to have exactly these sizes.
    ///
    /// @param op who asks, for the message ("RmsNorm")
    /// @param name the argument's name, for the message
    /// @param expected one size per dimension; a negative one stands for any size
    /// @throws IllegalArgumentException naming the argument, its shape and the expected one
    public static void require(String op, Tensor tensor, String name, long... expected) {
        boolean same = tensor.rank() == expected.length;
        for (int i = 0; same && i < expected.length; i++) {
            same = expected[i] < 0 || expected[i] == tensor.dim(i);
        }
        if (!same) {
            throw new IllegalArgumentException(
                    "%s: %s is %s, expected %s".formatted(op, name, text(tensor.shape()), text(expected)));
        }
    }

    /// Requires a tensor's elements to be of a type.
    ///
    /// @throws IllegalArgumentException naming the argument, its type and the expected one
    public static void require(String op, Tensor tensor, String name, DType expected) {
        if (tensor.dtype() != expected) {
            throw new IllegalArgumentException(
                    "%s: %s holds %s, expected %s".formatted(op, name, tensor.dtype(), expected));
        }
    }

    /// Requires the elements of each innermost row to be adjacent; rows may be apart.
    ///
    /// @throws IllegalArgumentException naming the argument
    public static void requireRows(String op, Tensor tensor, String name) {
        if (tensor.rank() == 0 || (tensor.dim(tensor.rank() - 1) > 1 && tensor.stride(tensor.rank() - 1) != 1)) {
            throw new IllegalArgumentException("%s: the rows of %s, %s, are not adjacent".formatted(op, name, tensor));
        }
    }

    /// As [#requireRows(String, Tensor, String)], and the elements to be of a type.
    public static void requireRows(String op, Tensor tensor, String name, DType expected) {
        require(op, tensor, name, expected);
        requireRows(op, tensor, name);
    }

    /// Requires the elements to lie in row order without gaps.
    ///
    /// @throws IllegalArgumentException naming the argument
    public static void requireContiguous(String op, Tensor tensor, String name) {
        if (!tensor.isContiguous()) {
            throw new IllegalArgumentException("%s: %s, %s, has gaps between its rows".formatted(op, name, tensor));
        }
    }

    /// @return the product of the sizes
    /// @throws ArithmeticException where a size is negative or the product exceeds 63 bits
    public static long elements(long... shape) {
        long product = 1;
        for (long size : shape) {
            if (size < 0) {
                throw new ArithmeticException("negative size in " + text(shape));
            }
            product = Math.multiplyExact(product, size);
        }
        return product;
    }

    /// @return the shape as people write it, `[2, 3]`, with `*` for any size
    public static String text(long... shape) {
        return Arrays.stream(shape)
                .mapToObj(size -> size == -1 ? "*" : Long.toString(size))
                .collect(Collectors.joining(", ", "[", "]"));
    }
}
