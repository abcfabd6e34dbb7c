package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

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

    private Dfa(byte[] classes, int count, int[] next, BitSet accepting, int[] alike, boolean empty) {
        this.classes = classes;
        this.count = count;
        this.next = next;
        this.accepting = accepting;
        this.empty = empty;
        this.alike = alike;
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

    /// @return how large it is
    int cells() {
        return next.length;
    }

    /// Collects states and steps. The first state is where values start.
    static final class Builder {
        private static final int MOST = 100_000;

        private final List<Row> rows = new ArrayList<>();
        private final BitSet accepting = new BitSet();

        /// The steps of one state.
        private static final class Row {
            private byte[] labels = new byte[2];
            private int[] targets = new int[2];
            private int size;

            int find(int b) {
                for (int i = 0; i < size; i++) {
                    if (labels[i] == (byte) b) {
                        return i;
                    }
                }
                return -1;
            }

            void add(int b, int target) {
                if (size == labels.length) {
                    labels = Arrays.copyOf(labels, 2 * size);
                    targets = Arrays.copyOf(targets, 2 * size);
                }
                labels[size] = (byte) b;
                targets[size++] = target;
            }
        }

        /// @throws Excess where there are too many
        int state() {
            if (rows.size() == MOST) {
                throw new Excess();
            }
            rows.add(new Row());
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

        /// Adds a step, of which there was none by this byte.
        void step(int from, int b, int to) {
            rows.get(from).add(b, to);
        }

        /// @return a state's step by a byte, or a negative number
        int step(int from, int b) {
            Row row = rows.get(from);
            int found = row.find(b);
            return found < 0 ? NONE : row.targets[found];
        }

        /// @param counts whether there may be many states that differ in a counter
        /// @return the automaton, without the states that lead nowhere
        /// @throws Excess where it is too large
        Dfa build(boolean counts) {
            BitSet live = live();
            BitSet last = (BitSet) accepting.clone();
            for (int state = 0; state < rows.size(); state++) {
                Row row = rows.get(state);
                for (int i = 0; i < row.size; i++) {
                    if (live.get(row.targets[i])) {
                        last.clear(state);
                    } else {
                        row.targets[i] = NONE;
                    }
                }
            }
            for (Row row : rows) {
                for (int i = 0; i < row.size; i++) {
                    row.targets[i] = row.targets[i] != NONE && last.get(row.targets[i]) ? ENDED : row.targets[i];
                }
            }
            byte[] classes = new byte[256];
            int count = classes(classes);
            if ((long) rows.size() * count > Budget.CELLS) {
                throw new Excess();
            }
            int[] next = new int[rows.size() * count];
            Arrays.fill(next, NONE);
            for (int state = 0; state < rows.size(); state++) {
                Row row = rows.get(state);
                for (int i = 0; i < row.size; i++) {
                    next[state * count + (classes[row.labels[i] & 0xFF] & 0xFF)] = row.targets[i];
                }
            }
            int[] alike = counts
                    ? Alike.of(next, count, accepting)
                    : IntStream.range(0, rows.size()).toArray();
            return new Dfa(classes, count, next, accepting, alike, !live.get(START));
        }

        /// Bytes with the same steps from every state are one class.
        private int classes(byte[] classes) {
            int[] split = new int[256];
            int count = 1;
            for (Row row : rows) {
                Map<Long, Integer> known = new HashMap<>();
                for (int i = 0; i < row.size; i++) {
                    int b = row.labels[i] & 0xFF;
                    long key = (long) split[b] << 32 | row.targets[i] & 0xFFFFFFFFL;
                    Integer found = known.putIfAbsent(key, count);
                    split[b] = found == null ? count++ : found;
                }
                if (count > 256) {
                    count = renumber(split);
                }
            }
            count = renumber(split);
            for (int b = 0; b < split.length; b++) {
                classes[b] = (byte) split[b];
            }
            return count;
        }

        /// By the order in which they come, from 0 on.
        private static int renumber(int[] split) {
            Map<Integer, Integer> numbers = new HashMap<>();
            for (int b = 0; b < split.length; b++) {
                Integer known = numbers.putIfAbsent(split[b], numbers.size());
                split[b] = known == null ? numbers.size() - 1 : known;
            }
            return numbers.size();
        }

        /// The states from which one that accepts can be reached.
        private BitSet live() {
            int[] counts = new int[rows.size() + 1];
            for (Row row : rows) {
                for (int i = 0; i < row.size; i++) {
                    counts[row.targets[i] + 1]++;
                }
            }
            Arrays.parallelPrefix(counts, Integer::sum);
            int[] sources = new int[counts[rows.size()]];
            int[] places = counts.clone();
            for (int from = 0; from < rows.size(); from++) {
                Row row = rows.get(from);
                for (int i = 0; i < row.size; i++) {
                    sources[places[row.targets[i]]++] = from;
                }
            }
            return Live.of(accepting, sources, counts);
        }
    }
}
