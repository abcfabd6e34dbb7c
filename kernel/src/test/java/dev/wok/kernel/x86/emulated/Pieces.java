package dev.wok.kernel.x86.emulated;

/// Values of 8, 16 and 64 bits in arrays of 32.
final class Pieces {
    private Pieces() {}

    /// @return the `i`-th byte behind `at`, its sign extended
    static int get8(int[] v, int at, int i) {
        return (byte) (v[at + (i >> 2)] >>> 8 * (i & 3));
    }

    static void put8(int[] v, int at, int i, int value) {
        int shift = 8 * (i & 3);
        v[at + (i >> 2)] = v[at + (i >> 2)] & ~(0xFF << shift) | (value & 0xFF) << shift;
    }

    static int get16(int[] v, int at, int i) {
        return (short) (v[at + (i >> 1)] >>> 16 * (i & 1));
    }

    static void put16(int[] v, int at, int i, int value) {
        int shift = 16 * (i & 1);
        v[at + (i >> 1)] = v[at + (i >> 1)] & ~(0xFFFF << shift) | (value & 0xFFFF) << shift;
    }

    static long get64(int[] v, int at, int i) {
        return v[at + 2 * i] & 0xFFFFFFFFL | (long) v[at + 2 * i + 1] << 32;
    }

    static void put64(int[] v, int at, int i, long value) {
        v[at + 2 * i] = (int) value;
        v[at + 2 * i + 1] = (int) (value >>> 32);
    }

    /// Copies a value of 1, 2, 4 or 8 bytes.
    static void copy(int[] v, int to, int i, int from, int j, int bytes) {
        switch (bytes) {
            case 1 -> put8(v, to, i, get8(v, from, j));
            case 2 -> put16(v, to, i, get16(v, from, j));
            case 4 -> v[to + i] = v[from + j];
            default -> put64(v, to, i, get64(v, from, j));
        }
    }

    static void clear(int[] v, int to, int i, int bytes) {
        switch (bytes) {
            case 1 -> put8(v, to, i, 0);
            case 2 -> put16(v, to, i, 0);
            case 4 -> v[to + i] = 0;
            default -> put64(v, to, i, 0);
        }
    }
}
