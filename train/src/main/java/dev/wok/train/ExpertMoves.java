package dev.wok.train;

import dev.wok.device.Memory;
import dev.wok.device.Mirrors;
import dev.wok.device.Mirrors.Mirror;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Passage;
import dev.wok.fabric.Placement;
import dev.wok.fabric.Transfer;
import dev.wok.fabric.Urgency;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import dev.wok.model.Parameter;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// What experts that lie on several ranks, or go from one to another, take beside the optimizer.
///
/// The first slot of an expert ([Placement#slotsOf]) has its moments and makes its update. Where it
/// moves, weights and moments travel behind the tokens of a step, for they do not change before its
/// update; the gradient follows at the step's end, and the update is made where they arrived. Then the
/// expert lies there, and replicas get its new weights.
///
/// All ranks make the same calls: [#begin], [#arrive], [#update], [#land], for each step.
final class ExpertMoves implements AutoCloseable {
    /// Of a layer: gate and up in one, and down.
    static final int PARAMETERS = 2;

    private static final int KEPT = 3;

    /// What is kept of a parameter, `[slots, ..]` each.
    record Kept(Parameter parameter, Tensor mean, Tensor meanSquare) {
        List<Tensor> tensors() {
            return List.of(parameter.value(), mean, meanSquare);
        }
    }

    /// How an expert's weights follow their gradient.
    interface Update {
        /// @param parameter of whose slots these are one
        void of(Parameter parameter, Tensor value, Tensor gradient, Tensor mean, Tensor meanSquare);
    }

    /// An expert from a slot to another.
    private record Leg(Placement.Slot from, Placement.Slot to) {
        boolean isLocal() {
            return from.rank() == to.rank();
        }
    }

    /// What comes here of a parameter, `[experts that come, ..]` each.
    private record Staged(List<Tensor> kept, Tensor gradient) {}

    /// A layer whose experts are on their way.
    ///
    /// @param staged by parameter
    private record Flight(
            ExpertPlaces.Next next, List<Leg> legs, Memory memory, List<Staged> staged, Transfer transfer) {}

    private final Model model;
    private final Fabric fabric;
    private final Kernels kernels;
    private final List<Kept> kept;
    private final Mirrors mirrors;
    private @Nullable Flight flight;

    /// @param kept in the order of [Model#expertParameters]
    /// @param mirrors of the device that computes; stay the caller's
    ExpertMoves(Model model, List<Kept> kept, Mirrors mirrors) {
        this.model = model;
        this.kept = kept;
        this.mirrors = mirrors;
        fabric = model.fabric();
        kernels = model.kernels();
    }

    /// @return the most bytes that this takes beside the weights, the gradients and the moments, on a
    ///     rank
    static long bytes(ModelConfig config, int ranks, int replicas) {
        MoeConfig moe = config.moe();
        if (moe == null || ranks == 1) {
            return 0;
        }
        long expert = 3L * config.hiddenSize() * moe.moeIntermediateSize() * Float.BYTES;
        return expert * ((KEPT + 1L) * Math.ceilDiv(moe.nRoutedExperts() + replicas, ranks) + replicas);
    }

    /// @return the rows of a layer's parameter
    private List<Kept> of(int layer) {
        return kept.subList(PARAMETERS * layer, PARAMETERS * (layer + 1));
    }

    /// Lets a layer's experts leave for where they are to lie.
    void begin(ExpertPlaces.Next next) {
        List<Leg> legs = legs(model.placements().get(next.layer()), next.placement());
        int coming = (int) legs.stream().filter(this::comes).count();
        Memory memory = kernels.stream().device().memory();
        List<Staged> staged = new ArrayList<>();
        Passages passages = new Passages();
        for (Kept one : of(next.layer())) {
            List<Tensor> room = new ArrayList<>();
            for (Tensor tensor : one.tensors()) {
                room.add(room(memory, tensor, coming));
                passages.add(legs, tensor, room.getLast());
            }
            staged.add(new Staged(room, room(memory, one.mean, coming)));
        }
        flight = new Flight(next, legs, memory, staged, passages.move(Urgency.BEHIND));
    }

