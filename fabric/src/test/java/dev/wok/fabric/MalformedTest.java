package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.fabric.ExchangeLayout.Kind;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// What rank 0 says of a rank 1 that sends what cannot be.
final class MalformedTest {
    private final Board board = new Board(2);
    private final RingLink[] pair = RingLink.pair(Ranks.SMALL, 0, 1, board);
    private final Fabric fabric = new Fabric(
            new Group(0, Shape.oneMachine(2), new @Nullable Link[] {null, pair[0]}, Ranks.watchdog(0, board)));
    private int number;

    /// Sends a frame as rank 1, with the payload's bytes and what the header says of them.
    private MemorySegment frame(Kind kind, byte[] payload, long before, long total) {
        MemorySegment frame = pair[1].reserve(ExchangeLayout.HEADER + payload.length);
        if (frame == null) {
            throw new AssertionError("no room");
        }
        ExchangeLayout.write(frame, kind, number++, payload.length, before, total);
        MemorySegment.copy(payload, 0, frame, ValueLayout.JAVA_BYTE, ExchangeLayout.HEADER, payload.length);
        return frame;
    }

    private void sent(Kind kind, byte... payload) {
        frame(kind, payload, 0, payload.length);
        pair[1].send(ExchangeLayout.HEADER + payload.length);
    }

    private void assertNamed(String what, Executable call) {
        Departed e = assertThrows(Departed.class, call);
        assertEquals(1, e.rank());
        assertEquals("rank 1 sends what cannot be: " + what + ". It was in its beginning.", e.getMessage());
        assertEquals(
                e.getMessage(), assertThrows(Departed.class, fabric::progress).getMessage());
    }

    private void receive(int bytes) {
        fabric.receive(MemorySegment.ofArray(new byte[bytes]), 1);
    }

    @Test
    void anotherVersion() {
        frame(Kind.POINT, new byte[4], 0, 4).set(ValueLayout.JAVA_BYTE, 0, (byte) 9);
        pair[1].send(ExchangeLayout.HEADER + 4);
        assertNamed("a frame of version 9; this rank speaks version 3", () -> receive(4));
    }

    @Test
    void anotherOperation() {
        sent(Kind.DISPATCH, new byte[4]);
        assertNamed("a dispatch where this rank expects a send", () -> receive(4));
    }

    @Test
    void aMoveThatNobodyBegan() {
        sent(Kind.MOVE, new byte[4]);
        assertNamed("a move where this rank expects a send", () -> receive(4));
    }

    @Test
    void aMoveOfOtherBytes() {
        sent(Kind.MOVE, new byte[5]);
        Transfer move =
                fabric.move(List.of(), List.of(new Passage(1, MemorySegment.ofArray(new byte[4]))), Urgency.BEHIND);
        assertNamed("a move of 5 bytes where 4 were expected", move::await);
    }

    @Test
    void aMoveTwice() {
        sent(Kind.MOVE, new byte[4]);
        Passage passage = new Passage(1, MemorySegment.ofArray(new byte[4]));
        fabric.move(List.of(), List.of(passage), Urgency.BEHIND).await();
        number = 0;
        sent(Kind.MOVE, new byte[4]);
        Transfer again = fabric.move(List.of(), List.of(passage), Urgency.BEHIND);
        assertNamed("message 0 from byte 0 of a move, where message 1 from byte 0 is next", again::await);
    }

    @Test
    void aFrameTooShortForAHeader() {
        frame(Kind.POINT, new byte[0], 0, 0);
        pair[1].send(7);
        assertNamed("a frame of 7 bytes, too few for a header", () -> receive(4));
    }

    @Test
    void aMessageTwice() {
        sent(Kind.POINT, new byte[4]);
        receive(4);
        number = 0;
        sent(Kind.POINT, new byte[4]);
        assertNamed("message 0 from byte 0 of a send, where message 1 from byte 0 is next", () -> receive(4));
    }

    @Test
    void moreOrLessThanWasAskedFor() {
        sent(Kind.POINT, new byte[5]);
        assertNamed("a send of 5 bytes where 4 were expected", () -> receive(4));
    }

    @Test
    void sizesThatContradictEachOther() {
        frame(Kind.POINT, new byte[5], 0, 4);
        pair[1].send(ExchangeLayout.HEADER + 5);
        assertNamed("5 bytes of a send that say they are 5 of 4", () -> receive(4));
    }

