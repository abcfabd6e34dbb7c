package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// What every [Exchange] does: what [PlainExchange] says, to the last bit, two batches at a time.
final class ExchangeContract {
    private ExchangeContract() {}

    /// A row of a token: what it holds is a formula of where it comes from. Every seventh is zero.
    private static float[] row(int rank, int token, int hidden) {
        float[] row = new float[hidden];
        for (int column = 0; column < hidden && (rank + token) % 7 != 6; column++) {
            row[column] = Math.scalb((rank * 31 + token * 7 + column) % 97 - 48.3f, (token + column) % 9 - 4);
        }
        return row;
    }

    static Tensor tensor(float[][] rows, int width) {
        Tensor tensor = Tensor.allocate(Arena.ofAuto(), DType.F32, rows.length, width);
        for (int i = 0; i < rows.length; i++) {
            tensor.select(0, i).copyFrom(Tensor.of(rows[i]));
        }
        return tensor;
    }

    static Tensor chosen(int[][] chosen, int topK) {
        int[] flat = Arrays.stream(chosen).flatMapToInt(Arrays::stream).toArray();
        return Tensor.of(flat).reshape(chosen.length, topK);
    }

    private static void assertBits(float[][] expected, Tensor actual, String what) {
        float[] flat = actual.toFloats();
        int at = 0;
        for (float[] row : expected) {
            for (float value : row) {
                assertEquals(Float.floatToRawIntBits(value), Float.floatToRawIntBits(flat[at++]), what);
            }
        }
        assertEquals(flat.length, at, what);
    }

    /// Everything that a batch of all ranks goes through, and the plain twin's word for it.
    private record Batch(Exchange.Desc desc, Shape shape, int[][][] chosen, PlainExchange plain) {
        static Batch of(Exchange.Desc desc, Shape shape, int[][][] chosen) {
            return new Batch(desc, shape, chosen, new PlainExchange(desc, shape, chosen));
        }

        float[][][] x() {
            float[][][] x = new float[shape.size()][][];
            for (int rank = 0; rank < x.length; rank++) {
                x[rank] = new float[chosen[rank].length][];
                for (int token = 0; token < x[rank].length; token++) {
                    x[rank][token] = row(rank, token, desc.hidden());
                }
            }
            return x;
        }

        float[][][] y() {
            float[][][] y = new float[shape.size()][][];
            for (int rank = 0; rank < y.length; rank++) {
                y[rank] = new float[plain.rows(rank).size()][];
                for (int i = 0; i < y[rank].length; i++) {
                    y[rank][i] = row(rank + 3, i, desc.hidden());
                }
            }
            return y;
        }
    }

    /// A batch under way on one rank.
    private static final class Flight {
        private final Batch batch;
        private final Place place;
        private final Exchange exchange;
        private final int rank;
        private final Exchange.Route route;
        private final Tensor arrived;
        private final Tensor slots;
        private final Tensor sums;
        private Transfer transfer;
        private Exchange.@Nullable Results results;

        /// @param atOnce whether tokens leave with their counts
        /// @param meanwhile what is done while they are under way
        Flight(Batch batch, Place place, int rank, boolean atOnce, Runnable meanwhile) {
            this.batch = batch;
            this.place = place;
            this.exchange = place.exchange();
            this.rank = rank;
            Tensor chosen = place.here(chosen(batch.chosen[rank], batch.desc.topK()));
            Tensor x = place.here(tensor(batch.x()[rank], batch.desc.hidden()));
            Tensor weights = place.here(Tensor.of(weights()).reshape(batch.chosen[rank].length, batch.desc.topK()));
            if (atOnce) {
                Exchange.Arriving arriving = exchange.begin(chosen, weights, x, this::room);
                meanwhile.run();
                route = arriving.route();
                arrived = arriving.tokens();
                transfer = arriving;
            } else {
                route = exchange.route(chosen, weights);
                arrived = room(route.arrivals());
                transfer = exchange.dispatch(route, x, arrived);
                meanwhile.run();
            }
            slots = room((long) route.tokens() * batch.desc.topK());
            sums = place.here(tensor(batch.x()[rank], batch.desc.hidden()));
            assertArrayEquals(batch.plain.offsets(rank), route.offsets());
            assertArrayEquals(batch.plain.rowToken(rank), route.rowToken());
            assertEquals(route.rowToken().length, route.rows());
            assertEquals(batch.chosen[rank].length, route.tokens());
        }

        private Tensor room(long count) {
            return place.here(Tensor.allocate(Arena.ofAuto(), DType.F32, count, batch.desc.hidden()));
        }

        void dispatched() {
            transfer.await();
            assertBits(batch.plain.dispatch(batch.x(), rank), place.host(arrived), "dispatch");
            Tensor y = place.here(tensor(batch.y()[rank], batch.desc.hidden()));
            Exchange.Results homeward = exchange.combine(route, y, weighs());
            homeward.addTo(sums);
            results = homeward;
            transfer = exchange.combineSlots(route, y, slots);
        }

        void combined() {
            Objects.requireNonNull(results).await();
            transfer.await();
            float[][] expected = batch.plain.combine(batch.y(), rank);
            assertBits(expected, place.host(slots), "combine");
            float[][] tokens = batch.x()[rank];
            batch.plain.add(batch.y(), rank, weighs() ? weights() : null, tokens);
            assertBits(tokens, place.host(sums), "sums");
        }

        /// All ranks of a batch alike.
        private boolean weighs() {
            return batch.chosen[0].length % 2 == 0;
        }

