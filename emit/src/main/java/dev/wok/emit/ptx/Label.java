package dev.wok.emit.ptx;

/// A place in a kernel's code, made by [PtxKernel#label], put by [PtxKernel#bind], written `$name`.
public final class Label implements Operand {
    final PtxKernel kernel;
    final String name;

    /// The line of Java that made it, for the complaint that it was never put.
    final String madeAt;

    boolean isBound;

    Label(PtxKernel kernel, String name, String madeAt) {
        this.kernel = kernel;
        this.name = name;
        this.madeAt = madeAt;
    }

    @Override
    public String toString() {
        return "$" + name;
    }
}
