package dev.wok.train;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/// A run as a page: `report.html`, one file that opens without a network, from whatever the run's folder holds so far.
/// The charts are drawn by uPlot (MIT licence, in the page), the heat map and the rest by the page's own script.
final class Report {
    private Report() {}

    /// Writes the page of a run.
    ///
    /// @throws dev.wok.notice.BadInput where a file cannot be read or the page not be written
    static void write(Path folder) {
        Durable.write(folder.resolve("report.html"), page(folder).getBytes(StandardCharsets.UTF_8));
    }

    private static String page(Path folder) {
        JsonNode run = ReportFiles.object(folder.resolve("run.json"));
        JsonNode result = ReportFiles.object(folder.resolve("result.json"));
        ReportMetrics metrics = ReportMetrics.read(folder.resolve("metrics.jsonl"));
        List<JsonNode> evaluations = new ArrayList<>();
        long leftOut = metrics.leftOut() + ReportFiles.lines(folder.resolve("evaluations.jsonl"), evaluations::add);
        List<JsonNode> samples = new ArrayList<>();
        leftOut += ReportFiles.lines(folder.resolve("samples.jsonl"), samples::add);

        Map<String, Object> data = new LinkedHashMap<>(metrics.values());
        data.put("layers", layerNames(run, metrics.layers()));
        data.put("evaluations", evaluations(ReportSamples.thin(evaluations, ReportMetrics.POINTS)));

        String name = run.path("name").asString("");
        Map<String, String> parts = new LinkedHashMap<>();
        parts.put("title", ReportHtml.escape(name.isBlank() ? "a training run" : name));
        parts.put("state", ReportHtml.escape(state(run, result, metrics.last())));
        parts.put("figures", new ReportFigures(result, metrics, evaluations).html());
        parts.put("notes", notes(metrics, leftOut));
        parts.put("balance", ReportHtml.escape(balance(run.path("settings").path("gamma"))));
        parts.put("smoothed", Long.toString(metrics.smoothedOver()));
        parts.put("samples", ReportSamples.html(samples));
        parts.put("settings", ReportHtml.settings(run.path("settings")));
        parts.put("corpus", ReportHtml.list(run.path("corpus")));
        parts.put("data", ReportHtml.json(data));
        return ReportHtml.page(parts);
    }

    /// Layers as the model's weights number them; the run's loads begin with the first that has experts.
    private static List<String> layerNames(JsonNode run, int count) {
        int dense = run.path("settings").path("first_k_dense_replace").asInt(-1);
        int layers = run.path("settings").path("num_hidden_layers").asInt(Integer.MAX_VALUE);
        List<String> names = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            if (dense < 0) {
                names.add("MoE layer " + (i + 1));
            } else if (dense + i < layers) {
                names.add("layer " + (dense + i));
            } else {
                names.add("MTP layer " + (dense + i - layers));
            }
        }
        return names;
    }

    private static Map<String, Object> evaluations(List<JsonNode> lines) {
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
        return values;
    }

    private static String state(JsonNode run, JsonNode result, JsonNode last) {
        long done = last.path("step").asLong(result.path("steps").asLong(0));
        long planned = run.path("settings").path("steps").asLong(0);
        if (!result.isEmpty()) {
            return "Finished after %,d steps.".formatted(result.path("steps").asLong(done));
        }
        if (done == 0) {
            return "No step is recorded yet.";
        }
        return planned > 0
                ? "Not finished: %,d of %,d steps so far.".formatted(done, planned)
                : "Not finished: %,d steps so far.".formatted(done);
    }

    /// What levels the load, where the run's settings say it.
    private static String balance(JsonNode gamma) {
        double value = ReportFiles.number(gamma);
        if (Double.isNaN(value)) {
            return "";
        }
        return value == 0
                ? " Gamma is 0: no bias levels the load."
                : " Each expert's bias moves by gamma = %s against its load.".formatted(gamma);
    }

    private static String notes(ReportMetrics metrics, long leftOut) {
        StringBuilder notes = new StringBuilder();
        if (metrics.width() > 1) {
            notes.append(
                    "<p class=\"note\">A point stands for %,d steps: losses and learning rate are those of its last, tokens per second their mean, gradient norm and MaxVio their largest.</p>"
                            .formatted(metrics.width()));
        }
        if (leftOut > 0) {
            notes.append("<p class=\"note\">Lines of the run's records that are damaged and left out: %,d.</p>"
                    .formatted(leftOut));
        }
        return notes.toString();
    }
}
