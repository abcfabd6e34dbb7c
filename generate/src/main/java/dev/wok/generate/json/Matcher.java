package dev.wok.generate.json;

import java.util.Arrays;

/// One text while it is generated: which tokens may come next.
///
/// There is no dead end where all 256 single bytes are tokens: from each state that allowed tokens lead
/// to, allowed tokens lead on to a text that may end. Not thread safe.
public final class Matcher {
    private final Masks masks;
    private Stack[] stacks;
    private long[] allowed = {};

    Matcher(Masks masks, Stack start) {
        this.masks = masks;
        stacks = new Stack[] {start};
    }

    /// A token without bytes is never among them, so nothing here says that the text ends: see [#mayEnd].
    ///
    /// @return a bit for each id that may come next, bit `id % 64` of element `id / 64`; not to be changed
    public long[] allowed() {
        if (allowed.length == 0) {
            allowed = masks.of(stacks);
        }
        return allowed;
    }

    /// Adds a token to the text.
    ///
    /// @param id one that is allowed
    /// @throws IllegalArgumentException where it is not
    public void accept(int id) {
        byte[] bytes = id >= 0 && id < masks.trie().size() ? masks.trie().bytes(id) : new byte[0];
        Steps all = new Steps();
        for (Stack stack : stacks) {
            for (Stack next : after(stack, bytes)) {
                all.add(next);
            }
        }
        if (all.isEmpty() || bytes.length == 0) {
            throw new IllegalArgumentException("token %d may not come next".formatted(id));
        }
        stacks = all.take();
        allowed = new long[0];
    }

    /// Each stack by itself, as its mask was computed.
    private static Stack[] after(Stack stack, byte[] bytes) {
        Steps steps = new Steps();
        Stack[] at = {stack};
        for (int i = 0; i < bytes.length && at.length > 0; i++) {
            at = Steps.of(at, bytes[i] & 0xFF, steps);
        }
        return at;
    }

    /// @return whether the text so far is a value that the schema allows
    public boolean mayEnd() {
        for (Stack stack : stacks) {
            if (stack.mayEnd()) {
                return true;
            }
        }
        return false;
    }

    /// @return whether the text so far is such a value and nothing can follow
    public boolean mustEnd() {
        return stacks.length == 1 && stacks[0] == Stack.DONE;
    }

    /// @return the same place of the same text, which goes on by itself
    public Matcher copy() {
        Matcher copy = new Matcher(masks, Stack.DONE);
        copy.stacks = stacks;
        return copy;
    }

    /// @return whether the same may follow as after another text
    public boolean isWhere(Matcher other) {
        return masks == other.masks && Arrays.equals(stacks, other.stacks);
    }
}
