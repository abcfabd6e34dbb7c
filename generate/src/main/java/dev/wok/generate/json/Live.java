package dev.wok.generate.json;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;

/// The states of an automaton from which one that accepts can be reached.
final class Live {
    private Live() {}

    /// @param sources where steps come from, in the order of the states to which they lead
    /// @param starts where those that lead to a state begin
    static BitSet of(BitSet accepting, int[] sources, int[] starts) {
        BitSet live = (BitSet) accepting.clone();
        Deque<Integer> todo = new ArrayDeque<>(live.stream().boxed().toList());
        while (!todo.isEmpty()) {
            int state = todo.removeLast();
            for (int i = starts[state]; i < starts[state + 1]; i++) {
                if (!live.get(sources[i])) {
                    live.set(sources[i]);
                    todo.add(sources[i]);
                }
            }
        }
        return live;
    }
}
