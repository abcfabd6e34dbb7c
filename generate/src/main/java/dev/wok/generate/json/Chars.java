package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A set of strings as a deterministic automaton over code points. No string has half a surrogate pair.
/// From each state that can be reached, some string leads to one that accepts.
final class Chars {
    static final int START = 0;

    private static final int MOST_CELLS = 500_000;
    private static final int MOST_WORK = 20_000_000;

    /// The first code point of each class.
    private final int[] firsts;

    private final List<int[]> next;
    private final BitSet accepting;
    private final boolean empty;

    private Chars(int[] firsts, List<int[]> next, BitSet accepting) {
        this.firsts = firsts;
        this.next = next;
        this.accepting = accepting;
        empty = !trim();
    }

    /// @throws Excess where it becomes too large
    static Chars of(Pattern pattern) {
        Nfa nfa = new Nfa(pattern);
        int[] firsts = firsts(nfa.borders());
        Map<BitSet, Integer> known = new HashMap<>();
        List<BitSet> sets = new ArrayList<>();
        List<int[]> next = new ArrayList<>();
        BitSet accepting = new BitSet();
        // The start is a state of its own: only there does a string begin.
        sets.add(nfa.start());
        long work = 0;
        for (int state = 0; state < sets.size(); state++) {
            BitSet set = sets.get(state);
            boolean found = nfa.found(set);
            accepting.set(state, nfa.foundAtEnd(set, state == START));
            int[] row = new int[firsts.length];
            next.add(row);
            work += (set.cardinality() + set.length() / Long.SIZE + 1L) * firsts.length;
            if ((long) sets.size() * firsts.length > MOST_CELLS || work > MOST_WORK) {
                throw new Excess();
            }
            for (int c = 0; c < row.length; c++) {
                // Found is found: the rest of the string is free.
                row[c] = isSurrogate(firsts[c])
                        ? -1
                        : found ? state : add(known, sets, withFound(nfa, nfa.after(set, firsts[c])));
            }
        }
        return new Chars(firsts, next, accepting);
    }

    private static BitSet withFound(Nfa nfa, BitSet set) {
        return nfa.found(set) ? nfa.onlyFound() : set;
    }

    private static int add(Map<BitSet, Integer> known, List<BitSet> sets, BitSet set) {
        Integer number = known.putIfAbsent(set, sets.size());
        if (number == null) {
            sets.add(set);
            return sets.size() - 1;
        }
        return number;
    }

    private static int[] firsts(BitSet borders) {
        borders.set(0);
        borders.set(Character.MIN_SURROGATE);
        borders.set(Character.MAX_SURROGATE + 1);
        borders.clear(CodePoints.LAST + 1);
        return borders.stream().toArray();
    }

    private static boolean isSurrogate(int codePoint) {
        return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
    }

    /// @return what is in both
    /// @throws Excess where it becomes too large
    Chars and(Chars other) {
        BitSet borders = new BitSet();
        Arrays.stream(firsts).forEach(borders::set);
        Arrays.stream(other.firsts).forEach(borders::set);
        int[] common = firsts(borders);
        return product(
                common,
                (pair, codePoint) -> {
                    int a = next((int) (pair >> 32), codePoint);
                    int b = other.next((int) pair, codePoint);
                    return a < 0 || b < 0 ? -1 : (long) a << 32 | b;
                },
                pair -> accepts((int) (pair >> 32)) && other.accepts((int) pair));
    }

    /// @param max [StringFrame#MANY] where it is not bounded
    /// @return what has so many characters
    /// @throws Excess where it becomes too large
    Chars ofLength(int min, int max) {
        int counted = max == StringFrame.MANY ? min : max;
        if (max == StringFrame.MANY && min == 0) {
            return this;
        }
        return product(
                firsts,
                (pair, codePoint) -> {
                    int count = (int) pair;
                    int to = next((int) (pair >> 32), codePoint);
                    return to < 0 || count == max ? -1 : (long) to << 32 | Math.min(count + 1, counted);
                },
                pair -> accepts((int) (pair >> 32)) && (int) pair >= min);
    }

    private interface PairStep {
        long next(long pair, int codePoint);
    }

    private interface PairAccepts {
        boolean accepts(long pair);
    }

    private static Chars product(int[] firsts, PairStep step, PairAccepts accepts) {
        Map<Long, Integer> known = new HashMap<>(Map.of(0L, 0));
        List<Long> pairs = new ArrayList<>(List.of(0L));
        List<int[]> next = new ArrayList<>();
        BitSet accepting = new BitSet();
        for (int state = 0; state < pairs.size(); state++) {
            long pair = pairs.get(state);
            accepting.set(state, accepts.accepts(pair));
            int[] row = new int[firsts.length];
            next.add(row);
            if ((long) pairs.size() * firsts.length > MOST_CELLS) {
                throw new Excess();
            }
            for (int c = 0; c < row.length; c++) {
                long to = step.next(pair, firsts[c]);
                row[c] = to < 0
                        ? -1
                        : known.computeIfAbsent(to, added -> {
                            pairs.add(added);
                            return pairs.size() - 1;
                        });
            }
        }
        return new Chars(firsts, next, accepting);
    }

    /// Takes the steps away that lead nowhere.
    ///
    /// @return whether anything is left
    private boolean trim() {
        int[] counts = new int[next.size() + 1];
        for (int[] row : next) {
            for (int to : row) {
                counts[to < 0 ? 0 : to + 1] += to < 0 ? 0 : 1;
            }
        }
        Arrays.parallelPrefix(counts, Integer::sum);
        int[] sources = new int[counts[next.size()]];
        int[] places = counts.clone();
        for (int from = 0; from < next.size(); from++) {
            for (int to : next.get(from)) {
                if (to >= 0) {
                    sources[places[to]++] = from;
                }
            }
        }
        BitSet live = Live.of(accepting, sources, counts);
        next.forEach(row -> Arrays.setAll(row, c -> row[c] >= 0 && live.get(row[c]) ? row[c] : -1));
        return live.get(START);
    }

    boolean isEmpty() {
        return empty;
    }

    int size() {
        return next.size();
    }

    /// @return how large it is
    int cells() {
        return next.size() * firsts.length;
    }

    boolean accepts(int state) {
        return accepting.get(state);
    }

    /// @return the next state, or a negative number
    int next(int state, int codePoint) {
        return next.get(state)[classOf(codePoint)];
    }

    private int classOf(int codePoint) {
        int found = Arrays.binarySearch(firsts, codePoint);
        return found < 0 ? -found - 2 : found;
    }

    /// @return whether all code points of a range lead to the same state
    boolean isUniform(int state, int first, int last) {
        int[] row = next.get(state);
        int from = classOf(first);
        int to = classOf(last);
        for (int c = from + 1; c <= to; c++) {
            if (row[c] != row[from]) {
                return false;
            }
        }
        return true;
    }

    boolean contains(String text) {
        int state = START;
        for (int codePoint : text.codePoints().toArray()) {
            state = next(state, codePoint);
            if (state < 0) {
                return false;
            }
        }
        return accepts(state);
    }
}
