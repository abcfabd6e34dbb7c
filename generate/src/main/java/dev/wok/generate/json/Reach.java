package dev.wok.generate.json;

import org.jspecify.annotations.Nullable;

/// Where some bytes lead, with where further bytes lead once somebody asked.
final class Reach {
    private static final Reach NOWHERE = new Reach();
    private static final int WORTH_KEEPING = 4;

    private final Stack[] stacks;
    private @Nullable Reach @Nullable [] next;
    private int asked;

    Reach(Stack... stacks) {
        this.stacks = stacks;
    }

    boolean isEmpty() {
        return stacks.length == 0;
    }

    Reach step(int b, Steps empty) {
        if (next == null) {
            if (++asked < WORTH_KEEPING) {
                Stack[] after = Steps.of(stacks, b, empty);
                return after.length == 0 ? NOWHERE : new Reach(after);
            }
            next = new Reach[256];
        }
        Reach known = next[b];
        if (known == null) {
            Stack[] after = Steps.of(stacks, b, empty);
            known = after.length == 0 ? NOWHERE : new Reach(after);
            next[b] = known;
        }
        return known;
    }
}
