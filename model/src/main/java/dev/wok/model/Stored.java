package dev.wok.model;

import dev.wok.kernel.Packed;
import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// A tensor as a file holds it, read row by row as float32. A vector is one row.
interface Stored {
    /// @return its sizes
    long[] shape();

    /// @return what it takes in the file
    long bytes();

    /// Reads a row.
    ///
    /// @param to as long as a row
    void row(long row, float[] to);

    /// Reads a row into a packed weight.
    ///
    /// @param at the weight's row
    default void put(long row, Packed to, long at) {
        float[] values = new float[width()];
        row(row, values);
        to.put(at, values);
    }

    /// @return the tensor itself, where its numbers are what is stored, else null
    @Nullable
    Tensor plain();

    /// @return how many rows there are: one of a vector
    default long rows() {
        return shape().length < 2 ? 1 : shape()[0];
    }

    /// @return the length of a row
    default int width() {
        long[] shape = shape();
        return shape.length == 0 ? 1 : Math.toIntExact(shape[shape.length - 1]);
    }
}
