package dev.wok.text;

import java.util.Arrays;

/// A hash table from two ids to a number that is not negative.
final class PairTable {
    private static final int MIN_CAPACITY = 16;
    /// No pair: ids are not negative.
    private static final long FREE = -1;

    private long[] keys;
    private int[] values;
    private int mask;
    private int size;

    PairTable(int expected) {
        int capacity = Math.max(MIN_CAPACITY, Integer.highestOneBit(Math.max(expected, 1)) << 2);
        keys = new long[capacity];
        values = new int[capacity];
        mask = capacity - 1;
        Arrays.fill(keys, FREE);
    }

    /// @return -1 where the pair is not in the table
    int get(int left, int right) {
        long key = key(left, right);
        int slot = slot(key);
        while (keys[slot] != key) {
            if (keys[slot] == FREE) {
                return -1;
            }
            slot = (slot + 1) & mask;
        }
        return values[slot];
    }

    void put(int left, int right, int value) {
        if (4 * size > 3 * mask) {
            grow();
        }
        long key = key(left, right);
        int slot = slot(key);
        while (keys[slot] != key && keys[slot] != FREE) {
            slot = (slot + 1) & mask;
        }
        size += keys[slot] == FREE ? 1 : 0;
        keys[slot] = key;
        values[slot] = value;
    }

    private void grow() {
        long[] oldKeys = keys;
        int[] oldValues = values;
        keys = new long[2 * oldKeys.length];
        values = new int[keys.length];
        mask = keys.length - 1;
        Arrays.fill(keys, FREE);
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldKeys[i] != FREE) {
                int slot = slot(oldKeys[i]);
                while (keys[slot] != FREE) {
                    slot = (slot + 1) & mask;
                }
                keys[slot] = oldKeys[i];
                values[slot] = oldValues[i];
            }
        }
    }

    private static long key(int left, int right) {
        return (long) left << 32 | right;
    }

    private int slot(long key) {
        long h = key * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32) & mask;
    }
}
