package dev.wok.fabric;

import dev.wok.fabric.ExchangeLayout.Kind;
import dev.wok.kernel.WeightedRows;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// Dispatch and combine over [Traffic].
///
/// A token goes once to each rank of its own machine that has one of its experts, and once to each other
/// machine: to the rank there that has this rank's place among those of its machine, which passes it on
/// (DeepSeek-V3 §3.2.2). Results come back straight from rank to rank.
final class TokenExchange implements Exchange {
    /// How many rows of this rank's own are moved at once while nothing travels.
    private static final int AT_ONCE = 8;

    private final Traffic traffic;
    private final Desc desc;
    private final Machines machines;
    private final Choosing choosing;
    private final Wire there;
    private final Homeward back;
    private final Wire one = Wire.of(Payload.F32, 1);
    private final WeightedRows sum = new WeightedRows();

    TokenExchange(Traffic traffic, Desc desc) {
        if (desc.topK() < 1 || desc.topK() > RouteLayout.MOST_CHOICES || desc.hidden() < 1) {
            throw new IllegalArgumentException("tokens of width %d with %d choices; expected width 1 or more, 1 to %d"
                    .formatted(desc.hidden(), desc.topK(), RouteLayout.MOST_CHOICES));
        }
        if (desc.parts() < 1 || desc.parts() > RouteLayout.MOST_PLACES) {
            throw new IllegalArgumentException(
                    "results in %d parts, expected 1 to %d".formatted(desc.parts(), RouteLayout.MOST_PLACES));
        }
        this.traffic = traffic;
        this.desc = desc;
        this.machines = new Machines(traffic.shape());
        this.choosing = new Choosing(desc, traffic.shape(), traffic.rank());
        this.there = Wire.of(desc.dispatch(), desc.hidden());
        this.back = Homeward.of(desc);
    }

    @Override
    public Route route(Tensor chosen, Tensor weights) {
        Counting counting = new Counting(choices(chosen, weights));
        traffic.begin(counting::begin);
        return counting.routed();
    }

    private Choices choices(Tensor chosen, Tensor weights) {
        if (chosen.dtype() != DType.I32 || chosen.rank() != 2 || chosen.dim(1) != desc.topK()) {
            throw new IllegalArgumentException("chosen is %s, expected I32[tokens, %d]".formatted(chosen, desc.topK()));
        }
        Rows.Place _ = scalars(weights, "weights", chosen.size(0), desc.topK());
        return choosing.of(chosen.toInts(), weights.toFloats());
    }

    /// Finds out how many tokens come from where.
    private class Counting extends Operation {
        final Choices choices;
        private final List<Incoming.Unknown> routes = new ArrayList<>();
        private final List<Incoming.Unknown> relays = new ArrayList<>();

        Counting(Choices choices) {
            super(traffic, "route");
            this.choices = choices;
        }

        final void begin() {
            for (int peer = 0; peer < traffic.size(); peer++) {
                if (peer != traffic.rank()) {
                    send(message(Kind.ROUTE, RouteLayout.write(choices.to(peer))), peer);
                    routes.add(unknown(this, Kind.ROUTE, peer));
                }
            }
            for (int machine = 0; machine < machines.count(); machine++) {
                if (machine != machines.of(traffic.rank())) {
                    byte[] ranks = RouteLayout.write(choices.across(machines.ranks(machine)));
                    send(message(Kind.RELAY, ranks), machines.relay(traffic.rank(), machine));
                }
            }
            for (int source : machines.sources(traffic.rank())) {
                relays.add(unknown(this, Kind.RELAY, source));
            }
        }

        /// Waits for the others.
        Routed routed() {
            await();
            return traffic.guarded(this::here);
        }

        /// @return what has come
        final Routed here() {
            return TokenExchange.this.routed(choices, routes, relays);
        }
    }

