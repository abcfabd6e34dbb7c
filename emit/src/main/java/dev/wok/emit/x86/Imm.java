package dev.wok.emit.x86;

/// An immediate operand.
///
/// @param value what the instruction holds
public record Imm(int value) implements Operand {
    /// @return the operand of a value
    public static Imm imm(int value) {
        return new Imm(value);
    }

    @Override
    public String toString() {
        return Integer.toString(value);
    }
}
