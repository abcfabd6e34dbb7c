package dev.wok.generate.json;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;

/// The tokens of a vocabulary as a tree of their bytes. Nodes are numbered in the order of a walk from
/// the root, so that a node's descendants follow it: `node + 1` to [#end] of the node.
///
/// Tokens of more than [#LONGEST] bytes are left out: all texts can do without them.
public final class Trie {
    static final int LONGEST = 32;

    private static final int NONE = -1;
    private static final int CONTINUATION = 0x80;
    private static final int ID_BITS = 24;
    private static final int PREFIX = (Long.SIZE - ID_BITS) / 8;

    private final byte[][] tokens;
    private final byte[] labels;
    private final int[] ends;
    private final byte[] depths;

    /// The first token that ends at a node, and after each token the next one of the same bytes.
    private final int[] firsts;

    private final int[] nexts;
    private final int longest;
    private final int mostCommas;
    private final int mostCharacters;

    /// By state of [StringBytes], twice: what a string's name and what any string may hold.
    private final AtomicReferenceArray<StringTokens> strings = new AtomicReferenceArray<>(2 * StringBytes.STATES);

    /// The bytes that are tokens.
    private final BitSet alone = new BitSet();

    /// By byte, see [#holding].
    private final AtomicReferenceArray<int[]> holding = new AtomicReferenceArray<>(256);

    /// @param bytes each token's bytes; empty for those without text. At most 2^24
    public Trie(List<byte[]> bytes) {
        tokens = bytes.stream().map(byte[]::clone).toArray(byte[][]::new);
        if (tokens.length >= 1 << ID_BITS) {
            throw new IllegalArgumentException("%d tokens, expected less than 2^%d".formatted(tokens.length, ID_BITS));
        }
        for (byte[] token : tokens) {
            if (token.length == 1) {
                alone.set(token[0] & 0xFF);
            }
        }
        int[] order = order();
        longest = Arrays.stream(order).map(id -> tokens[id].length).max().orElse(0);
        mostCommas = Arrays.stream(order).map(id -> commas(tokens[id])).max().orElse(0);
        mostCharacters =
                Arrays.stream(order).map(id -> characters(tokens[id])).max().orElse(0);
        int nodes = countNodes(order);
        labels = new byte[nodes];
        ends = new int[nodes];
        depths = new byte[nodes];
        firsts = new int[nodes];
        nexts = new int[tokens.length];
        Arrays.fill(firsts, NONE);
        Arrays.fill(nexts, NONE);
        build(order);
        if (nodes > 0) {
            strings(StringBytes.BETWEEN, true);
            strings(StringBytes.BETWEEN, false);
        }
    }

    /// Sorted by the first bytes, and then those which these leave undecided.
    private int[] order() {
        long[] keys = IntStream.range(0, tokens.length)
                .filter(id -> tokens[id].length > 0 && tokens[id].length <= LONGEST)
                .mapToLong(id -> key(tokens[id]) << ID_BITS | id)
                .toArray();
        Arrays.sort(keys);
        Integer[] order = new Integer[keys.length];
        Arrays.setAll(order, i -> (int) keys[i] & (1 << ID_BITS) - 1);
        for (int from = 0, to; from < keys.length; from = to) {
            to = from + 1;
            while (to < keys.length && keys[to] >> ID_BITS == keys[from] >> ID_BITS) {
                to++;
            }
            if (to - from > 1) {
                Arrays.sort(order, from, to, (a, b) -> Arrays.compareUnsigned(tokens[a], tokens[b]));
            }
        }
        return Arrays.stream(order).mapToInt(id -> id).toArray();
    }

    /// The first bytes, so that signed numbers order as they do.
    private static long key(byte[] token) {
        long key = 0;
        for (int i = 0; i < PREFIX; i++) {
            key = key << 8 | (i < token.length ? token[i] & 0xFF : 0);
        }
        return key - (1L << 8 * PREFIX - 1);
    }

    private static int commas(byte[] token) {
        int count = 0;
        for (byte b : token) {
            count += b == ',' ? 1 : 0;
        }
        return count;
    }

