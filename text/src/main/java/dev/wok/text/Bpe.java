package dev.wok.text;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/// Byte-pair encoding of one word: its UTF-8 bytes become symbols, and the neighbours that were merged earliest in
/// training are merged first, the leftmost of equals before the others, until none is left. After Sennrich, Haddow and
/// Birch 2016, "Neural Machine Translation of Rare Words with Subword Units".
final class Bpe {
    /// A merge: the ids that stood side by side and the id they become.
    record Merge(int left, int right, int merged) {}

    /// From this many symbols on a heap finds the next merge; below, looking at all is faster.
    private static final int HEAP_FROM = 40;
    private static final int NO_RANK = Integer.MAX_VALUE;
    private static final int BYTES = 256;

    private final int[] byteIds = new int[BYTES];
    private final PairTable ranks;
    private final int[] merged;
    /// Whole words that are tokens, where those need no merges (`ignore_merges`); otherwise empty.
    private final Map<String, Integer> whole;

    /// @param vocab ids by token, tokens written in the byte alphabet
    /// @param merges in the order of training
    /// @param ignoreMerges whether a word that is a token becomes it whatever the merges say
    Bpe(Map<String, Integer> vocab, List<Merge> merges, boolean ignoreMerges) {
        for (int b = 0; b < BYTES; b++) {
            byteIds[b] = vocab.getOrDefault(String.valueOf(ByteAlphabet.symbol(b)), -1);
        }
        ranks = new PairTable(merges.size());
        merged = new int[merges.size()];
        for (int rank = 0; rank < merged.length; rank++) {
            Merge merge = merges.get(rank);
            ranks.put(merge.left, merge.right, rank);
            merged[rank] = merge.merged;
        }
        whole = ignoreMerges ? vocab : Map.of();
    }

    /// Encodes a word. A byte without a symbol in the vocabulary vanishes, as in the Hugging Face library.
    ///
    /// @return how many ids lie in the scratch space
    int encode(char[] text, int from, int to, Scratch scratch) {
        byte[] utf8 = new String(text, from, to - from).getBytes(StandardCharsets.UTF_8);
        if (!whole.isEmpty()) {
            Integer id = whole.get(ByteAlphabet.symbols(utf8));
            if (id != null) {
                scratch.reserve(1);
                scratch.ids[0] = id;
                return 1;
            }
        }
        scratch.reserve(utf8.length);
        int n = 0;
        for (byte b : utf8) {
            int id = byteIds[b & 0xFF];
            if (id >= 0) {
                scratch.ids[n++] = id;
            }
        }
        return n < HEAP_FROM ? mergeShort(n, scratch) : mergeLong(n, scratch);
    }

    private int rank(int left, int right) {
        int rank = ranks.get(left, right);
        return rank < 0 ? NO_RANK : rank;
    }

    private int mergeShort(int count, Scratch scratch) {
        int[] ids = scratch.ids;
        int[] pairRanks = scratch.ranks;
        int n = count;
        for (int i = 0; i + 1 < n; i++) {
            pairRanks[i] = rank(ids[i], ids[i + 1]);
        }
        while (n > 1) {
            int best = 0;
            for (int i = 1; i + 1 < n; i++) {
                if (pairRanks[i] < pairRanks[best]) {
                    best = i;
                }
            }
            if (pairRanks[best] == NO_RANK) {
                break;
            }
            ids[best] = merged[pairRanks[best]];
            n--;
            System.arraycopy(ids, best + 2, ids, best + 1, n - best - 1);
            System.arraycopy(pairRanks, best + 1, pairRanks, best, n - 1 - best);
            if (best + 1 < n) {
                pairRanks[best] = rank(ids[best], ids[best + 1]);
            }
            if (best > 0) {
                pairRanks[best - 1] = rank(ids[best - 1], ids[best]);
            }
        }
        return n;
    }

    /// The heap holds rank << 32 | place; an entry whose pair has changed since is passed over.
    private int mergeLong(int n, Scratch scratch) {
        int[] ids = scratch.ids;
        int[] next = scratch.next;
        int[] previous = scratch.previous;
        LongHeap heap = scratch.heap;
        heap.clear();
        for (int i = 0; i < n; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
            if (i + 1 < n) {
                offer(heap, ids, i, i + 1);
            }
        }
        while (!heap.isEmpty()) {
            long entry = heap.remove();
            int rank = (int) (entry >>> 32);
            int at = (int) entry;
            int right = next[at];
            if (ids[at] < 0 || right >= n || ranks.get(ids[at], ids[right]) != rank) {
                continue;
            }
            ids[at] = merged[rank];
            ids[right] = -1;
            next[at] = next[right];
            if (next[at] < n) {
                previous[next[at]] = at;
                offer(heap, ids, at, next[at]);
            }
            if (previous[at] >= 0) {
                offer(heap, ids, previous[at], at);
            }
        }
        int out = 0;
        for (int i = 0; i < n; i = next[i]) {
            ids[out++] = ids[i];
        }
        return out;
    }

    private void offer(LongHeap heap, int[] ids, int left, int right) {
        int rank = ranks.get(ids[left], ids[right]);
        if (rank >= 0) {
            heap.add((long) rank << 32 | left);
        }
    }

    /// Space for one word at a time.
    static final class Scratch {
        private int[] ids = new int[64];
        private int[] ranks = new int[64];
        private int[] next = new int[64];
        private int[] previous = new int[64];
        private final LongHeap heap = new LongHeap();

        /// @return the ids of the last word, from index 0
        int[] ids() {
            return ids;
        }

        private void reserve(int n) {
            if (ids.length < n) {
                int length = Math.max(n, 2 * ids.length);
                ids = new int[length];
                ranks = new int[length];
                next = new int[length];
                previous = new int[length];
            }
        }
    }
}
