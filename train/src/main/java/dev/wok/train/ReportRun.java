package dev.wok.train;

import dev.wok.fabric.Trace;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/// What a run's folder holds so far, for a page.
///
/// @param name the folder's
/// @param file run.json, or an empty object
/// @param result result.json, or an empty object
/// @param traces timelines of some steps
/// @param leftOut how many lines of its records were damaged
record ReportRun(
        String name,
        JsonNode file,
        JsonNode result,
        ReportMetrics metrics,
        List<JsonNode> evaluations,
        List<JsonNode> samples,
        List<Trace> traces,
        long leftOut) {

    static ReportRun read(Path folder) {
        ReportMetrics metrics = ReportMetrics.read(folder.resolve("metrics.jsonl"));
        List<JsonNode> evaluations = new ArrayList<>();
        List<JsonNode> samples = new ArrayList<>();
        long leftOut = metrics.leftOut()
                + ReportFiles.lines(folder.resolve("evaluations.jsonl"), evaluations::add)
                + ReportFiles.lines(folder.resolve("samples.jsonl"), true, samples::add);
        return new ReportRun(
                String.valueOf(folder.toAbsolutePath().normalize().getFileName()),
                ReportFiles.object(folder.resolve("run.json")),
                ReportFiles.object(folder.resolve("result.json")),
                metrics,
                evaluations,
                samples,
                TraceFile.read(folder.resolve("trace.json")),
                leftOut);
    }

    JsonNode setting(String key) {
        return file.path("settings").path(key);
    }

    /// @return a figure of the newest evaluation; NaN for none
    double heldOut(String key) {
        return evaluations.isEmpty() ? Double.NaN : ReportFiles.number(evaluations.getLast(), key);
    }

    /// @return a figure of the finished run, else that of its newest step, else of its newest evaluation; NaN for none
    double figure(String key) {
        double finished = ReportFiles.number(result, key);
        double step = Double.isNaN(finished) ? ReportFiles.number(metrics.last(), key) : finished;
        return Double.isNaN(step) && !evaluations.isEmpty() ? ReportFiles.number(evaluations.getLast(), key) : step;
    }

    /// @return how many steps are done, NaN where none is
    double steps() {
        double finished = ReportFiles.number(result, "steps");
        return Double.isNaN(finished) ? ReportFiles.number(metrics.last(), "step") : finished;
    }

    /// @return tokens per second over all of the run, NaN where no time is recorded
    double speed() {
        double seconds = figure("seconds");
        return seconds > 0 ? figure("tokens") / seconds : Double.NaN;
    }

    /// @return bits per byte at the steps where the run was evaluated, thinned for a chart
    Map<String, Object> curves() {
        List<JsonNode> lines = ReportSamples.thin(evaluations, ReportMetrics.POINTS);
        Map<String, Object> values = new LinkedHashMap<>();
        values.put(
                "steps",
                lines.stream().map(line -> line.path("step").longValue()).toList());
        for (String key : List.of("held_out_bits_per_byte", "gzip_bits_per_byte")) {
            ReportSeries series = new ReportSeries(ReportSeries.Keep.LAST);
            for (int i = 0; i < lines.size(); i++) {
                series.add(i, ReportFiles.number(lines.get(i), key));
            }
            values.put(key, series.values());
        }
        ReportCurves others = new ReportCurves();
        for (int i = 0; i < lines.size(); i++) {
            others.add(i, lines.get(i));
        }
        values.put("curves", others.values());
        return values;
    }

    /// @return whether it is one of post-training
    boolean isTuned() {
        return file.path("inputs").isObject();
    }
}
