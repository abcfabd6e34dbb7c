package dev.wok.train;

import dev.wok.fabric.Eplb;
import dev.wok.fabric.MeasuredLoads;
import dev.wok.fabric.Placement;
import dev.wok.fabric.Replan;
import dev.wok.fabric.Shape;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Decides from the loads of past steps, and from how fast ranks are, on which of them the experts of each
/// layer had better lie. All ranks have the same loads and speeds and decide alike. What was decided waits
/// until its layer's turn comes.
final class Replanning {
    /// By how much a plan has to make the slowest rank faster: the fullest one lighter, where all are alike.
    private static final double LEAST_GAIN = 0.05;

    /// For ranks of one speed.
    private final Eplb alike;

    private final long every;
    private final List<MeasuredLoads> loads = new ArrayList<>();
    private final Deque<ExpertPlaces.Next> next = new ArrayDeque<>();

    /// What was decided at once.
    ///
    /// @param experts that move
    /// @param layers of which
    /// @param before the time of the slowest rank over what it would be if all were busy alike, in the
    ///     layer of these where it is most; of ranks that are alike, what comes to the fullest over the mean
    /// @param after the same once they have moved
    record Plan(int experts, int layers, double before, double after) {
        private Plan and(Plan other) {
            return new Plan(
                    experts + other.experts,
                    layers + other.layers,
                    Math.max(before, other.before),
                    Math.max(after, other.after));
        }
    }

    private record Change(ExpertPlaces.Next next, Plan plan) {}

    /// @param groups of experts
    /// @param placements of all layers, one at least
    /// @param every so many steps it is considered where experts lie; 0 for never
    /// @param before what a checkpoint kept, or null; of a model with other layers it is ignored
    Replanning(Shape shape, int groups, List<Placement> placements, long every, @Nullable ExpertPlaces before) {
        int[] slots = Arrays.stream(placements.getFirst().slots())
                .mapToInt(rank -> rank.length)
                .toArray();
        double[] speed = new double[slots.length];
        Arrays.fill(speed, 1);
        alike = new Eplb(shape, slots, speed, groups);
        this.every = every;
        placements.forEach(placement -> loads.add(MeasuredLoads.none(placement.experts())));
        if (before != null && before.loads().size() == loads.size()) {
            goOn(before, placements);
        }
    }

    /// Loads are of use on any ranks, what was decided on those for which it was.
    private void goOn(ExpertPlaces before, List<Placement> placements) {
        for (int layer = 0; layer < loads.size(); layer++) {
            if (before.loads().get(layer).sum().length == loads.get(layer).sum().length) {
                loads.set(layer, before.loads().get(layer));
            }
        }
        if (before.placements().equals(placements)) {
            next.addAll(before.next());
        }
    }

    /// @return which layer's experts are to go where next
    Optional<ExpertPlaces.Next> next() {
        return Optional.ofNullable(next.poll());
    }

    /// What came to the fullest rank over the mean, in the layer where it was most. Tokens of an
    /// expert are taken to go to its replicas evenly.
    ///
    /// @param load `[layer][expert]`
    double fullest(List<Placement> placements, int[][] load) {
        double most = 1;
        for (int layer = 0; layer < load.length; layer++) {
            most = Math.max(most, alike.imbalance(placements.get(layer), doubles(load[layer])));
        }
        return most;
    }

    /// @return `[ranks]`, for [#after]: that all are alike
    double[] sameSpeeds() {
        return alike.speed();
    }

    private static double[] doubles(int... load) {
        return Arrays.stream(load).asDoubleStream().toArray();
    }

    /// Considers a step.
    ///
    /// @param step counted from 1
    /// @param placements now
    /// @param load `[layer][expert]`: tokens of the step
    /// @param speed `[ranks]`, or what is proportional to it; asked for, on all ranks, where it is time to decide
    /// @return what was decided, if anything. What had been decided before and waits is considered anew
    Optional<Plan> after(long step, List<Placement> placements, int[][] load, Supplier<double[]> speed) {
        if (every == 0) {
            return Optional.empty();
        }
        for (int layer = 0; layer < load.length; layer++) {
            loads.set(layer, loads.get(layer).with(doubles(load[layer]), every / 2.0));
        }
        if (step % every != 0) {
            return Optional.empty();
        }
        Eplb eplb = new Eplb(alike.shape(), alike.slots(), speed.get(), alike.groups());
        List<Change> changes = changes(placements, new Replan(eplb, 1, LEAST_GAIN));
        next.clear();
        changes.forEach(change -> next.add(change.next));
        return changes.stream().map(Change::plan).reduce(Plan::and);
    }

    /// Those that gain most come first: their turn comes, however many there are.
    private List<Change> changes(List<Placement> placements, Replan replan) {
        List<Change> changes = new ArrayList<>();
        for (int layer = 0; layer < placements.size(); layer++) {
            Placement now = placements.get(layer);
            double[] load = loads.get(layer).average();
            Optional<Placement> better = replan.next(1, now, load);
            if (better.isPresent()) {
                Placement then = better.get();
                changes.add(new Change(
                        new ExpertPlaces.Next(layer, then),
                        new Plan(
                                replan.moves(now, then).size(),
                                1,
                                replan.eplb().imbalance(now, load),
                                replan.eplb().imbalance(then, load))));
            }
        }
        changes.sort(Comparator.comparingDouble(change -> change.plan.after / change.plan.before));
        return changes;
    }

    /// @param placements now
    ExpertPlaces places(List<Placement> placements) {
        return new ExpertPlaces(placements, List.copyOf(next), List.copyOf(loads));
    }
}
