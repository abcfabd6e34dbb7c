package dev.wok.emit.ptx;

/// A box in a tensor, written `[%map, {%x, %y}]`, made by [Ptx#tensor].
///
/// @param map where its tensor map is
/// @param coordinates of the box's first element, the innermost dimension first
record TensorPlace(Operand map, Vec coordinates) implements Operand {
    @Override
    public String toString() {
        return "[%s, %s]".formatted(map, coordinates);
    }
}
