package dev.wok.emit.ptx;

import java.util.List;
import java.util.stream.Collectors;

/// Several operands as one, written `{%a, %b}`, made by [Ptx#vec].
public record Vec(List<Operand> elements) implements Operand {
    @Override
    public String toString() {
        return elements.stream().map(Object::toString).collect(Collectors.joining(", ", "{", "}"));
    }
}
