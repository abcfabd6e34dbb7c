package dev.wok.generate.json;

import dev.wok.generate.json.Pattern.Begin;
import dev.wok.generate.json.Pattern.Either;
import dev.wok.generate.json.Pattern.End;
import dev.wok.generate.json.Pattern.OneOf;
import dev.wok.generate.json.Pattern.Repeated;
import dev.wok.generate.json.Pattern.Sequence;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/// A pattern as a nondeterministic automaton (K. Thompson, "Regular expression search algorithm", 1968).
/// The pattern may begin and end anywhere in a string, as the standard wants it.
final class Nfa {
    private static final int MOST = 20_000;

    /// A place between characters.
    private sealed interface State {
        /// Goes on with any of some others.
        record Fork(List<Integer> next) implements State {}

        /// Takes a character.
        record Take(CodePoints set, int next) implements State {}

        /// Goes on where the string begins.
        record AtBegin(int next) implements State {}

        /// Goes on where the string ends.
        record AtEnd(int next) implements State {}

        /// Whatever follows, the pattern was found.
        record Found() implements State {}
    }

    private final List<State> states = new ArrayList<>();
    private final int start;
    private final int found;

    /// @throws Excess where it has too many states
    Nfa(Pattern pattern) {
        found = add(new State.Found());
        List<Integer> anywhere = new ArrayList<>();
        start = add(new State.Fork(anywhere));
        anywhere.add(add(new State.Take(CodePoints.ANY, start)));
        anywhere.add(build(pattern, found));
    }

    private int add(State state) {
        if (states.size() == MOST) {
            throw new Excess();
        }
        states.add(state);
        return states.size() - 1;
    }

    /// @return the state that reads a pattern and then goes on with another
    private int build(Pattern pattern, int then) {
        return switch (pattern) {
            case OneOf one -> add(new State.Take(one.set(), then));
            case Begin _ -> add(new State.AtBegin(then));
            case End _ -> add(new State.AtEnd(then));
            case Sequence sequence -> {
                int at = then;
                for (Pattern part : sequence.parts().reversed()) {
                    at = build(part, at);
                }
                yield at;
            }
            case Either either -> {
                List<Integer> next = new ArrayList<>();
                for (Pattern choice : either.choices()) {
                    next.add(build(choice, then));
                }
                yield add(new State.Fork(next));
            }
            case Repeated repeated -> repeat(repeated, then);
        };
    }

    private int repeat(Repeated repeated, int then) {
        int at = then;
        if (repeated.most() == Repeated.MANY) {
            List<Integer> next = new ArrayList<>(List.of(then));
            at = add(new State.Fork(next));
            next.add(build(repeated.part(), at));
        } else {
            for (int i = repeated.least(); i < repeated.most(); i++) {
                at = add(new State.Fork(List.of(build(repeated.part(), at), then)));
            }
        }
        for (int i = 0; i < repeated.least(); i++) {
            // A pattern that reads nothing adds no states, which would not end for a high count.
            int before = states.size();
            at = build(repeated.part(), at);
            if (states.size() == before) {
                break;
            }
        }
        return at;
    }

    /// @return the states where the string begins
    BitSet start() {
        BitSet set = new BitSet();
        reach(start, true, false, set);
        return set;
    }

    /// @return the states after a character of a class
    BitSet after(BitSet from, int character) {
        BitSet set = new BitSet();
        for (int i = from.nextSetBit(0); i >= 0; i = from.nextSetBit(i + 1)) {
            if (states.get(i) instanceof State.Take take && take.set().contains(character)) {
                reach(take.next(), false, false, set);
            }
        }
        return set;
    }

    private void reach(int first, boolean begins, boolean ends, BitSet set) {
        List<Integer> todo = new ArrayList<>(List.of(first));
        while (!todo.isEmpty()) {
            int state = todo.removeLast();
            if (set.get(state)) {
                continue;
            }
            set.set(state);
            switch (states.get(state)) {
                case State.Fork fork -> todo.addAll(fork.next());
                case State.AtBegin begin when begins -> todo.add(begin.next());
                case State.AtEnd end when ends -> todo.add(end.next());
                case State.AtBegin _, State.AtEnd _, State.Take _, State.Found _ -> {}
            }
        }
    }

    /// @return whether the pattern was found, whatever follows
    boolean found(BitSet at) {
        return at.get(found);
    }

    /// @return the state in which it was found, alone
    BitSet onlyFound() {
        BitSet set = new BitSet();
        set.set(found);
        return set;
    }

    /// @param begins whether the string begins here
    /// @return whether the pattern is found if the string ends here
    boolean foundAtEnd(BitSet at, boolean begins) {
        BitSet set = new BitSet();
        for (int i = at.nextSetBit(0); i >= 0; i = at.nextSetBit(i + 1)) {
            if (states.get(i) instanceof State.AtEnd || i == found) {
                reach(i, begins, true, set);
            }
        }
        return set.get(found);
    }

    /// @return the characters at which sets begin, or end before
    BitSet borders() {
        BitSet borders = new BitSet();
        for (State state : states) {
            if (state instanceof State.Take take) {
                take.set().ranges().forEach(range -> {
                    borders.set(range.first());
                    borders.set(range.last() + 1);
                });
            }
        }
        return borders;
    }
}
