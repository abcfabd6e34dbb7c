package dev.wok.kernel.x86.emulated;

import java.util.Arrays;
import java.util.function.IntUnaryOperator;

/// What moves values from lane to lane, most of it within each 128 bits.
final class Shuffles {
    /// The 32-bit lanes of 128 bits.
    private static final int BLOCK = 4;

    private Shuffles() {}

    /// Puts the first element everywhere.
    static Body repeat(int element) {
        return (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes / element; i++) {
                Pieces.copy(v, to, i, b, 0, element);
            }
        };
    }

    /// The same for 32 bits.
    static void repeatInt(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        Arrays.fill(v, to, to + (bytes >> 2), v[b]);
    }

    /// Repeats several 32-bit values.
    static Body repeatBlock(int lanes) {
        return (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = v[b + i % lanes];
            }
        };
    }

    /// Takes elements from both operands in turn, from the lower or upper half of each 128 bits.
    static Body interleave(int element, boolean upper) {
        int count = 16 / element;
        return (v, to, _, a, b, bytes, _) -> {
            for (int first = 0; first < bytes / element; first += count) {
                int from = first + (upper ? count / 2 : 0);
                for (int i = 0; i < count / 2; i++) {
                    Pieces.copy(v, to, first + 2 * i, a, from + i, element);
                    Pieces.copy(v, to, first + 2 * i + 1, b, from + i, element);
                }
            }
        };
    }

    /// Narrows 32-bit values to words.
    static Body packWords(IntUnaryOperator clamp) {
        return (v, to, _, a, b, bytes, _) -> {
            for (int first = 0; first < bytes >> 2; first += BLOCK) {
                for (int i = 0; i < BLOCK; i++) {
                    Pieces.put16(v, to, 2 * first + i, clamp.applyAsInt(v[a + first + i]));
                    Pieces.put16(v, to, 2 * first + BLOCK + i, clamp.applyAsInt(v[b + first + i]));
                }
            }
        };
    }

    /// Narrows words to bytes.
    static Body packBytes(IntUnaryOperator clamp) {
        return (v, to, _, a, b, bytes, _) -> {
            for (int first = 0; first < bytes; first += 16) {
                for (int i = 0; i < 8; i++) {
                    Pieces.put8(v, to, first + i, clamp.applyAsInt(Pieces.get16(v, a, first / 2 + i)));
                    Pieces.put8(v, to, first + 8 + i, clamp.applyAsInt(Pieces.get16(v, b, first / 2 + i)));
                }
            }
        };
    }

    static int clampToByte(int value) {
        return Math.clamp(value, Byte.MIN_VALUE, Byte.MAX_VALUE);
    }

    static void shuffle(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int first = 0; first < bytes >> 2; first += BLOCK) {
            v[to + first] = v[a + first + (immediate & 3)];
            v[to + first + 1] = v[a + first + (immediate >> 2 & 3)];
            v[to + first + 2] = v[b + first + (immediate >> 4 & 3)];
            v[to + first + 3] = v[b + first + (immediate >> 6 & 3)];
        }
    }

    static void permuteInBlocks(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        shuffle(v, to, was, b, b, bytes, immediate);
    }

    static void shuffleBytes(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int i = 0; i < bytes; i++) {
            int from = Pieces.get8(v, b, i);
            Pieces.put8(v, to, i, from < 0 ? 0 : Pieces.get8(v, a, (i & ~15) + (from & 15)));
        }
    }

    static void permute(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        int last = (bytes >> 2) - 1;
        for (int i = 0; i <= last; i++) {
            v[to + i] = v[b + (v[a + i] & last)];
        }
    }

    static void permuteWords(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        int last = (bytes >> 1) - 1;
        for (int i = 0; i <= last; i++) {
            Pieces.copy(v, to, i, b, Pieces.get16(v, a, i) & last, 2);
        }
    }

    static void permuteTwo(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        int count = bytes >> 2;
        for (int i = 0; i < count; i++) {
            int from = v[a + i];
            v[to + i] = v[((from & count) == 0 ? was : b) + (from & count - 1)];
        }
    }

    static void permuteWordsOfTwo(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        int count = bytes >> 1;
        for (int i = 0; i < count; i++) {
            int from = Pieces.get16(v, a, i);
            Pieces.copy(v, to, i, (from & count) == 0 ? was : b, from & count - 1, 2);
        }
    }

    /// Within each 256 bits.
    static void permuteLongs(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int i = 0; i < bytes >> 3; i++) {
            Pieces.copy(v, to, i, b, (i & ~3) + (immediate >> 2 * (i & 3) & 3), 8);
        }
    }

    /// Whole blocks of 128 bits, the lower half from the first operand.
    static void shuffleBlocks(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        int count = bytes / 16;
        int bits = count / 2;
        for (int i = 0; i < count; i++) {
            int from = immediate >> bits * i & count - 1;
            System.arraycopy(v, (i < count / 2 ? a : b) + from * BLOCK, v, to + i * BLOCK, BLOCK);
        }
    }

    static void chooseBlocks(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int i = 0; i < 2; i++) {
            int choice = immediate >> 4 * i;
            int from = ((choice & 2) == 0 ? a : b) + (choice & 1) * BLOCK;
            System.arraycopy(v, from, v, to + i * BLOCK, BLOCK);
            if ((choice & 8) != 0) {
                Arrays.fill(v, to + i * BLOCK, to + (i + 1) * BLOCK, 0);
            }
        }
    }

    /// @param lanes of what is taken
    static Body extract(int lanes) {
        return (v, to, _, _, b, bytes, immediate) -> {
            int from = immediate & bytes / (4 * lanes) - 1;
            System.arraycopy(v, b + from * lanes, v, to, lanes);
        };
    }

    /// @param lanes of what is put in
    static Body insert(int lanes) {
        return (v, to, _, a, b, bytes, immediate) -> {
            int where = immediate & bytes / (4 * lanes) - 1;
            System.arraycopy(v, a, v, to, bytes >> 2);
            System.arraycopy(v, b, v, to + where * lanes, lanes);
        };
    }

    /// @param which of two neighbours is taken for both
    static Body duplicate(int which) {
        return (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = v[b + (i & ~1) + which];
            }
        };
    }

    static void highToLow(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        Pieces.copy(v, to, 0, b, 1, 8);
        Pieces.copy(v, to, 1, a, 1, 8);
    }

    static void blend(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int i = 0; i < bytes >> 2; i++) {
            v[to + i] = v[((immediate >> i & 1) == 1 ? b : a) + i];
        }
    }
}
