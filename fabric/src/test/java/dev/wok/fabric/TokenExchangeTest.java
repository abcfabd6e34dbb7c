package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

final class TokenExchangeTest {
    private static final List<Shape> SHAPES = List.of(
            Shape.oneMachine(1),
            Shape.oneMachine(3),
            Shape.machines(2, 2),
            Shape.machines(3, 2),
            new Shape(new int[] {0, 0, 0, 1}),
            new Shape(new int[] {0, 1, 1, 0, 2}));

    /// A row of a token: what it holds is a formula of where it comes from. Every seventh is zero.
    private static float[] row(int rank, int token, int hidden) {
        float[] row = new float[hidden];
        for (int column = 0; column < hidden && (rank + token) % 7 != 6; column++) {
            row[column] = Math.scalb((rank * 31 + token * 7 + column) % 97 - 48.3f, (token + column) % 9 - 4);
        }
        return row;
    }

    private static Tensor tensor(float[][] rows, int width) {
        Tensor tensor = Tensor.allocate(Arena.ofAuto(), DType.F32, rows.length, width);
        for (int i = 0; i < rows.length; i++) {
            tensor.select(0, i).copyFrom(Tensor.of(rows[i]));
        }
        return tensor;
    }

    private static Tensor chosen(int[][] chosen, int topK) {
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
        Flight(Batch batch, Exchange exchange, int rank, boolean atOnce, Runnable meanwhile) {
            this.batch = batch;
            this.exchange = exchange;
            this.rank = rank;
            Tensor chosen = chosen(batch.chosen[rank], batch.desc.topK());
            Tensor x = tensor(batch.x()[rank], batch.desc.hidden());
            Tensor weights = Tensor.of(weights()).reshape(batch.chosen[rank].length, batch.desc.topK());
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
            slots = Tensor.allocate(
                    Arena.ofAuto(), DType.F32, (long) route.tokens() * batch.desc.topK(), batch.desc.hidden());
            sums = tensor(batch.x()[rank], batch.desc.hidden());
            assertArrayEquals(batch.plain.offsets(rank), route.offsets());
            assertArrayEquals(batch.plain.rowToken(rank), route.rowToken());
            assertEquals(route.rowToken().length, route.rows());
            assertEquals(batch.chosen[rank].length, route.tokens());
        }

        private Tensor room(int count) {
            return Tensor.allocate(Arena.ofAuto(), DType.F32, count, batch.desc.hidden());
        }

        void dispatched() {
            transfer.await();
            assertBits(batch.plain.dispatch(batch.x(), rank), arrived, "dispatch");
            Tensor y = tensor(batch.y()[rank], batch.desc.hidden());
            Exchange.Results homeward = exchange.combine(route, y, weighs());
            homeward.addTo(sums);
            results = homeward;
            transfer = exchange.combineSlots(route, y, slots);
        }

        void combined() {
            Objects.requireNonNull(results).await();
            transfer.await();
            float[][] expected = batch.plain.combine(batch.y(), rank);
            assertBits(expected, slots, "combine");
            float[][] tokens = batch.x()[rank];
            batch.plain.add(batch.y(), rank, weighs() ? weights() : null, tokens);
            assertBits(tokens, sums, "sums");
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
            Tensor there = Tensor.allocate(Arena.ofAuto(), DType.F32, route.rows());
            there.copyFrom(Tensor.of(route.weights()));
            Tensor back = Tensor.allocate(Arena.ofAuto(), DType.F32, route.tokens(), topK);
            exchange.combineScalars(route, there, back).await();
            assertArrayEquals(weights(), back.toFloats());
        }
    }

