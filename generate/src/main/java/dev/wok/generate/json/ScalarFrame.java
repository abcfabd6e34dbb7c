package dev.wok.generate.json;

/// Within a value that an automaton describes.
record ScalarFrame(Dfa dfa, int state) implements Frame {
    @Override
    public void step(int b, Stack below, Steps out) {
        enter(dfa, dfa.next(state, b), below, out);
        if (dfa.accepts(state)) {
            below.step(b, out);
        }
    }

    /// @param next what a step of the automaton gives
    static void enter(Dfa dfa, int next, Stack below, Steps out) {
        if (next != Dfa.NONE) {
            out.add(next == Dfa.ENDED ? below : below.push(new ScalarFrame(dfa, next)));
        }
    }

    @Override
    public boolean mayEnd() {
        return dfa.accepts(state);
    }

    @Override
    public Frame forMask(Trie trie) {
        int same = dfa.alike(state);
        return same == state ? this : new ScalarFrame(dfa, same);
    }
}
