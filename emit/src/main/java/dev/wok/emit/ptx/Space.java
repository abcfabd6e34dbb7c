package dev.wok.emit.ptx;

import java.util.Locale;

/// A state space: which memory an address is in. `SHARED` is the block's own; `SHARED_CLUSTER` that
/// of its whole cluster.
///
/// Source: PTX ISA 9.0, section 5.1.
public enum Space {
    /// Any of global, shared, local and constant memory, told apart when the program runs.
    GENERIC,
    GLOBAL,
    SHARED,
    SHARED_CTA,
    SHARED_CLUSTER,
    LOCAL,
    CONST,
    PARAM;

    /// @return as instructions spell it, with the dot before it; nothing for generic addresses
    String suffix() {
        return this == GENERIC ? "" : "." + name().toLowerCase(Locale.ROOT).replace("_", "::");
    }

    static Space of(String word) {
        return valueOf(word.toUpperCase(Locale.ROOT).replace("::", "_"));
    }

    /// @return whether 32 bits can hold an address
    boolean isShort() {
        return switch (this) {
            case SHARED, SHARED_CTA, SHARED_CLUSTER -> true;
            case GENERIC, GLOBAL, LOCAL, CONST, PARAM -> false;
        };
    }

    /// @return whether an instruction for this space takes a variable of that one
    boolean holds(Space variable) {
        return this == variable || isShort() && variable == SHARED;
    }

    @Override
    public String toString() {
        return this == GENERIC ? "generic" : suffix();
    }
}