    private static Tensor ones(int tokens, int topK) {
        float[] ones = new float[tokens * topK];
        Arrays.fill(ones, 1);
        return Tensor.of(ones).reshape(tokens, topK);
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

    @Test
    void agreesWithThePlainOne() {
        int[] widths = {1, 2, 77, 128, 129, 300, 17000};
        Exchange.Payload[] payloads = Exchange.Payload.values();
        Property.of("TokenExchange")
                .size("shape", 0, SHAPES.size() - 1)
                .size("width", 0, widths.length - 1)
                .size("experts", 1, 12)
                .size("topK", 1, 8)
                .size("parts", 1, 6)
                .size("tokens", 0, 33)
                .size("replicas", 0, 4)
                .size("dispatch", 0, 2)
                .size("combine", 0, 2)
                .flag("even")
                .flag("one")
                .flag("firstAtOnce")
                .flag("secondAtOnce")
                .cases(60)
                .check(c -> {
                    Shape shape = SHAPES.get(c.size("shape"));
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
                            payloads[c.size("dispatch")],
                            payloads[c.size("combine")]);
                    Batch a = Batch.of(desc, shape, draw(c.rng("a"), shape, experts, topK, tokens, c.flag("one")));
                    Batch b = Batch.of(desc, shape, draw(c.rng("b"), shape, experts, topK, tokens, false));
                    Ranks.run(shape, fabric -> {
                        Exchange exchange = fabric.exchange(desc);
                        List<Flight> both = new ArrayList<>();
                        Flight first = new Flight(
                                a,
                                exchange,
                                fabric.rank(),
                                c.flag("firstAtOnce"),
                                () -> both.add(
                                        new Flight(b, exchange, fabric.rank(), c.flag("secondAtOnce"), () -> {})));
                        Flight second = both.getFirst();
                        first.dispatched();
                        second.dispatched();
                        second.scalars();
                        first.combined();
                        second.combined();
                        first.scalars();
                        fabric.barrier();
                    });
                });
    }

    @Test
    void bringsATokenToEachMachineOnce() {
        int tokens = 5;
        int hidden = 40;
        Exchange.Desc desc =
                new Exchange.Desc(hidden, 8, Placement.even(8, 4), 4, Exchange.Payload.BF16, Exchange.Payload.F32);
        AtomicLong[][] sent = new AtomicLong[4][4];
        for (AtomicLong[] of : sent) {
            Arrays.setAll(of, _ -> new AtomicLong());
        }
        int[][] all = new int[tokens][];
        Arrays.fill(all, new int[] {0, 1, 2, 3, 4, 5, 6, 7});
        List<Fabric> fabrics =
                Ranks.of(Shape.machines(2, 2), (rank, link) -> new CountingLink(link, sent[rank][link.peer()]));
        Ranks.run(fabrics, fabric -> {
            Exchange exchange = fabric.exchange(desc);
            Exchange.Route route = exchange.route(chosen(all, 8), ones(tokens, 8));
            for (AtomicLong to : sent[fabric.rank()]) {
                to.set(0);
            }
            Tensor x = Tensor.allocate(Arena.ofAuto(), DType.F32, tokens, hidden);
            Tensor arrived = Tensor.allocate(Arena.ofAuto(), DType.F32, route.arrivals(), hidden);
            assertEquals(4 * tokens, arrived.size(0));
            exchange.dispatch(route, x, arrived).await();
            fabric.barrier();
        });
        long once = (long) tokens * hidden * Short.BYTES;
        long[][] expected = {{0, 2, 1, 0}, {2, 0, 0, 1}, {1, 0, 0, 2}, {0, 1, 2, 0}};
        for (int from = 0; from < 4; from++) {
            for (int to = 0; to < 4; to++) {
                assertEquals(expected[from][to] * once, sent[from][to].get(), from + " to " + to);
            }
        }
    }

    /// Rank 0 begins to send more than its ring holds and then computes until rank 1 has all of it.
    @Test
    void travelsWhileARankComputes() {
        int tokens = 200;
        int hidden = 2000;
        Exchange.Desc desc = new Exchange.Desc(
                hidden, 1, new Placement(1, new int[][] {{}, {0}}), 1, Exchange.Payload.F32, Exchange.Payload.F32);
        CountDownLatch arrived = new CountDownLatch(1);
        Ranks.run(Shape.oneMachine(2), fabric -> {
            Exchange exchange = fabric.exchange(desc);
            int mine = fabric.rank() == 0 ? tokens : 0;
            Exchange.Route route = exchange.route(Tensor.of(new int[mine]).reshape(mine, 1), ones(mine, 1));
            Tensor x = Tensor.allocate(Arena.ofAuto(), DType.F32, mine, hidden);
            Tensor there = Tensor.allocate(Arena.ofAuto(), DType.F32, route.arrivals(), hidden);
            Transfer transfer = exchange.dispatch(route, x, there);
            if (fabric.rank() == 0) {
                Thread serving = Thread.ofPlatform().daemon().start(() -> {
                    while (arrived.getCount() > 0) {
                        fabric.progress();
                    }
                });
                await(arrived);
                join(serving);
            }
            transfer.await();
            arrived.countDown();
        });
    }

