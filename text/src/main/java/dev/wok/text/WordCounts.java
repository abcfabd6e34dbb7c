package dev.wok.text;

import java.util.Arrays;

/// How often each word came up: a hash table whose keys lie one after the other in one array. One thread at a time.
final class WordCounts implements WordSink {
    private static final int FIRST_SLOTS = 1 << 12;
    private static final int FIRST_CHARS = 1 << 16;

    /// Per slot the word's number + 1, or 0.
    private int[] slots = new int[FIRST_SLOTS];
    private int[] hashes = new int[FIRST_SLOTS / 2];
    private int[] starts = new int[FIRST_SLOTS / 2 + 1];
    private long[] counts = new long[FIRST_SLOTS / 2];
    private char[] chars = new char[FIRST_CHARS];
    private int size;

    int size() {
        return size;
    }

    long count(int word) {
        return counts[word];
    }

    String word(int word) {
        return new String(chars, starts[word], starts[word + 1] - starts[word]);
    }

    @Override
    public void word(char[] text, int from, int to) {
        add(text, from, to, 1);
    }

    void addAll(WordCounts other) {
        for (int word = 0; word < other.size; word++) {
            add(other.chars, other.starts[word], other.starts[word + 1], other.counts[word]);
        }
    }

    private void add(char[] text, int from, int to, long times) {
        int hash = to - from;
        for (int i = from; i < to; i++) {
            hash = 31 * hash + text[i];
        }
        int mask = slots.length - 1;
        int slot = ((hash * 0x9E3779B9) >>> 7) & mask;
        while (slots[slot] != 0) {
            int word = slots[slot] - 1;
            if (hashes[word] == hash && Arrays.equals(chars, starts[word], starts[word + 1], text, from, to)) {
                counts[word] += times;
                return;
            }
            slot = (slot + 1) & mask;
        }
        if (size == counts.length) {
            grow();
            add(text, from, to, times);
            return;
        }
        slots[slot] = size + 1;
        hashes[size] = hash;
        counts[size] = times;
        int begin = starts[size];
        int end = Math.addExact(begin, to - from);
        if (end > chars.length) {
            chars = Arrays.copyOf(chars, (int) Math.min(Integer.MAX_VALUE - 8, Math.max(end, 2L * chars.length)));
        }
        System.arraycopy(text, from, chars, begin, to - from);
        starts[++size] = end;
    }

    private void grow() {
        int capacity = 2 * counts.length;
        hashes = Arrays.copyOf(hashes, capacity);
        counts = Arrays.copyOf(counts, capacity);
        starts = Arrays.copyOf(starts, capacity + 1);
        slots = new int[2 * capacity];
        int mask = slots.length - 1;
        for (int word = 0; word < size; word++) {
            int slot = ((hashes[word] * 0x9E3779B9) >>> 7) & mask;
            while (slots[slot] != 0) {
                slot = (slot + 1) & mask;
            }
            slots[slot] = word + 1;
        }
    }
}
