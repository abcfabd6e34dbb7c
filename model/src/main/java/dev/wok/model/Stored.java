package dev.wok.model;

import dev.wok.kernel.Packed;
import dev.wok.tensor.Tensor;
import java.util.stream.IntStream;
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

    /// Reads all of it, which expands latents, into keys and values apart.
    default void put(Place.Up to) {
        int nope = to.keys().k();
        int rank = to.keys().n();
        int valueDim = to.values().n();
        IntStream.range(0, (int) to.keys().dim(0)).parallel().forEach(head -> {
            long first = (long) head * (nope + valueDim);
            float[][] columns = new float[rank][nope];
            float[] values = new float[rank];
            for (int i = 0; i < nope; i++) {
                row(first + i, values);
                for (int r = 0; r < rank; r++) {
                    columns[r][i] = values[r];
                }
            }
            for (int r = 0; r < rank; r++) {
                to.keys().put((long) head * rank + r, columns[r]);
            }
            for (int i = 0; i < valueDim; i++) {
                row(first + nope + i, values);
                to.values().put((long) head * valueDim + i, values);
            }
        });
    }

    /// @return the tensor itself, where its numbers are what is stored, else null
    default @Nullable Tensor plain() {
        return null;
    }

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
