package dev.wok.fabric;

import dev.wok.device.Mirrors;
import dev.wok.device.Mirrors.Mirror;
import dev.wok.tensor.Tensor;
import java.util.Objects;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// An exchange for tensors of a GPU: they pass through memory of the host, whose exchange it is. What leaves is copied
/// there by the call that sends it, behind all work of the GPU's stream, and what comes is copied from there when it is
/// awaited.
final class MirroredExchange implements Exchange {
    private final Exchange exchange;
    private final Mirrors mirrors;

    /// @param exchange of tensors of the host
    MirroredExchange(Exchange exchange, Mirrors mirrors) {
        this.exchange = exchange;
        this.mirrors = mirrors;
    }

    @Override
    public Arriving begin(Tensor chosen, Tensor weights, Tensor x, IntFunction<Tensor> room) {
        try (Mirror choices = mirrors.read(chosen);
                Mirror theirs = mirrors.read(weights)) {
            return new Tokens(choices.host(), theirs.host(), mirrors.read(x), room);
        }
    }

    private final class Tokens implements Arriving {
        private final IntFunction<Tensor> room;
        private final Mirror from;
        private final Arriving arriving;
        private @Nullable Tensor here;
        private @Nullable Mirror to;

        Tokens(Tensor chosen, Tensor weights, Mirror from, IntFunction<Tensor> room) {
            this.room = room;
            this.from = from;
            arriving = exchange.begin(chosen, weights, from.host(), this::make);
        }

        private Tensor make(int count) {
            here = room.apply(count);
            to = mirrors.of(here);
            return to.host();
        }

        @Override
        public Route route() {
            return arriving.route();
        }

        @Override
        public Tensor tokens() {
            Tensor _ = arriving.tokens();
            return Objects.requireNonNull(here);
        }

        @Override
        public void await() {
            arriving.await();
            from.close();
            arrive(Objects.requireNonNull(to));
        }
    }

    /// Copies what has come to the GPU.
    private static void arrive(Mirror to) {
        to.write();
        to.close();
    }

    @Override
    public Route route(Tensor chosen, Tensor weights) {
        try (Mirror choices = mirrors.read(chosen);
                Mirror theirs = mirrors.read(weights)) {
            return exchange.route(choices.host(), theirs.host());
        }
    }

    /// A way to move one tensor to another.
    private interface Move {
        Transfer begin(Tensor from, Tensor to);
    }

    private Transfer move(Tensor from, Tensor to, Move move) {
        Mirror leaving = mirrors.read(from);
        Mirror coming = mirrors.of(to);
        Transfer transfer = move.begin(leaving.host(), coming.host());
        return () -> {
            transfer.await();
            leaving.close();
            arrive(coming);
        };
    }

    @Override
    public Transfer dispatch(Route route, Tensor x, Tensor tokens) {
        return move(x, tokens, (from, to) -> exchange.dispatch(route, from, to));
    }

    @Override
    public Results combine(Route route, Tensor rows, boolean weighs) {
        Mirror from = mirrors.read(rows);
        return new Added(exchange.combine(route, from.host(), weighs), from);
    }

    private final class Added implements Results {
        private final Results results;
        private final Mirror from;
        private @Nullable Mirror sums;

        Added(Results results, Mirror from) {
            this.results = results;
            this.from = from;
        }

        @Override
        public void addTo(Tensor y) {
            sums = mirrors.read(y);
            results.addTo(sums.host());
        }

        @Override
        public void await() {
            results.await();
            from.close();
            arrive(Objects.requireNonNull(sums));
        }
    }

    @Override
    public Transfer combineSlots(Route route, Tensor rows, Tensor slots) {
        return move(rows, slots, (from, to) -> exchange.combineSlots(route, from, to));
    }

    @Override
    public Transfer combineScalars(Route route, Tensor rows, Tensor slots) {
        return move(rows, slots, (from, to) -> exchange.combineScalars(route, from, to));
    }
}
