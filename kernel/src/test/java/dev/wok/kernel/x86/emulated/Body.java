package dev.wok.kernel.x86.emulated;

/// What a vector instruction computes, on registers and memory alike: operands are places in one array.
@FunctionalInterface
interface Body {
    /// @param v the vector registers
    /// @param to where the result goes; not an operand, unless this [#isInPlace]
    /// @param was the result's register before
    /// @param a the first source where there are two
    /// @param b the last source
    /// @param bytes the vector length, or what a scalar takes of it
    void run(int[] v, int to, int was, int a, int b, int bytes, int immediate);

    /// @return whether each lane comes from the same lanes, so that the result may overwrite an operand
    default boolean isInPlace() {
        return false;
    }
}
