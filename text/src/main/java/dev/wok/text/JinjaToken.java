package dev.wok.text;

/// A piece of a template: text to copy, or a word of an expression or statement.
///
/// @param text what it says: the text, the name, the operator, the digits, the string without quotes and escapes
/// @param line where it stands, from 1
record JinjaToken(Kind kind, String text, int line) {

    enum Kind {
        TEXT,
        PRINT_BEGIN,
        PRINT_END,
        TAG_BEGIN,
        TAG_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind other, String value) {
        return kind == other && text.equals(value);
    }
}
