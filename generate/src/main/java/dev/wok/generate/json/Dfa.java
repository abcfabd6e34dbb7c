package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A deterministic automaton over the bytes of a value. From each state that it can come to, some bytes
/// lead to one that accepts.
final class Dfa {
    static final int START = 0;

    /// Instead of a state: there is no such step.
    static final int NONE = -1;

    /// Instead of a state: the value has ended, nothing more belongs to it.
    static final int ENDED = -2;

    private final byte[] classes;
    private final int count;
    private final int[] next;
    private final BitSet accepting;
    private final boolean empty;

    /// For each state the first for which the same tokens are allowed.
    private final int[] alike;

    private Dfa(byte[] classes, int count, int[] next, BitSet accepting, boolean empty) {
        this.classes = classes;
        this.count = count;
        this.next = next;
        this.accepting = accepting;
        this.empty = empty;
        alike = Alike.of(next, count, accepting);
    }

    /// @return the next state, [#NONE] or [#ENDED]
    int next(int state, int b) {
        return next[state * count + (classes[b] & 0xFF)];
    }

    boolean accepts(int state) {
        return accepting.get(state);
    }

    int alike(int state) {
        return alike[state];
    }

    /// @return whether it accepts nothing
    boolean isEmpty() {
        return empty;
    }

    /// Collects states and steps. The first state is where values start.
    static final class Builder {
        /// With a row of 256 steps each.
        private static final int MOST = 20_000;

        private final List<int[]> rows = new ArrayList<>();
        private final BitSet accepting = new BitSet();

        /// @throws Excess where there are too many
        int state() {
            if (rows.size() == MOST) {
                throw new Excess();
            }
            int[] row = new int[256];
            Arrays.fill(row, NONE);
            rows.add(row);
            return rows.size() - 1;
        }

        int accepting() {
            int state = state();
            accepting.set(state);
            return state;
        }

        void accept(int state) {
            accepting.set(state);
        }

        void step(int from, int b, int to) {
            rows.get(from)[b] = to;
        }

        /// @return a state's step by a byte, or a negative number
        int step(int from, int b) {
            return rows.get(from)[b];
        }

        /// @return the automaton, without the states that lead nowhere
        Dfa build() {
            BitSet live = live();
            for (int[] row : rows) {
                for (int b = 0; b < row.length; b++) {
                    row[b] = row[b] >= 0 && live.get(row[b]) ? row[b] : NONE;
                }
            }
            BitSet last = new BitSet();
            for (int state = 0; state < rows.size(); state++) {
                last.set(state, accepting.get(state) && Arrays.stream(rows.get(state)).allMatch(to -> to == NONE));
            }
            rows.forEach(row -> Arrays.setAll(row, b -> row[b] != NONE && last.get(row[b]) ? ENDED : row[b]));
            byte[] classes = new byte[256];
            int count = classes(classes);
            int[] next = new int[rows.size() * count];
            for (int state = 0; state < rows.size(); state++) {
                for (int b = 0; b < classes.length; b++) {
                    next[state * count + (classes[b] & 0xFF)] = rows.get(state)[b];
                }
            }
            return new Dfa(classes, count, next, accepting, !live.get(START));
        }

        /// Bytes with the same steps from every state are one class.
        private int classes(byte[] classes) {
            Map<Bytes, Integer> known = new HashMap<>();
            for (int b = 0; b < classes.length; b++) {
                byte[] column = new byte[4 * rows.size()];
                for (int state = 0; state < rows.size(); state++) {
                    int to = rows.get(state)[b];
                    column[4 * state] = (byte) to;
                    column[4 * state + 1] = (byte) (to >> 8);
                    column[4 * state + 2] = (byte) (to >> 16);
                    column[4 * state + 3] = (byte) (to >> 24);
                }
                Integer one = known.putIfAbsent(Bytes.of(column), known.size());
                classes[b] = (byte) (one == null ? known.size() - 1 : one);
            }
            return known.size();
        }

        /// The states from which one that accepts can be reached.
        private BitSet live() {
            List<List<Integer>> before = new ArrayList<>();
            rows.forEach(_ -> before.add(new ArrayList<>()));
            for (int from = 0; from < rows.size(); from++) {
                int previous = -1;
                for (int to : rows.get(from)) {
                    if (to >= 0 && to != previous) {
                        before.get(to).add(from);
                    }
                    previous = to;
                }
            }
            BitSet live = (BitSet) accepting.clone();
            List<Integer> todo = new ArrayList<>(live.stream().boxed().toList());
            while (!todo.isEmpty()) {
                for (int from : before.get(todo.removeLast())) {
                    if (!live.get(from)) {
                        live.set(from);
                        todo.add(from);
                    }
                }
            }
            return live;
        }
    }
}
