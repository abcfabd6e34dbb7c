package dev.wok.generate.json;

/// White space where it may stand: one blank, or the end of a line and up to four blanks or tabs for each
/// level of nesting. As a state: 0 before, 1 after a blank, 2 and more after the end of a line.
final class Space {
    static final int NONE = 0;
    private static final int BLANK = 1;
    private static final int LINE = 2;
    private static final int PER_LEVEL = 4;

    private Space() {}

    /// @param level how deep the place is nested
    /// @return the next state, or a negative number
    static int next(int space, int b, int level) {
        if (space == NONE) {
            return b == ' ' ? BLANK : b == '\n' ? LINE : -1;
        }
        boolean indents = space >= LINE && (b == ' ' || b == '\t') && space - LINE < PER_LEVEL * level;
        return indents ? space + 1 : -1;
    }
}
