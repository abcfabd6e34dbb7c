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

    /// @param next a state, or a negative number for none
    static void enter(Dfa dfa, int next, Stack below, Steps out) {
        if (next >= 0) {
            out.add(dfa.ends(next) ? below : below.push(new ScalarFrame(dfa, next)));
        }
    }

    @Override
    public boolean mayEnd() {
        return dfa.accepts(state);
    }
}
