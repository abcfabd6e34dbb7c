package dev.wok.emit.ptx;

/// A register of one kernel, made by [PtxKernel#reg] and written `%name`.
public final class Reg implements Operand {
    final PtxKernel kernel;
    private final Type type;
    private final String name;

    Reg(PtxKernel kernel, Type type, String name) {
        this.kernel = kernel;
        this.type = type;
        this.name = name;
    }

    /// @return the type it was made with
    public Type type() {
        return type;
    }

    /// @return the opposite of this predicate, for guards, branches and `setp`
    public Operand not() {
        if (type != Type.PRED) {
            throw Caller.error("%s is a %s register; expected a predicate to negate".formatted(this, type));
        }
        return new Not(this);
    }

    /// @param offset in bytes
    /// @return the memory that this register points to, so much further on
    public Address at(long offset) {
        return new Address(this, offset);
    }

    @Override
    public String toString() {
        return "%" + name;
    }
}
