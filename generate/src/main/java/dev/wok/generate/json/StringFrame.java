package dev.wok.generate.json;

/// Within a string of which at most the length is bounded.
///
/// @param at a state of [StringBytes]
/// @param least how many characters have to begin yet
/// @param most how many may; [#MANY] where that is not bounded
record StringFrame(int at, int least, int most) implements Frame {
    static final int MANY = Integer.MAX_VALUE;

    @Override
    public void step(int b, Stack below, Steps out) {
        boolean between = at == StringBytes.BETWEEN;
        if (between && b == '"') {
            if (least == 0) {
                out.add(below);
            }
            return;
        }
        int next = between && most == 0 ? -1 : StringBytes.next(at, b);
        if (next >= 0) {
            out.add(below.push(
                    between
                            ? new StringFrame(next, Math.max(0, least - 1), most == MANY ? MANY : most - 1)
                            : new StringFrame(next, least, most)));
        }
    }

    @Override
    public boolean mayEnd() {
        return false;
    }

    @Override
    public Frame forMask(Trie trie) {
        int enough = trie.mostCharacters() + 1;
        int same = most > enough ? MANY : most;
        return least <= enough && most == same ? this : new StringFrame(at, Math.min(least, enough), same);
    }
}
