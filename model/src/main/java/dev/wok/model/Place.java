package dev.wok.model;

import dev.wok.kernel.Packed;
import dev.wok.tensor.Tensor;

/// Where the numbers of one tensor of a checkpoint go.
sealed interface Place {
    /// @return the sizes that the checkpoint's tensor must have
    long[] shape();

    /// A tensor of its own, or a part of one.
    record Values(Tensor tensor) implements Place {
        @Override
        public long[] shape() {
            return tensor.shape();
        }
    }

    /// Rows of a packed weight.
    ///
    /// @param from the first, counted over all experts
    /// @param count how many
    record Rows(Packed weight, long from, int count) implements Place {
        @Override
        public long[] shape() {
            return new long[] {count, weight.k()};
        }
    }

    /// What expands latents, `[heads * (nope + v), rank]`, taken apart for the absorbed form.
    ///
    /// @param keys `[heads, rank, nope]`: each head's rows of the keys, transposed
    /// @param values `[heads, v, rank]`: each head's rows of the values
    record Up(Packed keys, Packed values) implements Place {
        @Override
        public long[] shape() {
            return new long[] {keys.dim(0) * (keys.k() + values.n()), values.k()};
        }
    }

    /// A table that is a packed weight too, which is made from the table's rows as they are held.
    record Both(Values table, Rows weight) implements Place {
        @Override
        public long[] shape() {
            return table.shape();
        }
    }
}
