package dev.wok.generate.json;

/// A walk over the vocabulary that marks the tokens which stacks allow. Tokens that begin alike are
/// followed together, and what is refused is left out with all that begins with it.
final class Walk {
    private final Trie trie;
    private final long[] mask;
    private final Steps steps = new Steps();

    /// By depth, where the bytes up to there lead.
    private final Stack[][] reached;

    /// @param mask where to set bits
    Walk(Trie trie, long[] mask) {
        this.trie = trie;
        this.mask = mask;
        reached = new Stack[trie.longest() + 1][];
    }

    /// Any tokens, from where the text stands.
    void all(Stack stack) {
        reached[0] = new Stack[] {stack};
        follow(0, trie.nodes());
    }

    private void follow(int from, int to) {
        for (int node = from; node < to; ) {
            int depth = trie.depth(node);
            Stack[] next = Steps.of(reached[depth - 1], trie.label(node), steps);
            if (next.length == 0) {
                node = trie.end(node);
            } else {
                reached[depth] = next;
                trie.mark(node, mask);
                node++;
            }
        }
    }

    /// The tokens that end at a node or go on after it.
    ///
    /// @param stacks where the bytes up to the node lead
    private void after(int node, Stack... stacks) {
        trie.mark(node, mask);
        int end = trie.end(node);
        if (node + 1 < end) {
            reached[trie.depth(node)] = stacks;
            follow(node + 1, end);
        }
    }

    /// The tokens that end a string, which those that stay within it are not.
    void quotes(StringFrame frame, Stack below) {
        StringTokens tokens = trie.strings(frame.at(), true);
        for (int i = 0; i < tokens.quotes(); i++) {
            if (tokens.before(i) >= frame.least() && tokens.before(i) <= frame.most()) {
                after(tokens.quote(i), below);
            }
        }
    }

    /// The same for the name of a member.
    void quotes(OtherNameFrame frame, Stack below) {
        StringTokens tokens = trie.strings(frame.at(), false);
        for (int i = 0; i < tokens.quotes(); i++) {
            int node = tokens.quote(i);
            Bytes name = frame.name().plus(trie.bytesBefore(node));
            if (frame.object().takes(name)) {
                after(node, below.push(frame.object().named(name)));
            }
        }
    }

    /// As [#all] from within an automaton, whose own steps need no stacks.
    void scalar(ScalarFrame frame, Stack below) {
        Dfa dfa = frame.dfa();
        int[] states = new int[trie.longest() + 1];
        Stack[] ended = {below};
        states[0] = frame.state();
        for (int node = 0; node < trie.nodes(); ) {
            int depth = trie.depth(node);
            int state = states[depth - 1];
            int b = trie.label(node);
            int next = dfa.next(state, b);
            if (next >= 0 && !dfa.ends(next)) {
                states[depth] = next;
                trie.mark(node, mask);
                node++;
                continue;
            }
            if (next >= 0) {
                after(node, ended);
            } else if (dfa.accepts(state)) {
                Stack[] stacks = Steps.of(ended, b, steps);
                if (stacks.length > 0) {
                    after(node, stacks);
                }
            }
            node = trie.end(node);
        }
    }
}