    private static List<Leg> legs(Placement from, Placement to) {
        List<Leg> legs = new ArrayList<>();
        for (int expert = 0; expert < from.experts(); expert++) {
            Leg leg =
                    new Leg(from.slotsOf(expert).getFirst(), to.slotsOf(expert).getFirst());
            if (!leg.from.equals(leg.to)) {
                legs.add(leg);
            }
        }
        return legs;
    }

    private boolean comes(Leg leg) {
        return leg.to.rank() == fabric.rank();
    }

    private boolean leaves(Leg leg) {
        return leg.from.rank() == fabric.rank();
    }

    private static Tensor room(Memory memory, Tensor like, int count) {
        long[] shape = like.shape();
        shape[0] = count;
        return memory.tensor(DType.F32, shape);
    }

    /// What travels at once.
    private final class Passages {
        private final List<Passage> out = new ArrayList<>();
        private final List<Passage> in = new ArrayList<>();
        private final List<Mirror> leaving = new ArrayList<>();
        private final List<Mirror> coming = new ArrayList<>();

        /// @param from `[slots, ..]`
        /// @param room `[legs that come here, ..]`; a leg that stays on this rank leaves its place out
        void add(List<Leg> legs, Tensor from, Tensor room) {
            int place = 0;
            for (Leg leg : legs) {
                if (comes(leg)) {
                    add(leg, from, room.select(0, place++));
                } else if (leaves(leg)) {
                    add(leg, from, room);
                }
            }
        }

        /// @param to what is written where the leg ends
        void add(Leg leg, Tensor from, Tensor to) {
            if (leg.isLocal()) {
                return;
            }
            if (comes(leg)) {
                coming.add(mirrors.of(to));
                in.add(passage(leg.from.rank(), coming.getLast()));
            } else if (leaves(leg)) {
                leaving.add(mirrors.read(from.select(0, leg.from.slot())));
                out.add(passage(leg.to.rank(), leaving.getLast()));
            }
        }

        private static Passage passage(int rank, Mirror mirror) {
            return new Passage(rank, SharedDescent.bytes(mirror.host()));
        }

        Transfer move(Urgency urgency) {
            Transfer transfer = fabric.move(out, in, urgency);
            return () -> {
                transfer.await();
                coming.forEach(Mirror::write);
                coming.forEach(Mirror::close);
                leaving.forEach(Mirror::close);
            };
        }
    }

    /// Waits for what has left, and brings gradients to where updates are made. No pass is under way.
    ///
    /// @param gradients `[slots, ..]` by parameter; the first slots' become whole
    void arrive(List<Tensor> gradients) {
        for (int layer = 0; layer < model.placements().size(); layer++) {
            List<Leg> legs = replicas(layer, (replica, first) -> new Leg(replica, first));
            for (int i = PARAMETERS * layer; !legs.isEmpty() && i < PARAMETERS * (layer + 1); i++) {
                sum(legs, gradients.get(i));
            }
        }
        Flight flying = flight;
        if (flying != null) {
            flying.transfer.await();
            Passages passages = new Passages();
            for (int i = 0; i < PARAMETERS; i++) {
                Tensor gradient = gradients.get(PARAMETERS * flying.next.layer() + i);
                passages.add(flying.legs, gradient, flying.staged.get(i).gradient);
            }
            passages.move(Urgency.AT_ONCE).await();
        }
    }

    private interface Between {
        Leg leg(Placement.Slot replica, Placement.Slot first);
    }

    /// @return a leg for each slot of an expert but its first, expert after expert
    private List<Leg> replicas(int layer, Between between) {
        Placement placement = model.placements().get(layer);
        List<Leg> legs = new ArrayList<>();
        for (int expert = 0; expert < placement.experts() && hasReplicas(placement); expert++) {
            List<Placement.Slot> slots = placement.slotsOf(expert);
            slots.subList(1, slots.size()).forEach(replica -> legs.add(between.leg(replica, slots.getFirst())));
        }
        return legs;
    }