    private static int characters(byte[] token) {
        int count = 1;
        for (byte b : token) {
            count += (b & 0xC0) == CONTINUATION ? 0 : 1;
        }
        return count;
    }

    private int countNodes(int[] order) {
        int nodes = 0;
        byte[] before = {};
        for (int id : order) {
            nodes = Math.addExact(nodes, tokens[id].length - common(before, tokens[id]));
            before = tokens[id];
        }
        return nodes;
    }

    private static int common(byte[] before, byte[] token) {
        int mismatch = Arrays.mismatch(before, token);
        return mismatch < 0 ? token.length : mismatch;
    }

    private void build(int[] order) {
        int[] path = new int[longest];
        int open = 0;
        int node = 0;
        byte[] before = {};
        for (int id : order) {
            byte[] token = tokens[id];
            int shared = common(before, token);
            while (open > shared) {
                ends[path[--open]] = node;
            }
            while (open < token.length) {
                labels[node] = token[open];
                path[open++] = node;
                depths[node++] = (byte) open;
            }
            nexts[id] = firsts[path[open - 1]];
            firsts[path[open - 1]] = id;
            before = token;
        }
        while (open > 0) {
            ends[path[--open]] = node;
        }
    }

    /// @return how many ids there are
    public int size() {
        return tokens.length;
    }

    /// @return the length of a mask with a bit for each id
    public int words() {
        return (tokens.length + Long.SIZE - 1) / Long.SIZE;
    }

    /// @return a token's bytes; not to be changed
    public byte[] bytes(int id) {
        return tokens[id];
    }

    /// @return whether a byte is a token by itself
    public boolean hasByte(int b) {
        return alone.get(b);
    }

    /// @return the tokens that hold a byte before their last one, also those that are no nodes; not to be changed
    public int[] holding(int b) {
        int[] known = holding.get(b);
        if (known == null) {
            known = IntStream.range(0, tokens.length)
                    .filter(id -> holds(tokens[id], (byte) b))
                    .toArray();
            holding.set(b, known);
        }
        return known;
    }

    private static boolean holds(byte[] token, byte b) {
        for (int i = 0; i + 1 < token.length; i++) {
            if (token[i] == b) {
                return true;
            }
        }
        return false;
    }

    public int nodes() {
        return labels.length;
    }

    /// By node; not to be changed.
    byte[] labels() {
        return labels;
    }

    /// By node; not to be changed.
    byte[] depths() {
        return depths;
    }

    /// By node a token that ends there, or a negative number; not to be changed.
    int[] firsts() {
        return firsts;
    }

    public int label(int node) {
        return labels[node] & 0xFF;
    }

    /// How many bytes lead to a node, itself included.
    int depth(int node) {
        return depths[node];
    }

    /// The bytes that lead to a node, without its own.
    byte[] bytesBefore(int node) {
        int below = node;
        while (firsts[below] == NONE) {
            below++;
        }
        return Arrays.copyOf(tokens[firsts[below]], depths[node] - 1);
    }

    /// The first node that does not descend from a node.
    public int end(int node) {
        return ends[node];
    }

    /// Sets the bits of the tokens that end at a node.
    public void mark(int node, long[] mask) {
        for (int id = firsts[node]; id != NONE; id = nexts[id]) {
            mask[id >> 6] |= 1L << id;
        }
    }

    /// The first token that ends at a node, or a negative number.
    int first(int node) {
        return firsts[node];
    }

    /// Another token of the same bytes, or a negative number.
    int next(int id) {
        return nexts[id];
    }

    int longest() {
        return longest;
    }

    int mostCommas() {
        return mostCommas;
    }

    /// How many characters of a string one token can begin, at most.
    int mostCharacters() {
        return mostCharacters;
    }

    /// @param at a state of [StringBytes]
    /// @param escapes whether the string may hold escapes
    StringTokens strings(int at, boolean escapes) {
        int index = escapes ? at : StringBytes.STATES + at;
        StringTokens known = strings.get(index);
        if (known == null) {
            known = new StringTokens(this, at, escapes);
            strings.set(index, known);
        }
        return known;
    }
}
