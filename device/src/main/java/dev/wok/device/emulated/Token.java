package dev.wok.device.emulated;

/// A word of PTX.
///
/// @param line from 1
record Token(Kind kind, String text, int line) {
    enum Kind {
        /// An opcode, a register, a name: letters, digits, `_`, `$`, `%`, with no dots but in `%tid.x`.
        WORD,
        /// A dot and what follows it up to the next dot, such as `.u32` or `.shared::cta`.
        DOTTED,
        NUMBER,
        STRING,
        MARK,
        END
    }

    boolean is(String mark) {
        return text.equals(mark) && kind != Kind.STRING;
    }
}
