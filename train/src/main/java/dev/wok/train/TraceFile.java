package dev.wok.train;

import dev.wok.fabric.Timeline;
import dev.wok.fabric.Trace;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/// `trace.json`: steps as a trace in Chrome's format, which Perfetto opens. A process is a rank, a thread one of its
/// threads or a track of what is in flight; an event stands on a line of its own.
final class TraceFile {
    /// Where the numbers of tracks begin, beyond those of threads.
    private static final int TRACKS = 1000;

    private static final int MOST_RANKS = 4096;
    private static final double NANOS = 1000;

    private TraceFile() {}

    /// @param traces of some steps, each step on a clock of its ranks
    static void write(Path file, List<Trace> traces) {
        Events events = new Events(traces);
        Durable.write(file, events::writeTo);
    }

    /// An event of the file.
    private record Event(long begin, String line) {}

    /// The lines of a file.
    private static final class Events {
        private final List<String> names = new ArrayList<>();
        private final List<Event> spans = new ArrayList<>();
        private final Map<Integer, SequencedMap<String, Integer>> threads = new HashMap<>();
        private final Map<String, String> quoted = new HashMap<>();
        private final long origin;

        Events(List<Trace> traces) {
            origin = traces.stream()
                    .flatMap(trace -> trace.entries().stream())
                    .mapToLong(Trace.Entry::begin)
                    .min()
                    .orElse(0);
            traces.forEach(this::add);
            spans.sort(Comparator.comparingLong(Event::begin));
        }

        private void add(Trace trace) {
            if (!threads.containsKey(trace.rank())) {
                name("process_name", trace.rank(), 0, "rank " + trace.rank());
                threads.put(trace.rank(), new LinkedHashMap<>());
            }
            int[] numbers = numbers(trace);
            for (Trace.Entry entry : trace.entries()) {
                if (entry.kind() != Timeline.Kind.EXCHANGE) {
                    add(trace, numbers[entry.lane()], entry);
                }
            }
            int track = TRACKS;
            for (List<Trace.Entry> entries : trace.inFlight()) {
                track++;
                int number = number(trace.rank(), "in flight " + (track - TRACKS), track);
                entries.forEach(entry -> add(trace, number, entry));
            }
        }

        /// @return a number for each lane: the same in all steps for a thread of the same name
        private int[] numbers(Trace trace) {
            Map<String, Integer> seen = new HashMap<>();
            int[] numbers = new int[trace.lanes().size()];
            for (int lane = 0; lane < numbers.length; lane++) {
                String name = trace.lanes().get(lane);
                int times = seen.merge(name, 1, Integer::sum);
                numbers[lane] = number(
                        trace.rank(),
                        times == 1 ? name : name + " " + times,
                        threads(trace.rank()).size() + 1);
            }
            return numbers;
        }

        private SequencedMap<String, Integer> threads(int rank) {
            return threads.computeIfAbsent(rank, _ -> new LinkedHashMap<>());
        }

        private int number(int rank, String name, int next) {
            SequencedMap<String, Integer> known = threads(rank);
            Integer number = known.get(name);
            if (number != null) {
                return number;
            }
            known.put(name, next);
            name("thread_name", rank, next, name);
            return next;
        }

        private void name(String what, int rank, int thread, String name) {
            names.add("{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\",\"args\":{\"name\":%s}}"
                    .formatted(rank, thread, what, quoted(name)));
        }

        private void add(Trace trace, int thread, Trace.Entry entry) {
            StringBuilder line = new StringBuilder(160);
            line.append("{\"ph\":\"X\",\"pid\":").append(trace.rank());
            line.append(",\"tid\":").append(thread);
            micros(line.append(",\"ts\":"), entry.begin() - origin);
            micros(line.append(",\"dur\":"), entry.end() - entry.begin());
            line.append(",\"cat\":\"").append(text(entry.kind()));
            line.append("\",\"name\":").append(quoted(entry.name()));
            line.append(",\"args\":{\"step\":").append(trace.step());
            argument(line, "layer", entry.detail());
            argument(line, Timeline.MICRO_BATCH, entry.microBatch());
            spans.add(new Event(entry.begin(), line.append("}}").toString()));
        }

        private static void argument(StringBuilder line, String name, int value) {
            if (value >= 0) {
                line.append(",\"").append(name).append("\":").append(value);
            }
        }

