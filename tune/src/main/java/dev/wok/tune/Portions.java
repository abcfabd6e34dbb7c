package dev.wok.tune;

import dev.wok.tensor.Rng;
import dev.wok.text.Permutation;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// What a run learns from, step by step: each item once an epoch, each epoch in an order of its own.
/// What a step learns is a function of its number.
final class Portions<T> {
    private final List<T> learnt;
    private final List<T> heldOut;
    private final int size;
    private final long seed;
    private final long total;

    /// @param heldOut share of the items that is held out: at least one of two or more, where it is
    ///     more than 0
    /// @param epochs times that each of the others is seen
    /// @param size items of a step; the last one may have fewer
    Portions(List<T> items, double heldOut, double epochs, int size, long seed) {
        int count = items.size() < 2 || heldOut == 0 ? 0 : (int) Math.max(1, Math.round(items.size() * heldOut));
        Permutation order =
                new Permutation(items.size(), new Rng(seed).split("held out").seed());
        boolean[] isHeldOut = new boolean[items.size()];
        for (int i = 0; i < count; i++) {
            isHeldOut[Math.toIntExact(order.at(i))] = true;
        }
        learnt = choose(items, isHeldOut, false);
        this.heldOut = choose(items, isHeldOut, true);
        this.size = size;
        this.seed = seed;
        total = Math.max(1, Math.round(learnt.size() * epochs));
    }

    private static <T> List<T> choose(List<T> items, boolean[] marks, boolean wanted) {
        return IntStream.range(0, items.size())
                .filter(i -> marks[i] == wanted)
                .mapToObj(items::get)
                .toList();
    }

    long steps() {
        return Math.ceilDiv(total, size);
    }

    List<T> heldOut() {
        return heldOut;
    }

    /// @param step counts from 1
    List<T> of(long step) {
        List<T> portion = new ArrayList<>();
        for (long i = (step - 1) * size; i < Math.min(total, step * size); i++) {
            portion.add(learnt.get(Math.toIntExact(Permutation.place(i, learnt.size(), seed))));
        }
        return portion;
    }

    /// @param step counts from 1
    /// @return how often each item has been seen after a step
    double epoch(long step) {
        return (double) Math.min(total, step * size) / learnt.size();
    }
}
