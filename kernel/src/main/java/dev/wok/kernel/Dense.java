package dev.wok.kernel;

import dev.wok.tensor.Tensor;

/// A weight as a tensor in row order, that few moments change.
///
/// A backend may keep forms of it that suit its products, with the [#version] that they were made from.
/// So whoever writes the values says so: [#changed].
public final class Dense implements Weight {
    private final Tensor value;
    private final boolean exact;
    private long version;

    Dense(Tensor value, boolean exact) {
        this.value = value;
        this.exact = exact;
    }

    /// @return the numbers, over memory that somebody else owns
    public Tensor value() {
        return value;
    }

    @Override
    public long[] shape() {
        return value.shape();
    }

    @Override
    public boolean exact() {
        return exact;
    }

    /// Says that the values were written: what a backend derived from them is out of date.
    public void changed() {
        version++;
    }

    /// @return how often the values have changed
    public long version() {
        return version;
    }

    @Override
    public String toString() {
        return (exact ? "exact " : "") + value;
    }
}
