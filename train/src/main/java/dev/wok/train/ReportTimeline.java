package dev.wok.train;

import dev.wok.fabric.Overlap;
import dev.wok.fabric.Timeline;
import dev.wok.fabric.Trace;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// What each rank did in the last step that was traced, drawn; and how all traced steps were spent.
final class ReportTimeline {
    /// Of a row's length; what is shorter is drawn together with its neighbours.
    private static final int COLUMNS = 1000;

    private static final int MOST_TICKS = 8;

    /// A label further right than this share of the row would be cut off.
    private static final double LAST_TICK = 0.94;

    private static final String NONE = "\u2013";

    private final List<Trace> traces;
    private final List<Trace> drawn;
    private final long begin;
    private final double width;

    private ReportTimeline(List<Trace> traces) {
        this.traces = traces;
        long step = traces.getLast().step();
        drawn = traces.stream().filter(trace -> trace.step() == step).toList();
        begin = drawn.stream()
                .flatMap(trace -> trace.entries().stream())
                .mapToLong(Trace.Entry::begin)
                .min()
                .orElse(0);
        long end = drawn.stream()
                .flatMap(trace -> trace.entries().stream())
                .mapToLong(Trace.Entry::end)
                .max()
                .orElse(0);
        width = Math.max(1, end - begin);
    }

    /// @param traces by step, and of a step by rank
    /// @return a section, or nothing where there are none
    static String html(List<Trace> traces) {
        return traces.isEmpty() ? "" : new ReportTimeline(traces).section();
    }

    private String section() {
        StringBuilder rows = new StringBuilder();
        drawn.forEach(trace -> rank(rows, trace));
        StringBuilder figures = new StringBuilder();
        traces.forEach(trace -> figures(figures, trace));
        return """
                <section id="timeline">
                <h2>Timeline of step %d</h2>
                <p>A row for each thread, and for what is in flight between ranks. Perfetto opens trace.json for a closer look.</p>
                <div class="legend"><i class="compute"></i><span>computing</span><i class="exchange"></i><span>in flight</span><i class="wait"></i><span>waiting</span></div>
                <div class="spans">
                %s<span></span><div class="ticks">%s</div>
                </div>
                <p>The exchange is hidden while a thread of its rank computes; a rank waits while a thread of it waits and none computes.</p>
                <div class="wide"><table class="runs">
                <tr><th>step</th><th>rank</th><th>all, ms</th><th>computing, ms</th><th>exchange, ms</th><th>waiting, ms</th><th>exchange hidden</th></tr>
                %s</table></div>
                </section>
                """.formatted(traces.getLast().step(), rows, ticks(), figures);
    }

    private void rank(StringBuilder rows, Trace trace) {
        rows.append("<b>rank %d</b>\n".formatted(trace.rank()));
        List<Trace.Segment> segments = trace.segments();
        for (int lane = 0; lane < trace.lanes().size(); lane++) {
            int of = lane;
            row(
                    rows,
                    trace.rank(),
                    trace.lanes().get(lane),
                    segments.stream().filter(s -> s.entry().lane() == of).toList());
        }
        int track = 0;
        for (List<Trace.Entry> entries : trace.inFlight()) {
            track++;
            row(
                    rows,
                    trace.rank(),
                    "in flight " + track,
                    entries.stream()
                            .map(e -> new Trace.Segment(e, e.begin(), e.end()))
                            .toList());
        }
    }

    private void row(StringBuilder rows, int rank, String lane, List<Trace.Segment> segments) {
        String name = ReportHtml.escape(lane);
        rows.append(
                "<span>%s</span><svg viewBox=\"0 0 %d 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"rank %d, %s\">"
                        .formatted(name, COLUMNS, rank, name));
        List<Trace.Segment> together = new ArrayList<>();
        for (Trace.Segment segment : segments) {
            if (!together.isEmpty() && !isShort(together.getFirst().begin(), segment.end())) {
                rectangle(rows, together);
                together.clear();
            }
            together.add(segment);
        }
        if (!together.isEmpty()) {
            rectangle(rows, together);
        }
        rows.append("</svg>\n");
    }

    private boolean isShort(long from, long to) {
        return column(to) - column(from) < 1;
    }

    private double column(long time) {
        return (time - begin) / width * COLUMNS;
    }

    /// @param together neighbours, drawn in the colour of what took longest
    private void rectangle(StringBuilder rows, List<Trace.Segment> together) {
        long[] times = new long[Timeline.Kind.values().length];
        together.forEach(s -> times[s.entry().kind().ordinal()] += s.end() - s.begin());
        Trace.Segment main = together.getFirst();
        for (Trace.Segment segment : together) {
            boolean more = times[segment.entry().kind().ordinal()]
                    > times[main.entry().kind().ordinal()];
            main = more ? segment : main;
        }
        double from = column(together.getFirst().begin());
        rows.append(String.format(
                Locale.ROOT,
                "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=\"1\"><title>%s</title></rect>",
                TraceFile.text(main.entry().kind()),
                from,
                column(together.getLast().end()) - from,
                ReportHtml.escape(hover(main, together))));
    }

    private String hover(Trace.Segment main, List<Trace.Segment> together) {
        Trace.Entry entry = main.entry();
        StringBuilder text = new StringBuilder(entry.name());
        if (entry.detail() >= 0 && !entry.name().equals(Timeline.MICRO_BATCH)) {
            text.append(", layer ").append(entry.detail());
        }
        if (entry.microBatch() >= 0) {
            text.append(", micro-batch ").append(entry.microBatch());
        }
        if (together.size() > 1) {
            text.append(" and %,d more".formatted(together.size() - 1));
        }
        long from = together.getFirst().begin();
        return text.append(": %s ms from %s ms on"
                        .formatted(millis(together.getLast().end() - from), millis(from - begin)))
                .toString();
    }

    /// @return a time's axis: round numbers at their places
    private String ticks() {
        double millis = width / 1e6;
        double unit = Math.pow(10, Math.floor(Math.log10(millis / MOST_TICKS)));
        double every = unit * (millis / unit <= 2 * MOST_TICKS ? 2 : millis / unit <= 5 * MOST_TICKS ? 5 : 10);
        StringBuilder ticks = new StringBuilder();
        for (int i = 0; i * every <= LAST_TICK * millis; i++) {
            ticks.append(String.format(
                    Locale.ROOT,
                    "<span style=\"left:%.2f%%\">%s ms</span>",
                    100 * i * every / millis,
                    plain(i * every)));
        }
        return ticks.toString();
    }

    private static String plain(double value) {
        return String.format(Locale.ROOT, "%.6f", value).replaceFirst("\\.?0+$", "");
    }

    private static String millis(long nanos) {
        return String.format(Locale.ROOT, nanos < 10_000_000 ? "%.3f" : "%.1f", nanos / 1e6);
    }

    private static void figures(StringBuilder rows, Trace trace) {
        Overlap overlap = Overlap.of(trace);
        rows.append("<tr><td>%d</td><th scope=\"row\">%d</th>".formatted(trace.step(), trace.rank()));
        for (String cell : List.of(
                millis(overlap.total()),
                millis(overlap.compute()),
                millis(overlap.exchange()),
                millis(overlap.waiting()),
                overlap.exchange() == 0 ? NONE : ReportFigures.percent(overlap.hiddenShare()))) {
            rows.append("<td class=\"number\">").append(cell).append("</td>");
        }
        rows.append("</tr>\n");
    }
}