    @Override
    public Arriving begin(Tensor chosen, Tensor weights, Tensor x, IntFunction<Tensor> room) {
        Choices choices = choices(chosen, weights);
        if (machines.count() == 1) {
            Rows.Place from = place(x, "x", choices.tokens(), desc.hidden());
            Straight arriving = new Straight(choices, from, room);
            traffic.begin(arriving::begin);
            return arriving;
        }
        /* Who passes tokens on has to know to whom before it can queue them, so counts are waited for. */
        Counting counting = new Counting(choices);
        traffic.begin(counting::begin);
        Routed routed = counting.routed();
        Tensor tokens = room.apply(routed.arrivals());
        return new Counted(routed, tokens, dispatch(routed, x, tokens));
    }

    /// Tokens whose counts were waited for.
    record Counted(Route route, Tensor tokens, Transfer transfer) implements Arriving {
        @Override
        public void await() {
            transfer.await();
        }
    }

    /// Tokens that go to ranks of this machine behind their counts. Who has none for a rank says so
    /// by a message without bytes.
    private final class Straight implements Arriving {
        private final Counting counting;
        private final Own own;
        private final Rows.Place from;
        private final List<Rows.Scatter> scatters = new ArrayList<>();
        private final IntFunction<Tensor> room;
        private @Nullable Routed routed;
        private @Nullable Tensor here;
        private @Nullable RuntimeException failure;

        Straight(Choices choices, Rows.Place from, IntFunction<Tensor> room) {
            this.counting = new Counting(choices) {
                @Override
                void arrived() {
                    place();
                }
            };
            this.own = new Own(Kind.DISPATCH.toString(), there, from, choices.tokensOf()[traffic.rank()]);
            this.from = from;
            this.room = room;
        }

        void begin() {
            counting.begin();
            for (int peer : machines.neighbours(traffic.rank())) {
                own.send(
                        new Rows.Gather(
                                Kind.DISPATCH, there, from, counting.choices.tokensOf()[peer]),
                        peer);
                scatters.add(new Rows.Scatter(Kind.DISPATCH, traffic.peer(peer), there));
                own.receive(scatters.getLast());
            }
            if (!counting.travels()) {
                place();
            }
        }

        /// Says where tokens go, as soon as it is known.
        private void place() {
            Routed found = counting.here();
            try {
                Tensor made = room.apply(found.arrivals());
                Rows.Place to = TokenExchange.this.place(made, "tokens", found.arrivals(), desc.hidden());
                own.to(to, found.arrived().from(traffic.rank()));
                scatters.forEach(scatter -> scatter.to(to, found.arrived().from(scatter.peer.rank())));
                routed = found;
                here = made;
            } catch (RuntimeException e) {
                failure = e;
            }
        }

        @Override
        public Route route() {
            counting.await();
            return traffic.guarded(this::found);
        }

        private Routed found() {
            if (failure != null) {
                throw new IllegalStateException("no room for tokens", failure);
            }
            return Objects.requireNonNull(routed);
        }

        @Override
        public Tensor tokens() {
            Route _ = route();
            return Objects.requireNonNull(here);
        }

        @Override
        public void await() {
            Route _ = route();
            own.await();
        }
    }

    private Routed routed(Choices choices, List<Incoming.Unknown> routes, List<Incoming.Unknown> relays) {
        int slots = desc.placement().slots()[traffic.rank()].length;
        Visits[] visits = new Visits[traffic.size()];
        visits[traffic.rank()] = choices.to(traffic.rank());
        for (Incoming.Unknown message : routes) {
            visits[message.peer.rank()] = RouteLayout.readVisits(message.bytes(), message.peer, desc.topK(), slots);
        }
        Arrivals arrived = Arrivals.of(visits, slots);
        int[] here = machines.ranks(machines.of(traffic.rank()));
        List<Routed.Passing> passing = new ArrayList<>();
        for (Incoming.Unknown message : relays) {
            int most = Math.min(desc.topK(), here.length);
            Lists places = RouteLayout.read(message.bytes(), message.peer, most, here.length);
            int[] tokens = arrived.from(message.peer.rank());
            passing.add(Routed.passing(message.peer, here, traffic.rank(), places, tokens));
        }
        int[][] across = new int[machines.count()][];
        Arrays.setAll(across, machine -> choices.tokensTo(machines.ranks(machine)));
        return new Routed(this, choices, arrived, across, passing);
    }

    private static Outgoing message(Kind kind, byte[] bytes) {
        return new Outgoing.Bytes(kind, MemorySegment.ofArray(bytes));
    }

