package dev.wok.model;

import dev.wok.fabric.Exchange;
import dev.wok.fabric.Transfer;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.function.IntFunction;

/// An exchange in which nothing travels, to measure with: as many rows come as go, as many for each
/// expert, of as many tokens as they can be of.
///
/// @param experts of this rank
record DryExchange(int ranks, int experts) implements Exchange {
    private record Even(int tokens, int arrivals, int rows, int experts) implements Route {
        @Override
        public int[] rowToken() {
            int[] tokenOf = new int[rows];
            Arrays.setAll(tokenOf, row -> Math.toIntExact((long) arrivals * row / rows));
            return tokenOf;
        }

        @Override
        public float[] weights() {
            return new float[rows];
        }

        @Override
        public int[] offsets() {
            int[] offsets = new int[experts + 1];
            for (int e = 0; e <= experts; e++) {
                offsets[e] = Math.toIntExact((long) rows * e / experts);
            }
            return offsets;
        }
    }

    private record Here(Route route, Tensor tokens) implements Arriving {
        @Override
        public void await() {}
    }

    private static final Results NOTHING = new Results() {
        @Override
        public void addTo(Tensor y) {}

        @Override
        public void await() {}
    };

    @Override
    public Arriving begin(Tensor chosen, Tensor weights, Tensor x, IntFunction<Tensor> room) {
        Route route = route(chosen, weights);
        return new Here(route, room.apply(route.arrivals()));
    }

    @Override
    public Route route(Tensor chosen, Tensor weights) {
        int rows = Math.toIntExact(chosen.elements());
        int arrivals = Math.toIntExact(Math.min(rows, chosen.dim(0) * ranks));
        return new Even(chosen.size(0), arrivals, rows, experts);
    }

    @Override
    public Transfer dispatch(Route route, Tensor x, Tensor tokens) {
        return () -> {};
    }

    @Override
    public Results combine(Route route, Tensor rows, boolean weighs) {
        return NOTHING;
    }

    @Override
    public Transfer combineSlots(Route route, Tensor rows, Tensor slots) {
        return () -> {};
    }

    @Override
    public Transfer combineScalars(Route route, Tensor rows, Tensor slots) {
        return () -> {};
    }
}