    /// A rank that begins to send and receive, and then computes, has all rows when it asks for them.
    @Test
    void isServedWhileARankComputes() {
        int tokens = 300;
        int hidden = 2000;
        Exchange.Desc desc =
                new Exchange.Desc(hidden, 2, Placement.even(4, 2), 2, Exchange.Payload.F32, Exchange.Payload.F32);
        CountDownLatch arrived = new CountDownLatch(2);
        Ranks.run(Shape.oneMachine(2), fabric -> {
            Exchange exchange = fabric.exchange(desc);
            int[][] choices = new int[tokens][];
            float[][] values = new float[tokens][hidden];
            for (int token = 0; token < tokens; token++) {
                choices[token] = new int[] {token % 4, (token + 1) % 4};
                Arrays.fill(values[token], token);
            }
            Tensor chosen = chosen(choices, 2);
            Tensor x = tensor(values, hidden);
            try (Serving _ = fabric.serve()) {
                Exchange.Arriving arriving = exchange.begin(chosen, ones(tokens, 2), x, count -> {
                    Tensor room = Tensor.allocate(Arena.ofAuto(), DType.F32, count, hidden);
                    arrived.countDown();
                    return room;
                });
                await(arrived);
                arriving.await();
                assertEquals(2 * 225, arriving.route().arrivals());
                Tensor last = arriving.tokens().select(0, arriving.route().arrivals() - 1);
                assertEquals(299, last.get(hidden - 1));
            }
        });
    }

    @Test
    void namesMissingRoom() {
        try (Fabric alone = Fabric.alone()) {
            Exchange exchange = alone.exchange(
                    new Exchange.Desc(1, 1, Placement.even(1, 1), 1, Exchange.Payload.F32, Exchange.Payload.F32));
            Tensor one = Tensor.of(1f).reshape(1, 1);
            Exchange.Arriving arriving = exchange.begin(Tensor.of(0).reshape(1, 1), one, one, count -> Tensor.of(0f));
            IllegalStateException thrown = assertThrows(IllegalStateException.class, arriving::await);
            assertEquals(
                    "java.lang.IllegalArgumentException: tokens is F32[1], expected F32[1, 1] with no gaps in a row",
                    String.valueOf(thrown.getCause()));
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(30, TimeUnit.SECONDS), "nothing travels");
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        try (Fabric alone = Fabric.alone()) {
            Exchange.Desc desc =
                    new Exchange.Desc(8, 2, Placement.even(4, 1), 1, Exchange.Payload.F32, Exchange.Payload.F32);
            Exchange exchange = alone.exchange(desc);
            Exchange.Route route = exchange.route(Tensor.of(0, 1).reshape(1, 2), ones(1, 2));
            Tensor x = Tensor.allocate(Arena.ofAuto(), DType.F32, 1, 8);
            assertMessage(
                    "tokens is F32[2, 8], expected F32[1, 8] with no gaps in a row",
                    () -> exchange.dispatch(route, x, Tensor.allocate(Arena.ofAuto(), DType.F32, 2, 8)));
            assertMessage(
                    "chosen is I32[1, 3], expected I32[tokens, 2]",
                    () -> exchange.route(Tensor.of(0, 1, 2).reshape(1, 3), ones(1, 2)));
            assertMessage(
                    "expert 4 was chosen, expected 0 to 3",
                    () -> exchange.route(Tensor.of(0, 4).reshape(1, 2), ones(1, 2)));
            assertMessage(
                    "the route is another exchange's",
                    () -> alone.exchange(desc).dispatch(route, x, x));
        }
    }

    @Test
    void resultsNeedTokensToBeAddedTo() {
        try (Fabric alone = Fabric.alone()) {
            Exchange exchange = alone.exchange(
                    new Exchange.Desc(8, 2, Placement.even(4, 1), 1, Exchange.Payload.BF16, Exchange.Payload.BF16));
            Exchange.Route route = exchange.route(Tensor.of(0, 1).reshape(1, 2), ones(1, 2));
            Exchange.Results results = exchange.combine(route, Tensor.allocate(Arena.ofAuto(), DType.F32, 2, 8), true);
            IllegalStateException thrown = assertThrows(IllegalStateException.class, results::await);
            assertEquals("results have no tokens to be added to: call addTo before await", thrown.getMessage());
            assertMessage(
                    "y is F32[2, 8], expected F32[1, 8] with no gaps in a row",
                    () -> results.addTo(Tensor.allocate(Arena.ofAuto(), DType.F32, 2, 8)));
            assertMessage(
                    "weights is F32[2], expected F32[1, 2] without gaps",
                    () -> exchange.route(Tensor.of(0, 1).reshape(1, 2), Tensor.of(1f, 2f)));
        }
    }

    private static void assertMessage(String message, Executable call) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
    }
}
