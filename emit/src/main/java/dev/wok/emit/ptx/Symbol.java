package dev.wok.emit.ptx;

/// A variable of a module or a kernel; its name is its address. Made by [Ptx#global],
/// [PtxKernel#shared] and others.
///
/// @param bytes its size, 0 where that is said at launch
public record Symbol(String name, Space space, Type type, long bytes) implements Operand {
    /// @param offset in bytes
    /// @return the memory so far into this variable
    public Address at(long offset) {
        return new Address(this, offset);
    }

    @Override
    public String toString() {
        return name;
    }
}