    private static Incoming.Unknown unknown(Operation operation, Kind kind, int peer) {
        Incoming.Unknown message = new Incoming.Unknown(kind, operation.peer(peer));
        operation.receive(message);
        return message;
    }

    @Override
    public Transfer dispatch(Route route, Tensor x, Tensor tokens) {
        Routed routed = routed(route);
        Rows.Place from = place(x, "x", route.tokens(), desc.hidden());
        Rows.Place to = place(tokens, "tokens", route.arrivals(), desc.hidden());
        Arrivals arrived = routed.arrived();
        Own operation = new Own("dispatch", there, from, routed.choices().tokensOf()[traffic.rank()]);
        operation.to(to, arrived.from(traffic.rank()));
        traffic.begin(() -> {
            for (int peer : machines.neighbours(traffic.rank())) {
                gather(operation, Kind.DISPATCH, there, from, routed.choices().tokensOf()[peer], peer);
                scatter(operation, Kind.DISPATCH, there, peer, to, arrived.from(peer));
            }
            for (int machine = 0; machine < machines.count(); machine++) {
                if (machine != machines.of(traffic.rank())) {
                    int relay = machines.relay(traffic.rank(), machine);
                    gather(operation, Kind.DISPATCH, there, from, routed.across()[machine], relay);
                }
            }
            for (Routed.Passing passing : routed.passing()) {
                pass(operation, passing, to);
            }
            for (int source : machines.strangers(traffic.rank())) {
                int relay = machines.relay(source, machines.of(traffic.rank()));
                if (relay != traffic.rank()) {
                    scatter(operation, Kind.DISPATCH, there, relay, to, arrived.from(source));
                }
            }
        });
        return operation;
    }

    private void pass(Operation operation, Routed.Passing passing, Rows.Place to) {
        if (passing.tokens().length == 0) {
            return;
        }
        Rows.Relay relay = new Rows.Relay(operation.peer(passing.source()), there, to, passing.tokens());
        operation.receive(relay);
        for (Routed.Onward onward : passing.onward()) {
            operation.send(relay.forward(onward.tokens()), onward.rank());
        }
    }

    private static void gather(Operation operation, Kind kind, Wire wire, Rows.Place from, int[] rows, int peer) {
        if (rows.length > 0) {
            operation.send(new Rows.Gather(kind, wire, from, rows), peer);
        }
    }

    private static void scatter(Operation operation, Kind kind, Wire wire, int peer, Rows.Place to, int[] rows) {
        if (rows.length > 0) {
            operation.receive(new Rows.Scatter(kind, operation.peer(peer), wire, to, rows));
        }
    }

    @Override
    public Results combine(Route route, Tensor rows, boolean weighs) {
        Rows.Place from = place(rows, "rows", route.rows(), desc.hidden());
        Returning results = new Returning(routed(route), from, weighs);
        traffic.begin(results::begin);
        return results;
    }

    /// Rows on their way home.
    private final class Returning extends Operation implements Results {
        private final Routed routed;
        private final Rows.Place from;
        private final boolean weighs;
        private final Merge merge;

        Returning(Routed routed, Rows.Place from, boolean weighs) {
            super(traffic, Kind.COMBINE.toString());
            this.routed = routed;
            this.from = from;
            this.weighs = weighs;
            this.merge = new Merge(back, traffic.rank(), desc, routed.choices(), leaving(traffic.rank()), sum);
        }

        private Leaving leaving(int rank) {
            return Leaving.of(from, routed.arrived(), rank, weighs);
        }

        void begin() {
            for (int peer = 0; peer < traffic.size(); peer++) {
                if (peer != traffic.rank()) {
                    Leaving leaving = leaving(peer);
                    if (leaving.count() > 0) {
                        send(new Sums(back, leaving, sum), peer);
                    }
                    if (routed.choices().choicesOf()[peer].length > 0) {
                        receive(merge.from(traffic.peer(peer)));
                    }
                }
            }
        }

        @Override
        public void addTo(Tensor y) {
            Rows.Place tokens = place(y, "y", routed.tokens(), desc.hidden());
            boolean _ = traffic.guarded(() -> {
                merge.to(tokens);
                return true;
            });
        }

