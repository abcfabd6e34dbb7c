package dev.wok.tune;

import dev.wok.tensor.Rng;
import java.util.ArrayList;
import java.util.List;

/// Random choices one after another.
final class Draws {
    private final Rng rng;
    private long next;

    Draws(Rng rng) {
        this.rng = rng;
    }

    /// @return uniform in 0..bound-1
    int below(int bound) {
        return rng.below(next++, bound);
    }

    /// @return uniform, both ends included
    int between(int low, int high) {
        return low + below(high - low + 1);
    }

    /// @return uniform in [0, 1)
    double uniform() {
        return rng.uniform(next++);
    }

    <T> T of(List<T> choices) {
        return choices.get(below(choices.size()));
    }

    /// @return the same in a random order
    <T> List<T> shuffled(List<T> list) {
        List<T> order = new ArrayList<>(list);
        for (int i = order.size() - 1; i > 0; i--) {
            int j = below(i + 1);
            T moved = order.get(i);
            order.set(i, order.get(j));
            order.set(j, moved);
        }
        return order;
    }
}
