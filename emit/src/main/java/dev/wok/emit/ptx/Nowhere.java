package dev.wok.emit.ptx;

/// The operand `_`, see [Operand#NOWHERE].
record Nowhere() implements Operand {
    @Override
    public String toString() {
        return "_";
    }
}
