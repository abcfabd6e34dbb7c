package dev.wok.emit.ptx;

import java.util.Locale;

/// How two numbers compare. Those ending in U are true where one is not a number; signs are the
/// type's affair.
public enum Compare {
    EQ,
    NE,
    LT,
    LE,
    GT,
    GE,
    EQU,
    NEU,
    LTU,
    LEU,
    GTU,
    GEU,
    /// Neither is "not a number".
    NUM,
    /// One of them is "not a number".
    NAN;

    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
