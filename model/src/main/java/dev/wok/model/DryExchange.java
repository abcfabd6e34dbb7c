package dev.wok.model;

import dev.wok.fabric.Exchange;
import dev.wok.fabric.Transfer;
import dev.wok.tensor.Tensor;
import java.util.function.IntFunction;

/// An exchange in which nothing travels, to measure with: as many rows come as go, as many for each
/// expert.
///
/// @param experts of this rank
record DryExchange(int experts) implements Exchange {
    private record Even(int tokens, int rows, int experts) implements Route {
        @Override
        public int[] offsets() {
            int[] offsets = new int[experts + 1];
            for (int e = 0; e <= experts; e++) {
                offsets[e] = Math.toIntExact((long) rows * e / experts);
            }
            return offsets;
        }
    }

    private record Here(Route route, Tensor rows) implements Arriving {
        @Override
        public void await() {}
    }

    @Override
    public Arriving begin(Tensor chosen, Tensor x, IntFunction<Tensor> room) {
        Route route = route(chosen);
        return new Here(route, room.apply(route.rows()));
    }

    @Override
    public Route route(Tensor chosen) {
        return new Even(chosen.size(0), Math.toIntExact(chosen.elements()), experts);
    }

    @Override
    public Transfer dispatch(Route route, Tensor x, Tensor rows) {
        return () -> {};
    }

    @Override
    public Transfer dispatchScalars(Route route, Tensor slots, Tensor rows) {
        return () -> {};
    }

    @Override
    public Transfer combine(Route route, Tensor rows, Tensor slots) {
        return () -> {};
    }

    @Override
    public Transfer combineScalars(Route route, Tensor rows, Tensor slots) {
        return () -> {};
    }
}
