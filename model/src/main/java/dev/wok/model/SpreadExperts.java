package dev.wok.model;

import dev.wok.fabric.Exchange;
import dev.wok.fabric.Transfer;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// A layer's routed experts where each lies on one of several ranks. Tokens go to them and come
/// back unweighted, and are summed at home in the order of the choices.
///
/// An expert sees the tokens of all ranks in their order, so that its products have the bits that
/// one rank's would have.
record SpreadExperts(Exchange exchange) {
    /// Tokens on their way to their experts.
    ///
    /// @param plan the rows here, as tokens that choose one expert each
    /// @param x `[rows, hidden]`: tokens that have come
    /// @param gateUp `[rows, 2 * inner]`
    /// @param activated `[rows, inner]`
    record Saved(Exchange.Route route, Routing.Plan plan, Tensor x, Tensor gateUp, Tensor activated) {}

    /// Gradients on their way to the experts.
    ///
    /// @param dRows `[rows, hidden]`
    /// @param weights `[rows, 1]`
    record Returning(Tensor dRows, Transfer gradients, Tensor weights, Transfer scalars) {}

    /// @param chosen `[tokens, topK]`, I32
    /// @param x `[tokens, hidden]`, unchanged until [#finish]
    /// @return tokens on their way to their experts; until [#finish] nothing else of the pass's
    ///     guests may be taken
    Exchange.Arriving begin(Pass p, Tensor chosen, Tensor x) {
        return exchange.begin(chosen, x, rows -> p.guests().tensor(x.dtype(), rows, x.dim(1)));
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
        Routing.Plan plan = new Routing.Plan(Tensor.of(route.offsets()), identity, identity);
        Tensor gateUp = guests.tensor(dtype, route.rows(), w.gateUp().dim(1));
        Tensor activated = guests.tensor(dtype, route.rows(), w.down().dim(2));
        Experts experts = p.kernels().experts();
        experts.gateUp(arriving.rows(), plan, w.gateUp(), gateUp, activated);
        try (var _ = p.scope()) {
            Tensor results = guests.tensor(dtype, route.rows(), y.dim(1));
            experts.downRows(activated, plan, w.down(), results);
            Tensor slots = p.tensor(weights.elements(), y.dim(1));
            Transfer back = exchange.combine(route, results, slots);
            meanwhile.run();
            p.turn().hand();
            back.await();
            experts.combine(slots, guests.identity(slots.size(0)), weights, y);
        }
        return new Saved(route, plan, arriving.rows(), gateUp, activated);
    }

    /// @param weights `[tokens, topK]`
    /// @param dy `[tokens, hidden]`, unchanged until [#finishBackward]
    Returning beginBackward(Pass p, Saved s, Tensor weights, Tensor dy) {
        int rows = s.route.rows();
        Tensor dRows = p.guests().tensor(dy.dtype(), rows, dy.dim(1));
        Tensor here = p.guests().tensor(dy.dtype(), rows, 1);
        return new Returning(
                dRows,
                exchange.dispatch(s.route, dy, dRows),
                here,
                exchange.dispatchScalars(s.route, weights, here.reshape(rows)));
    }

    /// @param dWeights `[tokens, topK]`, written
    /// @param dx `[tokens, hidden]`, added to
    void finishBackward(
            Pass p, Weights.Moe w, Weights.Moe g, Saved s, Returning returning, Tensor dWeights, Tensor dx) {
        p.turn().hand();
        returning.gradients.await();
        returning.scalars.await();
        Experts experts = p.kernels().experts();
        Dense gateUp = Weights.dense(w.gateUp());
        Dense down = Weights.dense(w.down());
        Tensor dRows = returning.dRows;
        Tensor weights = returning.weights;
        try (var _ = p.scope()) {
            DType dtype = dx.dtype();
            int rows = s.route.rows();
            Tensor dActivated = p.guests().tensor(dtype, s.activated.shape());
            Tensor dHere = p.guests().tensor(dtype, rows, 1);
            experts.downBackward(dRows, s.plan, down, weights, s.activated, dActivated, dHere);
            Transfer scalars = exchange.combineScalars(s.route, dHere.reshape(rows), dWeights);
            Tensor dGateUp = p.guests().tensor(dtype, s.gateUp.shape());
            p.kernels().swiglu().backward(s.gateUp, dActivated, dGateUp);
            Tensor results = p.guests().tensor(dtype, rows, dx.dim(1));
            experts.gateUpBackwardRows(dGateUp, s.plan, gateUp, results);
            Tensor slots = p.tensor(dWeights.elements(), dx.dim(1));
            Transfer back = exchange.combine(s.route, results, slots);
            experts.downWeightGradient(
                    dRows, s.plan, weights, s.activated, Weights.dense(g.down()).value());
            experts.gateUpWeightGradient(
                    dGateUp, s.plan, s.x, Weights.dense(g.gateUp()).value());
            p.turn().hand();
            scalars.await();
            back.await();
            experts.combine(slots, p.guests().identity(slots.size(0)), null, dx);
        }
    }
}