    @Test
    void aHugeMessage() {
        frame(Kind.BROADCAST, new byte[5], 0, Long.MAX_VALUE);
        pair[1].send(ExchangeLayout.HEADER + 5);
        assertNamed("a broadcast of 9223372036854775807 bytes, too many", () -> fabric.broadcast(new byte[0], 1));
    }

    private void route() {
        fabric.exchange(new Exchange.Desc(4, 2, Placement.even(4, 2), 2, Exchange.Payload.BF16, Exchange.Payload.BF16))
                .route(Tensor.of(0, 3).reshape(1, 2), Tensor.of(1f, 1).reshape(1, 2));
    }

    @Test
    void aRouteCutOff() {
        sent(Kind.ROUTE, (byte) 1, (byte) 0);
        assertNamed("a route of 2 bytes for 0 tokens with 0 places", this::route);
    }

    @Test
    void aRouteOfTooManyTokens() {
        byte most = -1;
        sent(Kind.ROUTE, most, most, most, (byte) 127, most, most, most, (byte) 127);
        assertNamed("a route of 8 bytes for 2147483647 tokens with 2147483647 places", this::route);
    }

    @Test
    void aRouteToAPlaceThatIsNone() {
        sent(Kind.ROUTE, visits(new int[] {2}, Terms.BEGINS));
        assertNamed("a route to place 2 of 2", this::route);
    }

    @Test
    void aRouteWithMoreChoicesThanThereAre() {
        sent(Kind.ROUTE, visits(new int[] {0, 1, 0}, Terms.BEGINS, Terms.JOINS, Terms.JOINS));
        assertNamed("a route with 3 places of a token, expected 1 to 2", this::route);
    }

    @Test
    void aSumThatWasNotBegun() {
        sent(Kind.ROUTE, visits(new int[] {0, 1}, Terms.ALONE, Terms.JOINS));
        assertNamed("a route with code 1 for what becomes of a row", this::route);
    }

    @Test
    void anUnknownCode() {
        sent(Kind.ROUTE, visits(new int[] {0, 1}, Terms.BEGINS, (byte) 4));
        assertNamed("a route with code 4 for what becomes of a row", this::route);
    }

    /// Of one token.
    private static byte[] visits(int[] slots, byte... terms) {
        return RouteLayout.write(
                new Visits(new Lists(new int[] {0, slots.length}, slots), terms, new float[slots.length]));
    }

    /// Rank 1 sums what was asked for row by row.
    @Test
    void fewerBytesThanTheirSums() {
        Exchange exchange = fabric.exchange(
                new Exchange.Desc(4, 2, Placement.even(4, 2), 1, Exchange.Payload.BF16, Exchange.Payload.F32));
        sent(Kind.ROUTE, RouteLayout.write(new Visits(new Lists(new int[1], new int[0]), new byte[0], new float[0])));
        Exchange.Route route =
                exchange.route(Tensor.of(2, 3).reshape(1, 2), Tensor.of(1f, 1).reshape(1, 2));
        sent(Kind.COMBINE, new byte[16]);
        Exchange.Results results =
                exchange.combine(route, Tensor.of(new float[0]).reshape(0, 4), true);
        results.addTo(Tensor.of(new float[4]).reshape(1, 4));
        assertNamed("a combine of 16 bytes where 32 were expected", results::await);
    }

    @Test
    void rowsCutInside() {
        Exchange exchange = fabric.exchange(
                new Exchange.Desc(4, 1, Placement.even(2, 2), 2, Exchange.Payload.BF16, Exchange.Payload.F32));
        sent(Kind.ROUTE, visits(new int[] {0}, Terms.BEGINS));
        Exchange.Route route = exchange.route(
                Tensor.of(new int[] {0}).reshape(1, 1), Tensor.of(1f).reshape(1, 1));
        frame(Kind.DISPATCH, new byte[7], 0, 8);
        pair[1].send(ExchangeLayout.HEADER + 7);
        Tensor x = Tensor.of(1, 2, 3, 4f).reshape(1, 4);
        Tensor arrived = Tensor.of(new float[8]).reshape(2, 4);
        assertNamed(
                "a frame of a dispatch that ends inside a row",
                () -> exchange.dispatch(route, x, arrived).await());
    }
}
