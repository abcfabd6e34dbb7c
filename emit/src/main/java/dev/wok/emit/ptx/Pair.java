package dev.wok.emit.ptx;

/// Two results of one instruction, written `%d|%p`, made by [Ptx#pair].
///
/// @param first a register, or nowhere
/// @param second a predicate
record Pair(Operand first, Operand second) implements Operand {
    @Override
    public String toString() {
        return first + "|" + second;
    }
}
