package dev.wok.emit.ptx;

/// A predicate's opposite.
record Not(Reg predicate) implements Operand {
    @Override
    public String toString() {
        return "!" + predicate;
    }
}
