package dev.wok.model;

import dev.wok.fabric.Exchange;
import dev.wok.fabric.Transfer;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A layer's routed experts where each lies on one of several ranks. Tokens go to them with their
/// weights, and what comes back is added to them.
///
/// An expert sees the tokens of all ranks in their order, so that its products have the bits that
/// one rank's would have.
final class SpreadExperts {
    private Exchange exchange;

    SpreadExperts(Exchange exchange) {
        this.exchange = exchange;
    }

    /// Lets tokens go another way from the next pass on: experts lie elsewhere.
    void follow(Exchange other) {
        exchange = other;
    }

    /// Tokens on their way to their experts.
    ///
    /// @param plan the rows here, of whichever tokens
    /// @param weights `[rows, 1]`
    /// @param x `[arrivals, hidden]`: tokens that have come
    /// @param gateUp `[rows, 2 * inner]`
    /// @param activated `[rows, inner]`
    record Saved(Exchange.Route route, Routing.Plan plan, Tensor weights, Tensor x, Tensor gateUp, Tensor activated) {}

    /// Gradients on their way to the experts.
    ///
    /// @param dy `[arrivals, hidden]`
    record Returning(Tensor dy, Transfer gradients) {}

    /// @param chosen `[tokens, topK]`, I32
    /// @param weights `[tokens, topK]`
    /// @param x `[tokens, hidden]`, unchanged until [#finish]
    /// @return tokens on their way to their experts; until [#finish] nothing else of the pass's
    ///     guests may be taken
    Exchange.Arriving begin(Pass p, Tensor chosen, Tensor weights, Tensor x) {
        return exchange.begin(chosen, weights, x, count -> p.guests().tensor(x.dtype(), count, x.dim(1)));
    }

    /// @param weights `[tokens, topK]`
    /// @param y `[tokens, hidden]`, added to
    /// @param meanwhile is done while results travel: they are more than the tokens were
    Saved finish(Pass p, Weights.Moe w, Exchange.Arriving arriving, Tensor weights, Tensor y, Runnable meanwhile) {
        p.turn().hand();
        arriving.await();
        Exchange.Route route = arriving.route();
        Guests guests = p.guests();
        DType dtype = y.dtype();
        Tensor identity = guests.identity(route.rows());
        Routing.Plan plan =
                new Routing.Plan(guests.ints(route.offsets()), identity, identity, guests.ints(route.rowToken()));
        Tensor weightsHere = guests.tensor(dtype, route.rows(), 1);
        p.kernels().stream().device().upload(Tensor.of(route.weights()).reshape(route.rows(), 1), weightsHere);
        Tensor gateUp = guests.tensor(dtype, route.rows(), w.gateUp().dim(1));
        Tensor activated = guests.tensor(dtype, route.rows(), w.down().dim(2));
        Experts experts = p.kernels().experts();
        long begin = System.nanoTime();
        experts.gateUp(arriving.tokens(), plan, w.gateUp(), gateUp, activated);
        try (var _ = p.scope()) {
            Tensor results = guests.tensor(dtype, route.rows(), y.dim(1));
            experts.downRows(activated, plan, w.down(), results);
            p.kernels().stream().synchronize();
            guests.computed(route.rows(), System.nanoTime() - begin);
            Exchange.Results back = home(p, route, results, weights, weights.elements());
            meanwhile.run();
            back.addTo(y);
            p.turn().hand();
            back.await();
        }
        return new Saved(route, plan, weightsHere, arriving.tokens(), gateUp, activated);
    }

    /// @param dy `[tokens, hidden]`, unchanged until [#finishBackward]
    Returning beginBackward(Pass p, Saved s, Tensor dy) {
        Tensor there = p.guests().tensor(dy.dtype(), s.route.arrivals(), dy.dim(1));
        return new Returning(there, exchange.dispatch(s.route, dy, there));
    }

    /// @param dWeights `[tokens, topK]`, written
    /// @param dx `[tokens, hidden]`, added to
    void finishBackward(
            Pass p, Weights.Moe w, Weights.Moe g, Saved s, Returning returning, Tensor dWeights, Tensor dx) {
        p.turn().hand();
        returning.gradients.await();
        Experts experts = p.kernels().experts();
        Dense gateUp = Weights.dense(w.gateUp());
        Dense down = Weights.dense(w.down());
        Tensor dy = returning.dy;
        Tensor weights = s.weights;
        try (var _ = p.scope()) {
            DType dtype = dx.dtype();
            int rows = s.route.rows();
            Tensor dActivated = p.guests().tensor(dtype, s.activated.shape());
            Tensor dHere = p.guests().tensor(dtype, rows, 1);
            experts.downBackward(dy, s.plan, down, weights, s.activated, dActivated, dHere);
            Transfer scalars = exchange.combineScalars(s.route, dHere.reshape(rows), dWeights);
            Tensor dGateUp = p.guests().tensor(dtype, s.gateUp.shape());
            p.kernels().swiglu().backward(s.gateUp, dActivated, dGateUp);
            Tensor results = p.guests().tensor(dtype, rows, dx.dim(1));
            experts.gateUpBackwardRows(dGateUp, s.plan, gateUp, results);
            Exchange.Results back = home(p, s.route, results, null, dWeights.elements());
            back.addTo(dx);
            experts.downWeightGradient(
                    dy, s.plan, weights, s.activated, Weights.dense(g.down()).value());
            experts.gateUpWeightGradient(
                    dGateUp, s.plan, s.x, Weights.dense(g.gateUp()).value());
            p.turn().hand();
            scalars.await();
            back.await();
        }
    }

    /// @param rows `[rows, hidden]`
    /// @param weights `[tokens, topK]`, or null for ones
    /// @param slots choices of this rank's tokens
    /// @return the rows on their way home
    private Exchange.Results home(Pass p, Exchange.Route route, Tensor rows, @Nullable Tensor weights, long slots) {
        Experts experts = p.kernels().experts();
        if (experts.addsRowByRow()) {
            return exchange.combine(route, rows, weights != null);
        }
        Tensor to = p.guests().tensor(rows.dtype(), slots, rows.dim(1));
        Transfer back = exchange.combineSlots(route, rows, to);
        return new BySlot(experts, to, p.guests().identity(to.size(0)), weights, back);
    }

    /// Rows on their way to a slot each, which the kernels add up when all are there.
    private static final class BySlot implements Exchange.Results {
        private final Experts experts;
        private final Tensor slots;
        private final Tensor identity;
        private final @Nullable Tensor weights;
        private final Transfer back;
        private @Nullable Tensor y;

        BySlot(Experts experts, Tensor slots, Tensor identity, @Nullable Tensor weights, Transfer back) {
            this.experts = experts;
            this.slots = slots;
            this.identity = identity;
            this.weights = weights;
            this.back = back;
        }

        @Override
        public void addTo(Tensor tokens) {
            y = tokens;
        }

        @Override
        public void await() {
            back.await();
            experts.combine(slots, identity, weights, Objects.requireNonNull(y));
        }
    }
}
