package dev.wok.generate.json;

import java.util.Arrays;

/// The bytes within a JSON string as an automaton: well-formed UTF-8 (Unicode, table 3-7), the escapes of
/// RFC 8259, and both halves of a surrogate pair or neither.
final class StringBytes {
    /// Between two characters: the one state that a string can end in.
    static final int BETWEEN = 0;

    private static final int ONE_MORE = 1;
    private static final int TWO_MORE = 2;
    private static final int THREE_MORE = 3;
    private static final int AFTER_E0 = 4;
    private static final int AFTER_ED = 5;
    private static final int AFTER_F0 = 6;
    private static final int AFTER_F4 = 7;
    private static final int ESCAPE = 8;
    private static final int HEX = 9;
    private static final int HEX_AFTER_D = 10;
    private static final int TWO_HEX = 12;
    private static final int ONE_HEX = 13;
    private static final int HIGH_TWO_HEX = 14;
    private static final int HIGH_ONE_HEX = 15;
    private static final int LOW_ESCAPE = 16;
    private static final int LOW_U = 17;
    private static final int LOW_D = 18;
    private static final int LOW_HEX = 19;
    private static final int THREE_HEX = 11;
    static final int STATES = 20;

    private static final byte[] NEXT = new byte[STATES << 8];

    static {
        Arrays.fill(NEXT, (byte) -1);
        set(BETWEEN, 0x20, 0x7F, BETWEEN);
        NEXT['"'] = -1;
        NEXT['\\'] = ESCAPE;
        set(BETWEEN, 0xC2, 0xDF, ONE_MORE);
        set(BETWEEN, 0xE0, 0xEF, TWO_MORE);
        set(BETWEEN, 0xE0, 0xE0, AFTER_E0);
        set(BETWEEN, 0xED, 0xED, AFTER_ED);
        set(BETWEEN, 0xF0, 0xF0, AFTER_F0);
        set(BETWEEN, 0xF1, 0xF3, THREE_MORE);
        set(BETWEEN, 0xF4, 0xF4, AFTER_F4);
        set(ONE_MORE, 0x80, 0xBF, BETWEEN);
        set(TWO_MORE, 0x80, 0xBF, ONE_MORE);
        set(THREE_MORE, 0x80, 0xBF, TWO_MORE);
        set(AFTER_E0, 0xA0, 0xBF, ONE_MORE);
        set(AFTER_ED, 0x80, 0x9F, ONE_MORE);
        set(AFTER_F0, 0x90, 0xBF, TWO_MORE);
        set(AFTER_F4, 0x80, 0x8F, TWO_MORE);
        for (char c : "\"\\/bfnrt".toCharArray()) {
            set(ESCAPE, c, c, BETWEEN);
        }
        set(ESCAPE, 'u', 'u', HEX);
        hex(HEX, "0123456789abcefABCEF", THREE_HEX);
        hex(HEX, "dD", HEX_AFTER_D);
        hex(HEX_AFTER_D, "01234567", TWO_HEX);
        hex(HEX_AFTER_D, "89abAB", HIGH_TWO_HEX);
        hex(THREE_HEX, "0123456789abcdefABCDEF", TWO_HEX);
        hex(TWO_HEX, "0123456789abcdefABCDEF", ONE_HEX);
        hex(ONE_HEX, "0123456789abcdefABCDEF", BETWEEN);
        hex(HIGH_TWO_HEX, "0123456789abcdefABCDEF", HIGH_ONE_HEX);
        hex(HIGH_ONE_HEX, "0123456789abcdefABCDEF", LOW_ESCAPE);
        set(LOW_ESCAPE, '\\', '\\', LOW_U);
        set(LOW_U, 'u', 'u', LOW_D);
        hex(LOW_D, "dD", LOW_HEX);
        hex(LOW_HEX, "cdefCDEF", TWO_HEX);
    }

    private StringBytes() {}

    private static void set(int from, int first, int last, int to) {
        Arrays.fill(NEXT, from << 8 | first, (from << 8 | last) + 1, (byte) to);
    }

    private static void hex(int from, String digits, int to) {
        for (char c : digits.toCharArray()) {
            set(from, c, c, to);
        }
    }

    /// @param b not the quote that ends the string
    /// @return the next state, or a negative number
    static int next(int at, int b) {
        return NEXT[at << 8 | b];
    }
}
