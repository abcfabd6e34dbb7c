package dev.wok.generate.json;

import java.util.Arrays;

/// The stacks that a text can lead to, each once. More than one where branches of a schema begin alike.
final class Steps {
    /// Of more that begin alike the later ones are forgotten: what is left still leads to an end. See [Widths].
    static final int MOST = 256;

    private Stack[] stacks = new Stack[4];
    private int size;

    void add(Stack stack) {
        if (size == MOST) {
            return;
        }
        for (int i = 0; i < size; i++) {
            if (stacks[i].equals(stack)) {
                return;
            }
        }
        if (size == stacks.length) {
            stacks = Arrays.copyOf(stacks, 2 * size);
        }
        stacks[size++] = stack;
    }

    boolean isEmpty() {
        return size == 0;
    }

    /// @return what was added since the last time
    Stack[] take() {
        Stack[] taken = Arrays.copyOf(stacks, size);
        size = 0;
        return taken;
    }

    /// @return the stacks that a byte leads to from any of some
    static Stack[] of(Stack[] from, int b, Steps empty) {
        for (Stack stack : from) {
            stack.step(b, empty);
        }
        return empty.take();
    }
}
