package dev.wok.generate.json;

/// A walk over the vocabulary that marks the tokens which stacks allow. Tokens that begin alike are
/// followed together, and what is refused is left out with all that begins with it.
final class Walk {
    private final Trie trie;
    private final long[] mask;
    private final Steps steps = new Steps();

    /// By depth, where the bytes up to there lead.
    private final Reach[] reached;

    /// @param mask where to set bits
    Walk(Trie trie, long[] mask) {
        this.trie = trie;
        this.mask = mask;
        reached = new Reach[trie.longest() + 1];
    }

    /// Any tokens, from where the text stands.
    void all(Stack stack) {
        reached[0] = new Reach(stack);
        follow(0, trie.nodes());
    }

    private void follow(int from, int to) {
        for (int node = from; node < to; ) {
            int depth = trie.depth(node);
            Reach next = reached[depth - 1].step(trie.label(node), steps);
            if (next.isEmpty()) {
                node = trie.end(node);
            } else {
                reached[depth] = next;
                trie.mark(node, mask);
                node++;
            }
        }
    }

    /// The tokens that go on after a node.
    ///
    /// @param reach where the bytes up to the node lead
    private void after(int node, Reach reach) {
        reached[trie.depth(node)] = reach;
        follow(node + 1, trie.end(node));
    }

    /// The tokens that end a string, which those that stay within it are not.
    void quotes(StringFrame frame, Stack below) {
        StringTokens tokens = trie.strings(frame.at(), true);
        Reach ended = new Reach(below);
        for (int i = 0; i < tokens.quotes(); i++) {
            if (tokens.before(i) >= frame.least() && tokens.before(i) <= frame.most()) {
                trie.mark(tokens.quote(i), mask);
                after(tokens.quote(i), ended);
            }
        }
    }

    /// The same for the name of a member.
    void quotes(OtherNameFrame frame, Stack below) {
        StringTokens tokens = trie.strings(frame.at(), false);
        // Where no name is in the way, it makes no difference which one it was until another begins.
        boolean all = frame.object().takesAll(frame.name());
        Reach named = new Reach(below.push(frame.object().named(frame.name())));
        for (int i = 0; i < tokens.quotes(); i++) {
            int node = tokens.quote(i);
            if (all && tokens.isLastQuote(i)) {
                trie.mark(node, mask);
                after(node, named);
                continue;
            }
            Bytes name = frame.name().plus(trie.bytesBefore(node));
            if (frame.object().takes(name)) {
                trie.mark(node, mask);
                after(node, new Reach(below.push(frame.object().named(name))));
            }
        }
    }

    /// As [#all] from within an automaton, whose own steps need no stacks.
    void scalar(ScalarFrame frame, Stack below) {
        Dfa dfa = frame.dfa();
        int[] states = new int[trie.longest() + 1];
        Reach ended = new Reach(below);
        states[0] = frame.state();
        byte[] labels = trie.labels();
        byte[] depths = trie.depths();
        int[] firsts = trie.firsts();
        for (int node = 0; node < labels.length; ) {
            int depth = depths[node];
            int state = states[depth - 1];
            int b = labels[node] & 0xFF;
            int next = dfa.next(state, b);
            if (next >= 0) {
                states[depth] = next;
                if (firsts[node] >= 0) {
                    trie.mark(node, mask);
                }
                node++;
                continue;
            }
            if (next == Dfa.ENDED) {
                trie.mark(node, mask);
                after(node, ended);
            } else if (dfa.accepts(state)) {
                Reach reach = ended.step(b, steps);
                if (!reach.isEmpty()) {
                    trie.mark(node, mask);
                    after(node, reach);
                }
            }
            node = trie.end(node);
        }
    }
}
