package dev.wok.kernel.x86.emulated;

import org.jspecify.annotations.Nullable;

/// A body that works on 32-bit lanes, each by itself.
interface Lanewise extends Body {
    /// What an instruction without a mask works on.
    ///
    /// @param b the last source, where `place` is null
    /// @param stride the bytes from one lane's operand in memory to the next one's
    record Operands(int to, int was, int a, int b, @Nullable Place place, int stride, int lanes, int immediate) {
        static final Operands NONE = new Operands(0, 0, 0, 0, null, 0, 0, 0);
    }

    @Override
    default boolean isInPlace() {
        return true;
    }

    Step step(Operands operands);
}
