package dev.wok.kernel.x86.emulated;

/// Integer arithmetic on lanes of 32 bits, and on the words and bytes in them.
final class Integers {
    private Integers() {}

    private static int word(int a, int i) {
        return (short) (a >>> 16 * i);
    }

    private static int signed(int a, int i) {
        return (byte) (a >>> 8 * i);
    }

    private static int unsigned(int a, int i) {
        return a >>> 8 * i & 0xFF;
    }

    private static int words(int low, int high) {
        return low & 0xFFFF | high << 16;
    }

    static int clampToWord(int value) {
        return Math.clamp(value, Short.MIN_VALUE, Short.MAX_VALUE);
    }

    static int addWords(int a, int b) {
        return words(a + b, (a >>> 16) + (b >>> 16));
    }

    /// Unsigned bytes times signed ones, added in pairs.
    static int dotBytesInPairs(int a, int b) {
        return words(
                clampToWord(unsigned(a, 0) * signed(b, 0) + unsigned(a, 1) * signed(b, 1)),
                clampToWord(unsigned(a, 2) * signed(b, 2) + unsigned(a, 3) * signed(b, 3)));
    }

    static int dotWords(int a, int b) {
        return word(a, 0) * word(b, 0) + word(a, 1) * word(b, 1);
    }

    /// Unsigned bytes times signed ones, all four added.
    static int dotBytes(int sum, int a, int b) {
        return sum
                + unsigned(a, 0) * signed(b, 0)
                + unsigned(a, 1) * signed(b, 1)
                + unsigned(a, 2) * signed(b, 2)
                + unsigned(a, 3) * signed(b, 3);
    }

    static int magnitudes(int a) {
        int result = 0;
        for (int i = 0; i < 4; i++) {
            result |= (Math.abs(signed(a, i)) & 0xFF) << 8 * i;
        }
        return result;
    }

    static int timesSigns(int a, int b) {
        int result = 0;
        for (int i = 0; i < 4; i++) {
            result |= (signed(a, i) * Integer.signum(signed(b, i)) & 0xFF) << 8 * i;
        }
        return result;
    }

    static int shiftWordsLeft(int a, int count) {
        return count > 15 ? 0 : words(a << count, (a >>> 16) << count);
    }

    static int shiftWordsRight(int a, int count) {
        return count > 15 ? 0 : words((a & 0xFFFF) >>> count, a >>> 16 >>> count);
    }

    static int shiftLeft(int a, int count) {
        return count > 31 ? 0 : a << count;
    }

    static int shiftRight(int a, int count) {
        return count > 31 ? 0 : a >>> count;
    }

    static int shiftSignRight(int a, int count) {
        return a >> Math.min(count, 31);
    }

    static boolean compares(int predicate, int a, int b) {
        return switch (predicate & 7) {
            case 0 -> a == b;
            case 1 -> a < b;
            case 2 -> a <= b;
            case 3 -> false;
            case 4 -> a != b;
            case 5 -> a >= b;
            case 6 -> a > b;
            default -> true;
        };
    }

    /// @param table bit `4 w + 2 a + b` is the result for these three bits
    static int choose(int w, int a, int b, int table) {
        int result = 0;
        for (int row = 0; row < 8; row++) {
            if ((table >> row & 1) == 1) {
                result |= ((row & 4) == 0 ? ~w : w) & ((row & 2) == 0 ? ~a : a) & ((row & 1) == 0 ? ~b : b);
            }
        }
        return result;
    }
}
