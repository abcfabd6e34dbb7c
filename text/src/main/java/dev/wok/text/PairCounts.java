package dev.wok.text;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// The words of a corpus as rows of symbols, and how often each two symbols stand side by side; learns merges from
/// them.
///
/// The heap holds counts as they were when entered: a pair that gained is entered again, and an entry that promises
/// more than is true goes back with the truth.
final class PairCounts {
    private final int[] symbols;
    private final int[] starts;
    private final int[] lengths;
    private final long[] frequencies;

    private final PairTable numbers = new PairTable(1 << 16);
    private int[] lefts = new int[1 << 16];
    private int[] rights = new int[1 << 16];
    private long[] counts = new long[1 << 16];
    /// Per pair the words that may hold it; the first entry is how many there are.
    private int[][] words = new int[1 << 16][];
    private int pairs;

    private final PairHeap heap = new PairHeap();
    /// Pairs that the current merge makes more frequent.
    private final Set<Integer> gainers = new LinkedHashSet<>();

    /// @param rows each word's symbols
    /// @param frequencies how often each word came up
    PairCounts(List<int[]> rows, long[] frequencies) {
        int total = 0;
        this.starts = new int[rows.size()];
        this.lengths = new int[rows.size()];
        for (int w = 0; w < rows.size(); w++) {
            starts[w] = total;
            lengths[w] = rows.get(w).length;
            total = Math.addExact(total, lengths[w]);
        }
        this.symbols = new int[total];
        this.frequencies = frequencies;
        for (int w = 0; w < rows.size(); w++) {
            System.arraycopy(rows.get(w), 0, symbols, starts[w], lengths[w]);
            for (int i = 0; i + 1 < lengths[w]; i++) {
                add(symbols[starts[w] + i], symbols[starts[w] + i + 1], frequencies[w], w);
            }
        }
        for (int pair : gainers) {
            heap.add(counts[pair], pair);
        }
    }

    /// Finds the most frequent pair, of equals the one with the smaller ids.
    ///
    /// @param least how often a pair must stand there
    /// @return the pair's number, or -1 where none is that frequent
    int best(long least) {
        while (!heap.isEmpty()) {
            long promised = heap.firstCount();
            int pair = heap.remove();
            if (counts[pair] != promised) {
                heap.add(counts[pair], pair);
            } else {
                return promised < least ? -1 : pair;
            }
        }
        return -1;
    }

    int left(int pair) {
        return lefts[pair];
    }

    int right(int pair) {
        return rights[pair];
    }

    /// Puts a symbol in the place of a pair, everywhere.
    ///
    /// @param symbol its id; new, or that of a token which spells the same
    void merge(int pair, int symbol) {
        int[] holders = words[pair];
        words[pair] = new int[1];
        gainers.clear();
        for (int i = 1; i <= holders[0]; i++) {
            merge(holders[i], lefts[pair], rights[pair], symbol);
        }
        counts[pair] = 0;
        for (int gainer : gainers) {
            heap.add(counts[gainer], gainer);
        }
    }

    private void merge(int word, int left, int right, int symbol) {
        int from = starts[word];
        int to = from + lengths[word];
        int out = from;
        int i = from;
        while (i < to) {
            if (i + 1 == to || symbols[i] != left || symbols[i + 1] != right) {
                symbols[out++] = symbols[i++];
                continue;
            }
            if (out > from) {
                remove(symbols[out - 1], left, frequencies[word]);
                add(symbols[out - 1], symbol, frequencies[word], word);
            }
            if (i + 2 < to) {
                remove(right, symbols[i + 2], frequencies[word]);
                add(symbol, symbols[i + 2], frequencies[word], word);
            }
            symbols[out++] = symbol;
            i += 2;
        }
        lengths[word] = out - from;
    }

    private void remove(int left, int right, long times) {
        counts[numbers.get(left, right)] -= times;
    }

    private void add(int left, int right, long times, int word) {
        int pair = numbers.get(left, right);
        if (pair < 0) {
            pair = pairs++;
            if (pair == counts.length) {
                lefts = Arrays.copyOf(lefts, 2 * pair);
                rights = Arrays.copyOf(rights, 2 * pair);
                counts = Arrays.copyOf(counts, 2 * pair);
                words = Arrays.copyOf(words, 2 * pair);
            }
            numbers.put(left, right, pair);
            lefts[pair] = left;
            rights[pair] = right;
            words[pair] = new int[2];
        }
        counts[pair] += times;
        gainers.add(pair);
        int[] holders = words[pair];
        int n = holders[0];
        if (n > 0 && holders[n] == word) {
            return;
        }
        if (n + 1 == holders.length) {
            holders = Arrays.copyOf(holders, n + 2 + n / 2);
            words[pair] = holders;
        }
        holders[n + 1] = word;
        holders[0] = n + 1;
    }

    /// Pairs by the counts they were entered with, the most frequent first, of equals the one with the smaller ids.
    private final class PairHeap {
        private long[] entered = new long[1 << 16];
        private int[] items = new int[1 << 16];
        private int size;

        boolean isEmpty() {
            return size == 0;
        }

        long firstCount() {
            return entered[0];
        }

        private boolean before(long count, int pair, long otherCount, int other) {
            if (count != otherCount) {
                return count > otherCount;
            }
            return lefts[pair] != lefts[other] ? lefts[pair] < lefts[other] : rights[pair] < rights[other];
        }

        void add(long count, int pair) {
            if (size == items.length) {
                entered = Arrays.copyOf(entered, 2 * size);
                items = Arrays.copyOf(items, 2 * size);
            }
            int i = size++;
            while (i > 0 && before(count, pair, entered[(i - 1) >>> 1], items[(i - 1) >>> 1])) {
                set(i, (i - 1) >>> 1);
                i = (i - 1) >>> 1;
            }
            entered[i] = count;
            items[i] = pair;
        }

        private void set(int to, int from) {
            entered[to] = entered[from];
            items[to] = items[from];
        }

        int remove() {
            int first = items[0];
            size--;
            long count = entered[size];
            int pair = items[size];
            int i = 0;
            while (2 * i + 1 < size) {
                int child = 2 * i + 1;
                if (child + 1 < size && before(entered[child + 1], items[child + 1], entered[child], items[child])) {
                    child++;
                }
                if (!before(entered[child], items[child], count, pair)) {
                    break;
                }
                set(i, child);
                i = child;
            }
            entered[i] = count;
            items[i] = pair;
            return first;
        }
    }
}
