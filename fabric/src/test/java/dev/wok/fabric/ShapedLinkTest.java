package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.notice.BadInput;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShapedLinkTest {
    /// A microsecond of latency; a byte per nanosecond, of which the line before the payload takes 64.
    private static final LinkDelay DELAY = new LinkDelay(1000, 1);

    private final RingLink[] rings = RingLink.pair(new RingLayout(1 << 20), 0, 1, new Board(2));
    private final ShapedLink sender = new ShapedLink(rings[0], DELAY, this::now);
    private final ShapedLink receiver = new ShapedLink(rings[1], DELAY, this::now);
    private long now = 5;

    private long now() {
        return now;
    }

    private void send(int bytes, int value) {
        MemorySegment room = Objects.requireNonNull(sender.reserve(bytes));
        room.set(ValueLayout.JAVA_INT, 0, value);
        sender.send(bytes);
    }

    private void assertComesAt(long time, int bytes, int value) {
        now = time - 1;
        assertNull(receiver.receive());
        now = time;
        MemorySegment frame = receiver.receive();
        assertNotNull(frame);
        assertEquals(bytes, frame.byteSize());
        assertEquals(value, frame.get(ValueLayout.JAVA_INT, 0));
        receiver.release();
    }

    @Test
    void aFrameComesAfterTheLatencyAndItsBytes() {
        send(936, 7);
        assertComesAt(5 + 1000 + 1000, 936, 7);
        assertNull(receiver.receive());
    }

    @Test
    void framesQueueForBytesButShareTheLatency() {
        send(936, 1);
        send(436, 2);
        assertComesAt(5 + 1000 + 1000, 936, 1);
        assertComesAt(5 + 1000 + 500 + 1000, 436, 2);
        now = 100_000;
        send(36, 3);
        assertComesAt(100_000 + 100 + 1000, 36, 3);
    }

    @Test
    void bytesTravelWhileTheReceiverDoesOtherThings() {
        send(936, 1);
        send(436, 2);
        now = 2505;
        assertNotNull(receiver.receive());
        receiver.release();
        assertNotNull(receiver.receive());
    }

    @Test
    void anEndThatDelaysNothingIsNamed() {
        Objects.requireNonNull(rings[0].reserve(100));
        rings[0].send(100);
        assertEquals(
                "rank 0 does not delay its links as this rank does: WOK_LINK_DELAY must be the same on all ranks.",
                assertThrows(Departed.class, receiver::receive).getMessage());
    }

    @Test
    void theVariableIsMicrosecondsAndGigabytes() {
        assertEquals(Optional.of(new LinkDelay(20_500, 1.5)), LinkDelay.of(Map.of(LinkDelay.VARIABLE, "20.5,1.5")));
        assertEquals(Optional.empty(), LinkDelay.of(Map.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "20", "20,", "20,0", "-1,1", "x,1", "1,NaN", "1e9,1", "1,2,3"})
    void whatIsNoDelayIsRefused(String given) {
        assertEquals(
                "WOK_LINK_DELAY is %s, expected microseconds and GB/s, as in WOK_LINK_DELAY=20,1.5.".formatted(given),
                assertThrows(BadInput.class, () -> LinkDelay.of(Map.of(LinkDelay.VARIABLE, given)))
                        .getMessage());
    }
}
