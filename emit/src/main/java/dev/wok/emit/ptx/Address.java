package dev.wok.emit.ptx;

/// A place in memory, written `[%base+offset]`, made by [Reg#at] and [Symbol#at].
///
/// @param base a register or a variable
/// @param offset in bytes, 32 bits with a sign
public record Address(Operand base, long offset) implements Operand {
    public Address {
        if (!(base instanceof Reg || base instanceof Symbol)) {
            throw Caller.error("an address begins with %s; expected a register or a variable".formatted(base));
        }
        if (offset != (int) offset) {
            throw Caller.error("the offset from %s is %d; expected 32 bits with a sign: add the rest to a register"
                    .formatted(base, offset));
        }
    }

    /// @param bytes how much further on
    public Address plus(long bytes) {
        return new Address(base, offset + bytes);
    }

    @Override
    public String toString() {
        return "[%s%s]".formatted(base, offset == 0 ? "" : "+" + offset);
    }
}
