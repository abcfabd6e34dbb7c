package dev.wok.text;

import java.util.Arrays;

/// Encodes words one after the other into a growing row of ids. Words that came up before are looked up, not merged
/// again. One thread at a time; the lookup table outlives a text.
final class WordEncoder implements WordSink {
    private static final int MAX_CACHED = 64;
    private static final int SLOTS = 1 << 17;
    private static final int MAX_WORDS = SLOTS / 2;
    private static final int FIELDS = 4;
    private static final int HASH = 0;
    private static final int KEY = 1;
    private static final int LENGTHS = 2;
    private static final int IDS = 3;
    private static final int FIRST_CAPACITY = 1 << 12;
    private static final int MAX_KEPT = 1 << 20;

    private final Bpe bpe;
    private Bpe.Scratch scratch = new Bpe.Scratch();
    /// Per slot: hash, where the key lies in `keys`, its length << 16 | the number of ids, where those lie in `values`.
    private final int[] slots = new int[SLOTS * FIELDS];
    private char[] keys = new char[FIRST_CAPACITY];
    private int keysUsed;
    private int[] values = new int[FIRST_CAPACITY];
    private int valuesUsed;
    private int words;
    private int[] out = new int[FIRST_CAPACITY];
    private int count;

    WordEncoder(Bpe bpe) {
        this.bpe = bpe;
    }

    void add(int id) {
        if (count == out.length) {
            out = Arrays.copyOf(out, 2 * count);
        }
        out[count++] = id;
    }

    /// @return the ids since the last call
    int[] take() {
        int[] ids = Arrays.copyOf(out, count);
        count = 0;
        if (out.length > MAX_KEPT) {
            out = new int[FIRST_CAPACITY];
        }
        if (scratch.ids().length > MAX_KEPT) {
            scratch = new Bpe.Scratch();
        }
        return ids;
    }

    @Override
    public void word(char[] text, int from, int to) {
        int length = to - from;
        if (length > MAX_CACHED) {
            int n = bpe.encode(text, from, to, scratch);
            append(scratch.ids(), 0, n);
            return;
        }
        int hash = length;
        for (int i = from; i < to; i++) {
            hash = 31 * hash + text[i];
        }
        hash = (hash * 0x9E3779B9) | 1;
        int slot = (hash >>> 15) & (SLOTS - 1);
        while (true) {
            int base = slot * FIELDS;
            int found = slots[base + HASH];
            if (found == 0) {
                int n = learn(base, hash, text, from, to);
                append(scratch.ids(), 0, n);
                return;
            }
            int lengths = slots[base + LENGTHS];
            if (found == hash && lengths >>> 16 == length && isKey(slots[base + KEY], text, from, length)) {
                append(values, slots[base + IDS], lengths & 0xFFFF);
                return;
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }

    private boolean isKey(int key, char[] text, int from, int length) {
        for (int i = 0; i < length; i++) {
            if (keys[key + i] != text[from + i]) {
                return false;
            }
        }
        return true;
    }

    private void append(int[] ids, int from, int n) {
        if (count + n > out.length) {
            out = Arrays.copyOf(out, Math.max(2 * out.length, count + n));
        }
        for (int i = 0; i < n; i++) {
            out[count + i] = ids[from + i];
        }
        count += n;
    }

    /// Encodes a new word and keeps the result; a full table is emptied.
    ///
    /// @return how many ids lie in the scratch space
    private int learn(int base, int hash, char[] text, int from, int to) {
        int n = bpe.encode(text, from, to, scratch);
        int where = base;
        if (words == MAX_WORDS) {
            Arrays.fill(slots, 0);
            words = 0;
            keysUsed = 0;
            valuesUsed = 0;
            where = ((hash >>> 15) & (SLOTS - 1)) * FIELDS;
        }
        int length = to - from;
        if (keysUsed + length > keys.length) {
            keys = Arrays.copyOf(keys, 2 * keys.length);
        }
        System.arraycopy(text, from, keys, keysUsed, length);
        if (valuesUsed + n > values.length) {
            values = Arrays.copyOf(values, Math.max(2 * values.length, valuesUsed + n));
        }
        System.arraycopy(scratch.ids(), 0, values, valuesUsed, n);
        slots[where + HASH] = hash;
        slots[where + KEY] = keysUsed;
        slots[where + LENGTHS] = length << 16 | n;
        slots[where + IDS] = valuesUsed;
        keysUsed += length;
        valuesUsed += n;
        words++;
        return n;
    }
}