    private static boolean hasReplicas(Placement placement) {
        return placement.firstSlots()[placement.ranks()] > placement.experts();
    }

    /// Adds the replicas' gradients to the first one's, in the order of their slots.
    private void sum(List<Leg> legs, Tensor gradient) {
        List<Leg> coming = legs.stream().filter(this::comes).toList();
        try (Memory memory = kernels.stream().device().memory()) {
            Tensor room = room(memory, gradient, coming.size());
            Passages passages = new Passages();
            passages.add(legs, gradient, room);
            passages.move(Urgency.AT_ONCE).await();
            for (int i = 0; i < coming.size(); i++) {
                Leg leg = coming.get(i);
                Tensor first = gradient.select(0, leg.to.slot());
                Tensor replica = leg.isLocal() ? gradient.select(0, leg.from.slot()) : room.select(0, i);
                kernels.elementwise().add(first, replica, first);
            }
        }
    }

    /// Updates what has arrived.
    void update(Update update) {
        Flight flying = flight;
        if (flying == null) {
            return;
        }
        List<Leg> coming = flying.legs.stream().filter(this::comes).toList();
        for (int i = 0; i < PARAMETERS; i++) {
            Parameter parameter = of(flying.next.layer()).get(i).parameter;
            Staged staged = flying.staged.get(i);
            for (int place = 0; place < coming.size(); place++) {
                if (!coming.get(place).isLocal()) {
                    update.of(
                            parameter,
                            staged.kept.get(0).select(0, place),
                            staged.gradient.select(0, place),
                            staged.kept.get(1).select(0, place),
                            staged.kept.get(2).select(0, place));
                }
            }
        }
    }

    /// Gives experts that have arrived their slots, and replicas the weights of the first ones. All
    /// updates are made.
    void land() {
        Flight flying = flight;
        if (flying != null) {
            flight = null;
            try (Memory _ = flying.memory) {
                for (int i = 0; i < PARAMETERS; i++) {
                    List<Tensor> tensors = of(flying.next.layer()).get(i).tensors();
                    for (int j = 0; j < KEPT; j++) {
                        land(flying.legs, flying.staged.get(i).kept.get(j), tensors.get(j));
                    }
                }
                kernels.stream().synchronize();
            }
            model.place(flying.next.layer(), flying.next.placement());
        }
        repeat();
    }

    /// What stays on this rank is copied first: its new slot may be another's old one.
    private void land(List<Leg> legs, Tensor staged, Tensor slots) {
        List<Leg> coming = legs.stream().filter(this::comes).toList();
        each(
                coming,
                Leg::isLocal,
                (place, leg) -> mirrors.copy(slots.select(0, leg.from.slot()), staged.select(0, place)));
        each(coming, _ -> true, (place, leg) -> mirrors.copy(staged.select(0, place), slots.select(0, leg.to.slot())));
    }

    private interface Landing {
        void at(int place, Leg leg);
    }

    private static void each(List<Leg> coming, Predicate<Leg> which, Landing landing) {
        for (int place = 0; place < coming.size(); place++) {
            if (which.test(coming.get(place))) {
                landing.at(place, coming.get(place));
            }
        }
    }

    private void repeat() {
        Passages passages = new Passages();
        List<Runnable> copies = new ArrayList<>();
        for (int layer = 0; layer < model.placements().size(); layer++) {
            List<Leg> legs = replicas(layer, (replica, first) -> new Leg(first, replica));
            for (Kept one : of(layer)) {
                Tensor value = one.parameter.value();
                for (Leg leg : legs) {
                    if (leg.isLocal() && comes(leg)) {
                        copies.add(
                                () -> mirrors.copy(value.select(0, leg.from.slot()), value.select(0, leg.to.slot())));
                    } else if (comes(leg)) {
                        passages.add(leg, value, value.select(0, leg.to.slot()));
                    } else {
                        passages.add(leg, value, value);
                    }
                }
            }
        }
        copies.forEach(Runnable::run);
        passages.move(Urgency.AT_ONCE).await();
    }

    @Override
    public void close() {
        if (flight != null) {
            flight.memory.close();
        }
    }
}
