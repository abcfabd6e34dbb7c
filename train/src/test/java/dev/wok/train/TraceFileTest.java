package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Timeline.Kind;
import dev.wok.fabric.Trace;
import dev.wok.tensor.Rng;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class TraceFileTest {
    private static final String ODD = "\"\\</script>\n\u2603";

    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("trace.json");
    }

    private static final class Draw {
        private final Rng rng;
        private long drawn;

        Draw(Rng rng) {
            this.rng = rng;
        }

        int below(int bound) {
            return rng.below(drawn++, bound);
        }
    }

    /// Spans that nest, as a thread's do, of a few nanoseconds to some milliseconds.
    private static long nested(List<Trace.Entry> entries, Draw draw, int lane, long begin, int depth) {
        int place = entries.size();
        long time = begin + draw.below(3);
        for (int children = depth == 0 ? 0 : draw.below(4); children > 0; children--) {
            time = nested(entries, draw, lane, time, depth - 1) + draw.below(2);
        }
        long end = time + (draw.below(2) == 0 ? draw.below(3) : draw.below(5_000_000));
        Kind kind = draw.below(3) == 0 ? Kind.WAIT : Kind.COMPUTE;
        entries.add(place, new Trace.Entry(kind, "d" + depth, draw.below(4) - 1, depth - 1, lane, begin, end));
        return end;
    }

    private static Trace trace(Draw draw, int rank, long step) {
        List<Trace.Entry> entries = new ArrayList<>();
        long origin = -(1L << 50) + step * 10_000_000_000L;
        for (int lane = 0; lane < 2; lane++) {
            long time = origin + draw.below(1000);
            for (int i = 0; i < 4; i++) {
                time = nested(entries, draw, lane, time, 3);
            }
        }
        for (int i = 0; i < 10; i++) {
            long begin = origin + draw.below(10_000_000);
            entries.add(new Trace.Entry(Kind.EXCHANGE, "dispatch", i, -1, 0, begin, begin + draw.below(3_000_000)));
        }
        return new Trace(rank, step, List.of("main", "main"), entries, 0);
    }

    private static List<Trace> traces() {
        List<Trace> traces = new ArrayList<>();
        for (long step = 3; step <= 4; step++) {
            for (int rank = 0; rank < 3; rank++) {
                traces.add(trace(new Draw(new Rng(step).split("rank " + rank)), rank, step));
            }
        }
        return traces;
    }

    @Test
    void isSortedAndEachThreadsSpansNest() throws IOException {
        TraceFile.write(file(), traces());
        JsonNode root = Logs.JSON.readTree(Files.readAllBytes(file()));
        assertEquals("ms", root.path("displayTimeUnit").asString());
        Map<String, Deque<Long>> open = new HashMap<>();
        Set<String> named = new HashSet<>();
        long last = 0;
        int spans = 0;
        for (JsonNode event : root.path("traceEvents")) {
            String thread = event.path("pid").asInt() + "/" + event.path("tid").asInt();
            if (event.path("ph").asString().equals("M")) {
                assertTrue(event.path("name").asString().equals("process_name") || named.add(thread), thread);
                continue;
            }
            assertEquals("X", event.path("ph").asString());
            assertTrue(named.contains(thread), thread);
            long begin = Math.round(1000 * event.required("ts").asDouble());
            long end = begin + Math.round(1000 * event.required("dur").asDouble());
            assertTrue(last <= begin && begin <= end, event.toString());
            Deque<Long> ends = open.computeIfAbsent(thread, _ -> new ArrayDeque<>());
            while (!ends.isEmpty() && ends.element() <= begin) {
                ends.pop();
            }
            assertTrue(ends.isEmpty() || end <= ends.element(), event.toString());
            ends.push(end);
            last = begin;
            spans++;
        }
        assertEquals(traces().stream().mapToInt(t -> t.entries().size()).sum(), spans);
    }

    @Test
    void aThreadHasOneNumberInAllSteps() throws IOException {
        Trace.Entry entry = new Trace.Entry(Kind.COMPUTE, ODD, 2, 1, 1, 5, 7);
        TraceFile.write(
                file(),
                List.of(
                        new Trace(0, 1, List.of("main", ODD), List.of(entry), 0),
                        new Trace(0, 2, List.of("late", ODD), List.of(entry), 0)));
        JsonNode events = Logs.JSON.readTree(Files.readAllBytes(file())).path("traceEvents");
        assertEquals(
                "{\"ph\":\"X\",\"pid\":0,\"tid\":2,\"ts\":0.000,\"dur\":0.002,\"cat\":\"compute\",\"name\":%s,"
                                .formatted(Logs.JSON.writeValueAsString(ODD))
                        + "\"args\":{\"step\":1,\"layer\":2,\"micro-batch\":1}}",
                Files.readAllLines(file()).get(5).replaceFirst(",$", ""));
        assertEquals(
                List.of(0, 1, 2, 3, 2, 2),
                events.valueStream().map(e -> e.path("tid").asInt()).toList());
    }

    @Test
    void comesBack() {
        List<Trace> traces = traces();
        TraceFile.write(file(), traces);
        List<Trace> read = TraceFile.read(file());
        assertEquals(traces.size(), read.size());
        long origin = traces.stream()
                .flatMap(t -> t.entries().stream())
                .mapToLong(Trace.Entry::begin)
                .min()
                .orElseThrow();
        for (int i = 0; i < read.size(); i++) {
            Trace trace = traces.get(i);
            assertEquals(List.of("main", "main 2"), read.get(i).lanes());
            assertEquals(shifted(trace.segments(), origin), shifted(read.get(i).segments(), 0));
            assertEquals(dev.wok.fabric.Overlap.of(trace), dev.wok.fabric.Overlap.of(read.get(i)));
        }
    }

    private static List<String> shifted(List<Trace.Segment> segments, long origin) {
        return segments.stream()
                .map(s -> "%s %d %d %d %d-%d"
                        .formatted(
                                s.entry().name(),
                                s.entry().detail(),
                                s.entry().microBatch(),
                                s.entry().lane(),
                                s.begin() - origin,
                                s.end() - origin))
                .toList();
    }

    @Test
    void damagedLinesAreLeftOut() throws IOException {
        assertEquals(List.of(), TraceFile.read(file()));
        TraceFile.write(file(), traces());
        List<String> lines = new ArrayList<>(Files.readAllLines(file()));
        int last = lines.size() - 2;
        lines.set(last, lines.get(last).substring(0, 40));
        for (String odd : List.of(
                "{\"ph\":\"X\",\"pid\":-1,\"tid\":1,\"ts\":1,\"dur\":1,\"cat\":\"wait\"}",
                "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":1e400,\"dur\":1,\"cat\":\"wait\"}",
                "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":1,\"dur\":-1,\"cat\":\"wait\"}",
                "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":1,\"dur\":1,\"cat\":\"other\"}",
                "{\"ph\":7,\"pid\":{},\"tid\":[]}",
                "[[[[",
                "\u0000")) {
            lines.add(5, odd + ",");
        }
        Files.writeString(file(), String.join("\n", lines));
        assertEquals(
                traces().stream().mapToInt(t -> t.entries().size()).sum() - 1,
                TraceFile.read(file()).stream()
                        .mapToInt(t -> t.entries().size())
                        .sum());
        assertFalse(TraceFile.read(file()).isEmpty());
    }
}