        private float[] weights() {
            float[] weights = new float[batch.chosen[rank].length * batch.desc.topK()];
            for (int slot = 0; slot < weights.length; slot++) {
                weights[slot] = weight(rank, slot);
            }
            return weights;
        }

        private static float weight(int rank, int slot) {
            return (rank * 1000 + slot + 0.1f) / 7000;
        }

        void scalars() {
            int topK = batch.desc.topK();
            float[] expected = new float[route.rows()];
            for (int i = 0; i < expected.length; i++) {
                PlainExchange.Row row = batch.plain.rows(rank).get(i);
                expected[i] = weight(row.source(), row.token() * topK + row.choice());
            }
            assertArrayEquals(expected, route.weights());
            Tensor host = Tensor.allocate(Arena.ofAuto(), DType.F32, route.rows());
            host.copyFrom(Tensor.of(route.weights()));
            Tensor there = place.here(host);
            Tensor back = place.here(Tensor.allocate(Arena.ofAuto(), DType.F32, route.tokens(), topK));
            exchange.combineScalars(route, there, back).await();
            assertArrayEquals(weights(), place.host(back).toFloats());
        }
    }

    private static int[][][] draw(Rng rng, Shape shape, int experts, int topK, int most, boolean one) {
        int[][][] chosen = new int[shape.size()][][];
        for (int rank = 0; rank < chosen.length; rank++) {
            Rng of = rng.split(rank);
            chosen[rank] = new int[of.below(0, most + 1)][];
            for (int token = 0; token < chosen[rank].length; token++) {
                int first = one ? 0 : of.split(token).below(0, experts);
                int step = 1 + (one ? 0 : of.split(token).below(1, 3));
                chosen[rank][token] = new int[topK];
                for (int choice = 0; choice < topK; choice++) {
                    chosen[rank][token][choice] = (first + choice * step) % experts;
                }
            }
        }
        return chosen;
    }

    /// Experts dealt at random to ranks, of which some may have none, and some experts twice.
    private static Placement placement(Rng rng, int experts, int ranks, int replicas) {
        int[][] slots = new int[ranks][0];
        for (int i = 0; i < experts + replicas; i++) {
            int rank = rng.below(i, ranks);
            slots[rank] = Arrays.copyOf(slots[rank], slots[rank].length + 1);
            slots[rank][slots[rank].length - 1] = i % experts;
        }
        return new Placement(experts, slots);
    }

    /// An exchange, and where its tensors are.
    interface Place extends AutoCloseable {
        Exchange exchange();

        /// @return a copy of a tensor of the host, or the tensor
        Tensor here(Tensor host);

        /// The other way round.
        Tensor host(Tensor here);

        @Override
        default void close() {}
    }

    /// Tensors of the host.
    record OnHost(Exchange exchange) implements Place {
        @Override
        public Tensor here(Tensor host) {
            return host;
        }

        @Override
        public Tensor host(Tensor here) {
            return here;
        }
    }

    /// Every exchange passes it.
    ///
    /// @param widest hidden width
    /// @param places makes each rank's, closed when all are done
    static void check(
            String name,
            List<Shape> shapes,
            List<Exchange.Payload> payloads,
            int widest,
            int cases,
            BiFunction<Fabric, Exchange.Desc, Place> places) {
        int[] widths = IntStream.of(1, 2, 77, 128, 129, 300, 17000)
                .filter(width -> width <= widest)
                .toArray();
        Property.of(name)
                .size("shape", 0, shapes.size() - 1)
                .size("width", 0, widths.length - 1)
                .size("experts", 1, 12)
                .size("topK", 1, 8)
                .size("parts", 1, 6)
                .size("tokens", 0, 33)
                .size("replicas", 0, 4)
                .size("dispatch", 0, payloads.size() - 1)
                .size("combine", 0, payloads.size() - 1)
                .flag("even")
                .flag("one")
                .flag("firstAtOnce")
                .flag("secondAtOnce")
                .cases(cases)
                .check(c -> {
                    Shape shape = shapes.get(c.size("shape"));
                    int experts = c.size("experts");
                    int topK = Math.min(c.size("topK"), experts);
                    int hidden = widths[c.size("width")];
                    int tokens = hidden > 1000 ? c.size("tokens") / 8 : c.size("tokens");
                    Placement placement = c.flag("even")
                            ? Placement.even(experts, shape.size())
                            : placement(c.rng("placement"), experts, shape.size(), c.size("replicas"));
                    Exchange.Desc desc = new Exchange.Desc(
                            hidden,
                            topK,
                            placement,
                            c.size("parts"),
                            payloads.get(c.size("dispatch")),
                            payloads.get(c.size("combine")));
                    Batch a = Batch.of(desc, shape, draw(c.rng("a"), shape, experts, topK, tokens, c.flag("one")));
                    Batch b = Batch.of(desc, shape, draw(c.rng("b"), shape, experts, topK, tokens, false));
                    Ranks.run(shape, fabric -> {
                        try (Place place = places.apply(fabric, desc)) {
                            List<Flight> both = new ArrayList<>();
                            Flight first = new Flight(
                                    a,
                                    place,
                                    fabric.rank(),
                                    c.flag("firstAtOnce"),
                                    () -> both.add(
                                            new Flight(b, place, fabric.rank(), c.flag("secondAtOnce"), () -> {})));
                            Flight second = both.getFirst();
                            first.dispatched();
                            second.dispatched();
                            second.scalars();
                            first.combined();
                            second.combined();
                            first.scalars();
                            fabric.barrier();
                        }
                    });
                });
    }
}
