package dev.wok.generate.json;

/// How large the automata of one schema are together.
final class Budget {
    /// In steps of tables, of 4 bytes each.
    static final int CELLS = 4_000_000;

    private int left = CELLS;

    /// @throws Excess where nothing is left
    void spend(int cells) {
        left -= Math.min(left, cells);
        if (left == 0) {
            throw new Excess();
        }
    }

    Dfa spend(Dfa dfa) {
        spend(dfa.cells());
        return dfa;
    }

    Chars spend(Chars chars) {
        spend(chars.cells());
        return chars;
    }
}
