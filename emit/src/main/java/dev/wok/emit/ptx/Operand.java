package dev.wok.emit.ptx;

/// What an instruction works on. Plain Java numbers are operands too: an `int` or `long` for
/// integers and bits, a `float` for 32-bit and a `double` for 64-bit floating point; and an array
/// of registers is a vector.
public sealed interface Operand
        permits Reg, Not, Imm, Vec, Address, Symbol, Special, Pair, TensorPlace, Label, Nowhere {

    /// Where a result goes that nobody wants, written `_`.
    Operand NOWHERE = new Nowhere();
}
