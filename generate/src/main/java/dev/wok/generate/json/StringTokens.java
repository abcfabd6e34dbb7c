package dev.wok.generate.json;

import java.util.Arrays;

/// What each token does from one place in a string: stay within it, beginning so many characters, or end
/// it. Masks of strings come from this without a walk over the vocabulary.
final class StringTokens {
    private final long[] within;

    /// The tokens that stay within, by how many characters they begin: `tokens[starts[n]]` on begin `n`.
    private final int[] tokens;

    private final int[] starts;

    /// The nodes at which the string ends, and how many characters began before.
    private final int[] quotes;

    private final int[] before;

    /// By the same numbers, whether no other quote follows in any token.
    private final boolean[] last;

    StringTokens(Trie trie, int at, boolean escapes) {
        int[] begun = new int[trie.size()];
        Arrays.fill(begun, -1);
        int[] ends = new int[16];
        int[] characters = new int[16];
        int found = 0;
        int[] states = new int[trie.longest() + 1];
        int[] counts = new int[trie.longest() + 1];
        states[0] = at;
        for (int node = 0; node < trie.nodes(); ) {
            int depth = trie.depth(node);
            int state = states[depth - 1];
            int count = counts[depth - 1];
            int b = trie.label(node);
            boolean between = state == StringBytes.BETWEEN;
            if (between && b == '"') {
                if (found == ends.length) {
                    ends = Arrays.copyOf(ends, 2 * found);
                    characters = Arrays.copyOf(characters, 2 * found);
                }
                ends[found] = node;
                characters[found++] = count;
            }
            int next = b == '\\' && !escapes ? -1 : StringBytes.next(state, b);
            if (next < 0) {
                node = trie.end(node);
                continue;
            }
            states[depth] = next;
            counts[depth] = between ? count + 1 : count;
            for (int id = trie.first(node); id >= 0; id = trie.next(id)) {
                begun[id] = counts[depth];
            }
            node++;
        }
        quotes = Arrays.copyOf(ends, found);
        before = Arrays.copyOf(characters, found);
        last = new boolean[found];
        for (int i = 0; i < found; i++) {
            last[i] = true;
            for (int node = quotes[i] + 1; node < trie.end(quotes[i]); node++) {
                last[i] &= trie.label(node) != '"';
            }
        }
        starts = new int[trie.mostCharacters() + 2];
        within = new long[trie.words()];
        tokens = sorted(begun);
    }

    private int[] sorted(int[] begun) {
        for (int id = 0; id < begun.length; id++) {
            if (begun[id] >= 0) {
                within[id >> 6] |= 1L << id;
                starts[begun[id] + 1]++;
            }
        }
        for (int n = 1; n < starts.length; n++) {
            starts[n] += starts[n - 1];
        }
        int[] sorted = new int[starts[starts.length - 1]];
        int[] places = starts.clone();
        for (int id = 0; id < begun.length; id++) {
            if (begun[id] >= 0) {
                sorted[places[begun[id]]++] = id;
            }
        }
        return sorted;
    }

    /// @return a new mask of the tokens that stay within the string and begin no more characters
    long[] within(int characters) {
        if (characters >= starts.length - 1) {
            return within.clone();
        }
        long[] mask = new long[within.length];
        for (int i = 0; i < starts[characters + 1]; i++) {
            mask[tokens[i] >> 6] |= 1L << tokens[i];
        }
        return mask;
    }

    /// @return at how many nodes the string ends
    int quotes() {
        return quotes.length;
    }

    int quote(int index) {
        return quotes[index];
    }

    /// @return whether no other quote follows in any token
    boolean isLastQuote(int index) {
        return last[index];
    }

    /// @return how many characters begin before the string ends
    int before(int index) {
        return before[index];
    }
}
