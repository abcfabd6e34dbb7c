package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
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

    private static Tensor ones(int tokens, int topK) {
        float[] ones = new float[tokens * topK];
        Arrays.fill(ones, 1);
        return Tensor.of(ones).reshape(tokens, topK);
    }

    @Test
    void agreesWithThePlainOne() {
        ExchangeContract.check(
                "TokenExchange",
                SHAPES,
                List.of(Exchange.Payload.values()),
                17000,
                60,
                (fabric, desc) -> new ExchangeContract.OnHost(fabric.exchange(desc)));
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
            Exchange.Route route = exchange.route(ExchangeContract.chosen(all, 8), ones(tokens, 8));
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
            Tensor chosen = ExchangeContract.chosen(choices, 2);
            Tensor x = ExchangeContract.tensor(values, hidden);
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
