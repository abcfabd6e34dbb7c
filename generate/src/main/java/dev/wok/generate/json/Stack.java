package dev.wok.generate.json;

import org.jspecify.annotations.Nullable;

/// What is open at one place of the text: the innermost value, and below it what goes on when that has
/// ended. Unchangeable; what two stacks have in common they share.
final class Stack {
    /// The whole value has ended.
    static final Stack DONE = new Stack(new Done(), null);

    private final Frame top;
    private final Stack below;
    private final int hash;

    private Stack(Frame top, @Nullable Stack below) {
        this.top = top;
        this.below = below == null ? this : below;
        hash = 31 * (below == null ? 0 : below.hash) + top.hashCode();
    }

    Stack push(Frame frame) {
        return new Stack(frame, this);
    }

    Frame top() {
        return top;
    }

    Stack below() {
        return below;
    }

    /// Adds every stack that a byte leads to.
    void step(int b, Steps out) {
        top.step(b, below, out);
    }

    /// @return whether the text so far is a whole value
    boolean mayEnd() {
        Stack at = this;
        while (at != DONE && at.top.mayEnd()) {
            at = at.below;
        }
        return at == DONE;
    }

    /// @return one for which the same tokens are allowed, the same for as many as possible
    Stack forMask(Trie trie) {
        if (this == DONE) {
            return this;
        }
        Stack rest = below.forMask(trie);
        Frame frame = top.forMask(trie);
        return rest == below && frame == top ? this : rest.push(frame);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        Stack a = this;
        if (!(other instanceof Stack b)) {
            return false;
        }
        while (a != b) {
            if (a.hash != b.hash || a == DONE || b == DONE || !a.top.equals(b.top)) {
                return false;
            }
            a = a.below;
            b = b.below;
        }
        return true;
    }

    @Override
    public int hashCode() {
        return hash;
    }

    @Override
    public String toString() {
        return this == DONE ? "done" : top + " in " + below;
    }
}