        @Override
        boolean work() {
            if (!merge.isReady()) {
                throw new IllegalStateException("results have no tokens to be added to: call addTo before await");
            }
            return merge.own(AT_ONCE);
        }
    }

    @Override
    public Transfer combineSlots(Route route, Tensor rows, Tensor slots) {
        Rows.Place from = place(rows, "rows", route.rows(), desc.hidden());
        Rows.Place to = place(slots, "slots", (long) route.tokens() * desc.topK(), desc.hidden());
        return home(routed(route), Kind.COMBINE, back.sums(), from, to);
    }

    @Override
    public Transfer combineScalars(Route route, Tensor rows, Tensor slots) {
        Rows.Place to = scalars(slots, "slots", route.tokens(), desc.topK());
        return home(routed(route), Kind.COMBINE_SCALARS, one, scalars(rows, "rows", route.rows()), to);
    }

    /// From rows to slots at home.
    private Transfer home(Routed routed, Kind kind, Wire wire, Rows.Place rows, Rows.Place slots) {
        return straight(
                kind,
                wire,
                rows,
                routed.arrived().rowsOf(),
                slots,
                routed.choices().choicesOf());
    }

    /// Rows from each rank to each other, with none between.
    ///
    /// @param send `[ranks][]`: what goes there
    /// @param receive `[ranks][]`: where what comes from there goes
    private Transfer straight(Kind kind, Wire wire, Rows.Place from, int[][] send, Rows.Place to, int[][] receive) {
        int rank = traffic.rank();
        Own operation = new Own(kind.toString(), wire, from, send[rank]);
        operation.to(to, receive[rank]);
        traffic.begin(() -> {
            for (int peer = 0; peer < traffic.size(); peer++) {
                if (peer != rank) {
                    gather(operation, kind, wire, from, send[peer], peer);
                    scatter(operation, kind, wire, peer, to, receive[peer]);
                }
            }
        });
        return operation;
    }

    private Routed routed(Route route) {
        if (route instanceof Routed routed && routed.owner() == this) {
            return routed;
        }
        throw new IllegalArgumentException("the route is another exchange's");
    }

    private Rows.Place place(Tensor tensor, String name, long rows, int columns) {
        boolean fits = tensor.dtype() == DType.F32 && tensor.rank() == 2;
        if (!fits || tensor.dim(0) != rows || tensor.dim(1) != columns || columns > 1 && tensor.stride(1) != 1) {
            throw new IllegalArgumentException(
                    "%s is %s, expected F32[%d, %d] with no gaps in a row".formatted(name, tensor, rows, columns));
        }
        return Rows.Place.of(
                tensor.memory(), tensor.stride(0) * Float.BYTES, traffic.shape().beside(traffic.rank()));
    }

    private Rows.Place scalars(Tensor tensor, String name, long... shape) {
        if (tensor.dtype() != DType.F32 || !Arrays.equals(tensor.shape(), shape) || !tensor.isContiguous()) {
            throw new IllegalArgumentException(
                    "%s is %s, expected F32%s without gaps".formatted(name, tensor, Arrays.toString(shape)));
        }
        return new Rows.Place(tensor.memory(), Float.BYTES, false);
    }

    /// An operation, and the rows that stay on this rank.
    private final class Own extends Operation {
        private final Wire wire;
        private final Rows.Place from;
        private final int[] rows;
        private Rows.@Nullable Place to;
        private int[] toRows = {};
        private int done;

        Own(String name, Wire wire, Rows.Place from, int[] rows) {
            super(traffic, name);
            this.wire = wire;
            this.from = from;
            this.rows = rows;
        }

        void to(Rows.Place place, int[] places) {
            to = place;
            toRows = places;
        }

        @Override
        boolean work() {
            Rows.Place place = to;
            if (place == null) {
                return false;
            }
            int end = Math.min(rows.length, done + AT_ONCE);
            boolean some = done < end;
            for (; done < end; done++) {
                long target = place.at(toRows[done]);
                wire.carry(from.memory(), from.at(rows[done]), place.memory(), target, place.isLarge());
            }
            wire.fence();
            return some;
        }
    }
}
