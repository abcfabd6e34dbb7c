package dev.wok.generate;

import dev.wok.generate.json.Trie;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;

/// Texts that are looked for, as an automaton over bytes (Aho and Corasick, "Efficient string matching", 1975):
/// state 0 is where none has begun. Thread safe.
final class Triggers {
    private static final int BYTES = 256;

    private final List<byte[]> texts;

    /// By state and byte.
    private final List<int[]> next = new ArrayList<>();

    /// By state and text, how many of its first bytes come last, at most.
    private final List<int[]> begun = new ArrayList<>();

    /// The states where a text comes last.
    private final BitSet found = new BitSet();

    private final AtomicReference<Kept> kept = new AtomicReference<>();

    /// By state, the tokens that run past a text.
    private record Kept(Trie trie, AtomicReferenceArray<int[]> past) {}

    /// @param texts not empty
    Triggers(List<byte[]> texts) {
        this.texts = texts;
        add();
        for (int text = 0; text < texts.size(); text++) {
            int state = 0;
            for (int i = 0; i < texts.get(text).length; i++) {
                int b = texts.get(text)[i] & 0xFF;
                if (next.get(state)[b] == 0) {
                    next.get(state)[b] = add();
                }
                state = next.get(state)[b];
                begun.get(state)[text] = i + 1;
            }
        }
        link();
        for (int state = 0; state < next.size(); state++) {
            for (int text = 0; text < texts.size(); text++) {
                found.set(state, found.get(state) || found(state, text));
            }
        }
    }

    private int add() {
        next.add(new int[BYTES]);
        begun.add(new int[texts.size()]);
        return next.size() - 1;
    }

    /// Leads each state on as the longest that it ends with does.
    private void link() {
        int[] shorter = new int[next.size()];
        Queue<Integer> states = new ArrayDeque<>(List.of(0));
        while (!states.isEmpty()) {
            int state = states.remove();
            for (int b = 0; b < BYTES; b++) {
                int to = next.get(state)[b];
                int instead = state == 0 ? 0 : next.get(shorter[state])[b];
                if (to == 0) {
                    next.get(state)[b] = instead;
                } else {
                    shorter[to] = instead;
                    int[] counts = begun.get(instead);
                    Arrays.setAll(begun.get(to), text -> Math.max(begun.get(to)[text], counts[text]));
                    states.add(to);
                }
            }
        }
    }

    int step(int state, int b) {
        return next.get(state)[b];
    }

    /// @return how many first bytes of a text come last
    int begun(int state, int text) {
        return begun.get(state)[text];
    }

    /// @return whether a text comes last
    boolean found(int state, int text) {
        return begun(state, text) == texts.get(text).length;
    }

    /// @return whether any text comes last
    boolean found(int state) {
        return found.get(state);
    }

    /// @return the tokens that hold the end of a text before their own; not to be changed
    int[] past(Trie trie, int state) {
        Kept known = kept.get();
        if (known == null || known.trie != trie) {
            known = new Kept(trie, new AtomicReferenceArray<>(next.size()));
            kept.set(known);
        }
        int[] past = known.past.get(state);
        if (past == null) {
            past = texts.stream()
                    .mapToInt(text -> text[text.length - 1] & 0xFF)
                    .distinct()
                    .flatMap(last -> IntStream.of(trie.holding(last)))
                    .filter(id -> runsPast(trie.bytes(id), state))
                    .distinct()
                    .toArray();
            known.past.set(state, past);
        }
        return past;
    }

    /// @return whether a token holds the end of a text before its own
    boolean runsPast(byte[] token, int state) {
        int at = state;
        for (int i = 0; i + 1 < token.length; i++) {
            at = step(at, token[i] & 0xFF);
            if (found(at)) {
                return true;
            }
        }
        return false;
    }
}