        private static void micros(StringBuilder line, long nanos) {
            String rest = Long.toString(1000 + nanos % 1000);
            line.append(nanos / 1000).append('.').append(rest, 1, 4);
        }

        private String quoted(String text) {
            return quoted.computeIfAbsent(text, Logs.JSON::writeValueAsString);
        }

        void writeTo(OutputStream out) throws IOException {
            Writer writer = new OutputStreamWriter(out, StandardCharsets.UTF_8);
            writer.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
            String separator = "\n";
            for (String line : names) {
                writer.write(separator);
                writer.write(line);
                separator = ",\n";
            }
            for (Event span : spans) {
                writer.write(separator);
                writer.write(span.line);
                separator = ",\n";
            }
            writer.write("\n]}\n");
            writer.flush();
        }
    }

    static String text(Timeline.Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    /// Reads what was written; lines that are damaged are left out.
    ///
    /// @return by step, and of a step by rank
    static List<Trace> read(Path file) {
        Reading reading = new Reading();
        ReportFiles.texts(file, reading::line);
        return reading.traces();
    }

    private record Of(long step, int rank) {}

    private record Thread(int rank, long number) {}

    /// What lines said so far.
    private static final class Reading {
        private final Map<Thread, String> names = new HashMap<>();
        private final Map<Of, Part> parts = new HashMap<>();

        /// A rank's step.
        private static final class Part {
            private final List<Trace.Entry> inFlight = new ArrayList<>();
            private final SortedMap<Long, List<Trace.Entry>> threads = new TreeMap<>();

            void add(long thread, Trace.Entry entry) {
                (entry.kind() == Timeline.Kind.EXCHANGE
                                ? inFlight
                                : threads.computeIfAbsent(thread, _ -> new ArrayList<>()))
                        .add(entry);
            }

            List<Trace.Entry> entries() {
                List<Trace.Entry> all = new ArrayList<>(inFlight);
                int lane = 0;
                for (List<Trace.Entry> thread : threads.values()) {
                    int of = lane++;
                    thread.forEach(e -> all.add(e.of(of)));
                }
                return all;
            }
        }

        void line(String text) {
            String event = text.endsWith(",") ? text.substring(0, text.length() - 1) : text;
            event(ReportFiles.parse(event));
        }

        private void event(JsonNode event) {
            int rank = event.path("pid").asInt(-1);
            long thread = event.path("tid").asLong(-1);
            if (rank < 0 || rank >= MOST_RANKS || thread < 0) {
                return;
            }
            switch (event.path("ph").asString("")) {
                case "M" -> {
                    if (event.path("name").asString("").equals("thread_name")) {
                        names.put(
                                new Thread(rank, thread),
                                event.path("args").path("name").asString(""));
                    }
                }
                case "X" -> span(event, rank, thread);
                default -> {}
            }
        }

        private void span(JsonNode event, int rank, long thread) {
            JsonNode arguments = event.path("args");
            double begin = ReportFiles.number(event, "ts");
            double length = ReportFiles.number(event, "dur");
            for (Timeline.Kind kind : Timeline.Kind.values()) {
                if (event.path("cat").asString("").equals(text(kind)) && begin >= 0 && length >= 0) {
                    Part part =
                            parts.computeIfAbsent(new Of(arguments.path("step").asLong(0), rank), _ -> new Part());
                    part.add(
                            thread,
                            new Trace.Entry(
                                    kind,
                                    event.path("name").asString(""),
                                    arguments.path("layer").asInt(-1),
                                    arguments.path(Timeline.MICRO_BATCH).asInt(-1),
                                    0,
                                    Math.round(begin * NANOS),
                                    Math.round(begin * NANOS) + Math.round(length * NANOS)));
                }
            }
        }

        List<Trace> traces() {
            return parts.entrySet().stream()
                    .sorted(Map.Entry.comparingByKey(
                            Comparator.comparingLong(Of::step).thenComparingInt(Of::rank)))
                    .map(e -> trace(e.getKey(), e.getValue()))
                    .toList();
        }

        private Trace trace(Of of, Part part) {
            List<String> lanes = part.threads.keySet().stream()
                    .map(thread -> names.getOrDefault(new Thread(of.rank, thread), "thread " + thread))
                    .toList();
            return new Trace(of.rank, of.step, lanes, part.entries(), 0);
        }
    }
}
