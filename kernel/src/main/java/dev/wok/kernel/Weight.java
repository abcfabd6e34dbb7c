package dev.wok.kernel;

import dev.wok.tensor.Tensor;

/// A matrix `[n, k]`, or one for each expert, `[experts, n, k]`, that many products read and only few moments change.
///
/// A backend may keep forms of it that suit its products, with the [#version] that they were made from. So whoever
/// writes the values says so: [#changed].
public final class Weight {
    private final Tensor value;
    private final boolean exact;
    private long version;

    private Weight(Tensor value, boolean exact) {
        this.value = value;
        this.exact = exact;
    }

    /// A weight whose products have the precision of the kernels.
    public static Weight of(Tensor value) {
        return new Weight(value, false);
    }

    /// A weight whose products have [Precision#F32] whatever the kernels' is: a router's, whose choices jump where
    /// scores come close (DeepSeek-V3 §3.3.1 keeps the gate in higher precision).
    public static Weight exact(Tensor value) {
        return new Weight(value, true);
    }

    /// @return the numbers, over memory that somebody else owns
    public Tensor value() {
        return value;
    }

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
