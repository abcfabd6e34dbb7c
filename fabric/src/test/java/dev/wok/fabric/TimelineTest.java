package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Timeline.Kind;
import dev.wok.testkit.Thrown;
import java.util.List;
import org.junit.jupiter.api.Test;

class TimelineTest {
    private final Timeline timeline = new Timeline();

    private static String text(Trace.Entry entry) {
        return "%s %s %d in %d by %d"
                .formatted(entry.kind(), entry.name(), entry.detail(), entry.microBatch(), entry.lane());
    }

    private static List<String> texts(Trace trace) {
        return trace.entries().stream().map(TimelineTest::text).toList();
    }

    @Test
    void recordsNothingUnlessAsked() {
        timeline.span(Kind.COMPUTE, "attention", 1).close();
        assertSame(timeline.span(Kind.WAIT, "wait", 1), Timeline.off().span(Kind.COMPUTE, "experts", 2));
        assertEquals(List.of(), timeline.take(0, 1).entries());
        assertTrue(
                Thrown.message(IllegalStateException.class, () -> Timeline.off().record())
                        .contains("records nothing"));
    }

    @Test
    void knowsLayersMicroBatchesAndThreads() throws InterruptedException {
        timeline.record();
        Timeline.Span flight;
        try (Timeline.Span step = timeline.span(Kind.COMPUTE, "step", -1)) {
            try (Timeline.Span batch = timeline.span(Kind.COMPUTE, Timeline.MICRO_BATCH, 3)) {
                flight = timeline.span(Kind.EXCHANGE, "dispatch", 7);
                timeline.span(Kind.COMPUTE, "attention", 7).close();
            }
            Thread other = Thread.ofPlatform().name("second").start(() -> {
                timeline.span(Kind.WAIT, "wait", 7).close();
                flight.close();
            });
            try (Timeline.Span join = timeline.span(Kind.WAIT, "join", -1)) {
                other.join();
            }
        }
        timeline.span(Kind.COMPUTE, "never closed", -1);
        Trace trace = timeline.take(2, 9);
        assertEquals(
                List.of(
                        "COMPUTE step -1 in -1 by 0",
                        "COMPUTE micro-batch 3 in 3 by 0",
                        "EXCHANGE dispatch 7 in 3 by 0",
                        "COMPUTE attention 7 in 3 by 0",
                        "WAIT join -1 in -1 by 0",
                        "WAIT wait 7 in -1 by 1"),
                texts(trace));
        assertEquals("second", trace.lanes().get(1));
        assertEquals(2, trace.rank());
        assertEquals(9, trace.step());
        Trace.Entry step = trace.entries().getFirst();
        assertTrue(trace.entries().stream().allMatch(e -> step.begin() <= e.begin() && e.end() <= step.end()));
        assertTrue(step.end() > step.begin());
    }

    @Test
    void recordsAnewAndForgetsLateEnds() {
        timeline.record();
        Timeline.Span late = timeline.span(Kind.EXCHANGE, "late", -1);
        timeline.span(Kind.COMPUTE, "first", -1).close();
        timeline.record();
        Timeline.Span open = timeline.span(Kind.COMPUTE, "second", -1);
        late.close();
        assertEquals(List.of(), timeline.take(0, 1).entries());
        open.close();
        timeline.record();
        timeline.span(Kind.COMPUTE, "third", -1).close();
        assertEquals(List.of("COMPUTE third -1 in -1 by 0"), texts(timeline.take(0, 2)));
    }

    @Test
    void countsWhatItHasNoRoomFor() {
        timeline.record();
        for (int i = 0; i < Timeline.CAPACITY + 3; i++) {
            timeline.span(Kind.COMPUTE, "much", i).close();
        }
        Trace trace = timeline.take(0, 1);
        assertEquals(Timeline.CAPACITY, trace.entries().size());
        assertEquals(3, trace.lost());
    }

    @Test
    void spansOfAThreadNest() {
        timeline.record();
        Timeline.Span outer = timeline.span(Kind.COMPUTE, "outer", -1);
        Timeline.Span inner = timeline.span(Kind.WAIT, "inner", -1);
        String message = Thrown.message(IllegalStateException.class, outer::close);
        assertTrue(message.contains("outer is closed while inner is open"), message);
        inner.close();
        inner.close();
        outer.close();
        assertEquals(2, timeline.take(0, 1).entries().size());
    }
}
