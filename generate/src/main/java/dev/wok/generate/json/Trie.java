package dev.wok.generate.json;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;

/// The tokens of a vocabulary as a tree of their bytes. Nodes are numbered in the order of a walk from
/// the root, so that a node's descendants follow it: `node + 1` to [#end] of the node.
public final class Trie {
    private static final int NONE = -1;
    private static final int CONTINUATION = 0x80;

    private final byte[][] tokens;
    private final byte[] labels;
    private final int[] ends;
    private final int[] depths;

    /// The first token that ends at a node, and after each token the next one of the same bytes.
    private final int[] firsts;

    private final int[] nexts;
    private final int longest;
    private final int mostCommas;
    private final int mostCharacters;

    /// By state of [StringBytes], twice: what a string's name and what any string may hold.
    private final AtomicReferenceArray<StringTokens> strings = new AtomicReferenceArray<>(2 * StringBytes.STATES);

    /// @param bytes each token's bytes; empty for those without text
    public Trie(List<byte[]> bytes) {
        tokens = bytes.stream().map(byte[]::clone).toArray(byte[][]::new);
        int[] order = IntStream.range(0, tokens.length)
                .filter(id -> tokens[id].length > 0)
                .boxed()
                .sorted((a, b) -> Arrays.compareUnsigned(tokens[a], tokens[b]))
                .mapToInt(id -> id)
                .toArray();
        longest = Arrays.stream(order).map(id -> tokens[id].length).max().orElse(0);
        mostCommas = Arrays.stream(order).map(id -> commas(tokens[id])).max().orElse(0);
        mostCharacters = Arrays.stream(order)
                .map(id -> characters(tokens[id]))
                .max()
                .orElse(0);
        int nodes = countNodes(order);
        labels = new byte[nodes];
        ends = new int[nodes];
        depths = new int[nodes];
        firsts = new int[nodes];
        nexts = new int[tokens.length];
        Arrays.fill(firsts, NONE);
        Arrays.fill(nexts, NONE);
        build(order);
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
                depths[node++] = open;
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
    int words() {
        return (tokens.length + Long.SIZE - 1) / Long.SIZE;
    }

    byte[] bytes(int id) {
        return tokens[id];
    }

    int nodes() {
        return labels.length;
    }

    int label(int node) {
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
    int end(int node) {
        return ends[node];
    }

    /// Sets the bits of the tokens that end at a node.
    void mark(int node, long[] mask) {
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
