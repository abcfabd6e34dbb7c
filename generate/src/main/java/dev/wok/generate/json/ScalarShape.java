package dev.wok.generate.json;

/// Values that an automaton describes: numbers, strings with a pattern, given values.
record ScalarShape(Dfa dfa) implements Shape {
    @Override
    public int height() {
        return dfa.isEmpty() ? Node.ENDLESS : 0;
    }

    @Override
    public void start(int b, int room, Stack below, Steps out) {
        ScalarFrame.enter(dfa, dfa.next(Dfa.START, b), below, out);
    }
}
