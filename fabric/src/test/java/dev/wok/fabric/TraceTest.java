package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Timeline.Kind;
import dev.wok.testkit.Thrown;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TraceTest {
    private static Trace.Entry entry(Kind kind, String name, int lane, long begin, long end) {
        return new Trace.Entry(kind, name, -1, -1, lane, begin, end);
    }

    private static Trace trace(Trace.Entry... entries) {
        return new Trace(1, 5, List.of("main", "second"), List.of(entries), 0);
    }

    private static String text(Trace.Segment segment) {
        return "%s %d-%d".formatted(segment.entry().name(), segment.begin(), segment.end());
    }

    @Test
    void theInnermostSpanSaysWhatAThreadDoes() {
        Trace trace = trace(
                entry(Kind.COMPUTE, "step", 0, 0, 100),
                entry(Kind.COMPUTE, "attention", 0, 10, 30),
                entry(Kind.EXCHANGE, "dispatch", 0, 20, 90),
                entry(Kind.WAIT, "wait", 0, 30, 60),
                entry(Kind.COMPUTE, "experts", 0, 70, 100),
                entry(Kind.COMPUTE, "nothing", 0, 70, 70),
                entry(Kind.COMPUTE, "later", 0, 120, 130),
                entry(Kind.WAIT, "turn", 1, 5, 6));
        assertEquals(
                List.of(
                        "step 0-10",
                        "attention 10-30",
                        "wait 30-60",
                        "step 60-70",
                        "experts 70-100",
                        "later 120-130",
                        "turn 5-6"),
                trace.segments().stream().map(TraceTest::text).toList());
    }

    @Test
    void whatIsInFlightTogetherLiesInTracks() {
        Trace trace = trace(
                entry(Kind.EXCHANGE, "c", 0, 20, 40),
                entry(Kind.EXCHANGE, "a", 0, 0, 20),
                entry(Kind.EXCHANGE, "b", 1, 10, 50),
                entry(Kind.COMPUTE, "attention", 0, 0, 10));
        assertEquals(
                List.of(List.of("a", "c"), List.of("b")),
                trace.inFlight().stream()
                        .map(track -> track.stream().map(Trace.Entry::name).toList())
                        .toList());
    }

    @Test
    void allOfTheExchangeIsExposedWhereOneThreadWaitsForIt() {
        Overlap overlap = Overlap.of(trace(
                entry(Kind.COMPUTE, "step", 0, 0, 100),
                entry(Kind.EXCHANGE, "dispatch", 0, 40, 60),
                entry(Kind.WAIT, "wait", 0, 40, 60)));
        assertEquals(new Overlap(100, 80, 20, 20, 0), overlap);
        assertEquals(0, overlap.hiddenShare());
    }

    @Test
    void whatAnotherThreadComputesHidesTheExchange() {
        Overlap overlap = Overlap.of(trace(
                entry(Kind.WAIT, "wait", 0, 0, 100),
                entry(Kind.EXCHANGE, "dispatch", 0, 0, 80),
                entry(Kind.EXCHANGE, "combine", 1, 60, 100),
                entry(Kind.COMPUTE, "attention", 1, 10, 40),
                entry(Kind.WAIT, "turn", 1, 20, 25),
                entry(Kind.COMPUTE, "experts", 1, 50, 70)));
        assertEquals(new Overlap(100, 45, 100, 55, 45), overlap);
        assertEquals(0.45, overlap.hiddenShare(), 1e-15);
    }

    @Test
    void whereNothingIsExchangedNoShareIsHidden() {
        assertEquals(new Overlap(0, 0, 0, 0, 0), Overlap.of(trace()));
        assertEquals(
                Double.NaN,
                Overlap.of(trace(entry(Kind.COMPUTE, "step", 0, 3, 9))).hiddenShare());
    }

    @Test
    void travels() {
        Trace trace = new Trace(
                3,
                1L << 40,
                List.of("", "zwei\u2603"),
                List.of(
                        new Trace.Entry(Kind.WAIT, "a", -1, 2, 1, Long.MIN_VALUE, Long.MAX_VALUE),
                        new Trace.Entry(Kind.COMPUTE, "b", 60, -1, 0, 5, 5),
                        new Trace.Entry(Kind.EXCHANGE, "a", 0, 0, 0, -7, 8)),
                17);
        assertEquals(trace, TraceLayout.decode(TraceLayout.encode(trace), 3));
        assertEquals(trace(), TraceLayout.decode(TraceLayout.encode(trace()), 1));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 2, 'version 2, expected 1'",
        "4, 7, rank 7 in it",
        "24, 2000000000, 2000000000 names",
        "24, -1, -1 names",
        "52, 1000000, 1000000 spans in 33 bytes",
        "52, 0, 0 spans in 33 bytes",
        "57, 1, 'kind 0, name 1, lane 0 from 3 to 9'",
        "69, 2, 'kind 0, name 0, lane 2 from 3 to 9'",
        "81, 0, 'from 3 to 0'"
    })
    void namesTheRankWhoseTraceIsNone(int at, int value, String reason) {
        byte[] bytes = TraceLayout.encode(trace(entry(Kind.COMPUTE, "step", 0, 3, 9)));
        ByteBuffer.wrap(bytes).putInt(at, value);
        if (at == 81) {
            ByteBuffer.wrap(bytes).putLong(at, value);
        }
        String message = Thrown.message(Departed.class, () -> TraceLayout.decode(bytes, 1));
        assertTrue(message.startsWith("rank 1 sent a timeline that cannot be read: "), message);
        assertTrue(message.contains(reason), message);
    }

    @Test
    void aTraceThatIsCutOffIsRefused() {
        byte[] bytes = TraceLayout.encode(trace(entry(Kind.COMPUTE, "step", 0, 3, 9)));
        for (int length = 0; length < bytes.length; length++) {
            byte[] cut = Arrays.copyOf(bytes, length);
            String message = Thrown.message(Departed.class, () -> TraceLayout.decode(cut, 1));
            assertTrue(message.startsWith("rank 1 sent a timeline that cannot be read: "), message);
        }
    }

    @Test
    void theQuickestRoundTellsTheClocksApart() {
        assertEquals(
                1000, Clock.offset(new long[] {0, 50, 100}, new long[] {1800, 1055, 1200}, new long[] {900, 60, 150}));
        assertEquals(-1000, Clock.offset(new long[] {2000}, new long[] {1010}, new long[] {2020}));
    }

    @Test
    void clocksThatCannotBeToldApartAreOne() {
        assertEquals(0, Clock.offset(new long[] {100}, new long[] {120}, new long[] {120}));
        assertEquals(0, Clock.offset(new long[] {100}, new long[] {100}, new long[] {120}));
    }
}
