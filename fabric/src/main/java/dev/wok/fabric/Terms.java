package dev.wok.fabric;

/// What becomes of a choice's row on its way to the token that it was made for: one of four codes.
///
/* Bytes instead of an enumeration, since there is one for each choice of a batch, and they travel. */
final class Terms {
    /// The first row of a sum that is made where its rows are, and travels.
    static final byte BEGINS = 0;

    /// Another row of the sum that was begun before it.
    static final byte JOINS = 1;

    /// A row that travels by itself, since another of the same sum is elsewhere; the first of them.
    static final byte ALONE = 2;

    /// Another such.
    static final byte ALONE_TOO = 3;

    private Terms() {}

    static boolean isAlone(byte term) {
        return term >= ALONE;
    }

    /// @param i of a row that travels by itself
    /// @return whether no other of its sum follows
    static boolean isLast(byte[] terms, int i) {
        return i + 1 == terms.length || terms[i + 1] != ALONE_TOO;
    }

    /// @return where in `terms` follows what begins at `i`: a sum, or a row that travels by itself
    static int end(byte[] terms, int i) {
        int end = i + 1;
        while (end < terms.length && terms[end] == JOINS) {
            end++;
        }
        return end;
    }
}
