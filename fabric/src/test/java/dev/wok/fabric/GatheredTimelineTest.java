package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Timeline.Kind;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class GatheredTimelineTest {
    private static List<Trace> step(Fabric fabric) {
        Timeline timeline = fabric.timeline();
        timeline.record();
        try (Arena arena = Arena.ofConfined();
                Timeline.Span batch = timeline.span(Kind.COMPUTE, Timeline.MICRO_BATCH, 4);
                Timeline.Span layer = timeline.span(Kind.COMPUTE, "experts", 7)) {
            Exchange exchange = fabric.exchange(
                    new Exchange.Desc(3, 1, Placement.even(2, 2), 1, Exchange.Payload.F32, Exchange.Payload.F32));
            Exchange.Route route = exchange.route(
                    Tensor.of(1 - fabric.rank()).reshape(1, 1), Tensor.of(1f).reshape(1, 1));
            Tensor arrived = Tensor.allocate(arena, DType.F32, route.arrivals(), 3);
            exchange.dispatch(route, Tensor.of(1f, 2f, fabric.rank()).reshape(1, 3), arrived)
                    .await();
        }
        return Trace.gather(fabric, timeline.take(fabric.rank(), 6));
    }

    @Test
    void tellsAllRanksWhatEachDid() throws Exception {
        List<List<Trace>> gathered = new ArrayList<>();
        try (ExecutorService ranks =
                Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            List<Future<List<Trace>>> steps = Fabric.threads(Shape.oneMachine(2)).stream()
                    .map(fabric -> ranks.submit(() -> step(fabric)))
                    .toList();
            for (Future<List<Trace>> step : steps) {
                gathered.add(step.get());
            }
        }
        assertEquals(gathered.get(0), gathered.get(1));
        long begin = gathered.get(0).get(0).entries().getFirst().begin();
        for (int rank = 0; rank < 2; rank++) {
            Trace trace = gathered.get(0).get(rank);
            assertEquals(rank, trace.rank());
            assertEquals(6, trace.step());
            assertEquals(
                    List.of(
                            "COMPUTE micro-batch 4 4",
                            "COMPUTE experts 7 4",
                            "WAIT send 7 4",
                            "EXCHANGE route 7 4",
                            "WAIT wait for route 7 4",
                            "WAIT send 7 4",
                            "EXCHANGE dispatch 7 4",
                            "WAIT wait for dispatch 7 4"),
                    trace.entries().stream()
                            .map(e -> "%s %s %d %d".formatted(e.kind(), e.name(), e.detail(), e.microBatch()))
                            .toList());
            assertTrue(Math.abs(trace.entries().getFirst().begin() - begin) < 60_000_000_000L, "one clock");
            assertTrue(Overlap.of(trace).exchange() > 0);
        }
    }
}
