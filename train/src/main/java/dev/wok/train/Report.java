package dev.wok.train;

import dev.wok.notice.BadInput;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;

/// A run as a page: `report.html`, one file that opens without a network, from whatever the run's folder holds so far.
/// The charts are drawn by uPlot (MIT licence, in the page), the heat map and the rest by the page's own script.
public final class Report {
    private Report() {}

    /// Writes the page of a run, finished or not.
    ///
    /// @param folder the run's
    /// @param beside folders of other runs whose curves and figures stand beside this run's; a report written anew
    ///     without them has them no more
    /// @throws BadInput where a folder holds no run, a file cannot be read or the page not be written
    public static void write(Path folder, List<Path> beside) {
        for (Path run : Stream.concat(Stream.of(folder), beside.stream()).toList()) {
            if (!RunFolder.holdsRun(run)) {
                throw new BadInput(
                        "%s holds no run; expected a folder that wok train or a command of post-training made."
                                .formatted(run));
            }
        }
        Durable.write(
                folder.resolve("report.html"),
                // The run itself may write its page at the same moment.
                folder.resolve(
                        ".report-%d.part".formatted(ProcessHandle.current().pid())),
                page(
                                ReportRun.read(folder),
                                beside.stream().map(ReportRun::read).toList())
                        .getBytes(StandardCharsets.UTF_8));
    }

    /// A stage of a pipeline on its page.
    ///
    /// @param state such as "done"
    /// @param figures in words
    /// @param page of the stage alone, beside the index
    public record Row(String name, String kind, String state, String figures, Optional<String> page) {}

    /// Writes a page that leads to those of a pipeline's stages.
    ///
    /// @throws BadInput where it cannot be written
    public static void index(Path file, String title, List<Row> rows) {
        StringBuilder html = new StringBuilder();
        for (Row row : rows) {
            String name = ReportHtml.escape(row.name);
            html.append("<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td><td>%s</td></tr>%n"
                    .formatted(
                            row.page
                                    .map(page -> "<a href=\"%s\">%s</a>".formatted(ReportHtml.escape(page), name))
                                    .orElse(name),
                            ReportHtml.escape(row.kind),
                            ReportHtml.escape(row.state),
                            ReportHtml.escape(row.figures)));
        }
        Durable.write(file, ReportHtml.index(title, html.toString()).getBytes(StandardCharsets.UTF_8));
    }

    static String page(ReportRun run, List<ReportRun> beside) {
        ReportMetrics metrics = run.metrics();
        Map<String, Object> data = new LinkedHashMap<>(metrics.values());
        data.put("layers", layerNames(run.file(), metrics.layers()));
        data.put("evaluations", run.curves());
        data.put("beside", ReportBeside.curves(run, beside));

        String name = run.file().path("name").asString("");
        Map<String, String> parts = new LinkedHashMap<>();
        parts.put("title", ReportHtml.escape(name.isBlank() ? "a training run" : name));
        parts.put("state", ReportHtml.escape(state(run.file(), run.result(), metrics.last())));
        parts.put("figures", new ReportFigures(run).html());
        parts.put("notes", notes(metrics, run.leftOut()));
        parts.put("balance", ReportHtml.escape(balance(run)));
        parts.put("smoothed", Long.toString(metrics.smoothedOver()));
        parts.put("beside", ReportBeside.html(run, beside));
        parts.put("timeline", ReportTimeline.html(run.traces()));
        parts.put("loss", run.isTuned() ? "What the steps make small" : "Mean cross-entropy in nats per token");
        parts.put("samples", ReportSamples.html(run.samples()));
        parts.put("sources", run.isTuned() ? "Began with" : "The text");
        parts.put("settings", ReportHtml.settings(run.file().path("settings")));
        parts.put(
                "corpus",
                run.isTuned() ? sources(run.file()) : ReportHtml.list(run.file().path("corpus")));
        parts.put("data", ReportHtml.json(data));
        return ReportHtml.page(parts);
    }

    private static String sources(JsonNode file) {
        ArrayNode lines = Logs.JSON.createArrayNode();
        lines.add("model: " + file.path("model").asString(""));
        file.path("inputs")
                .properties()
                .forEach(entry ->
                        entry.getValue().forEach(input -> lines.add(entry.getKey() + ": " + input.asString(""))));
        return ReportHtml.list(lines);
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

    private static String state(JsonNode run, JsonNode result, JsonNode last) {
        long done = last.path("step").asLong(result.path("steps").asLong(0));
        long planned = run.path("settings").path("steps").asLong(0);
        String early = result.path("ended_early").asString("");
        if (!result.isEmpty()) {
            return "Finished after %,d steps.%s"
                    .formatted(result.path("steps").asLong(done), early.isEmpty() ? "" : " Early: " + early);
        }
        if (done == 0) {
            return "No step is recorded yet.";
        }
        return planned > 0
                ? "Not finished: %,d of %,d steps so far.".formatted(done, planned)
                : "Not finished: %,d steps so far.".formatted(done);
    }

    /// What levels the load, where the run's settings say it.
    private static String balance(ReportRun run) {
        if (run.setting("scoring_func").asString("").equals("softmax")) {
            return " A softmax router has no bias that levels the load.";
        }
        JsonNode gamma = run.setting("gamma");
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
                    "<p class=\"note\">A point stands for %,d steps: losses and learning rate are those of its last, tokens per second and what a method adds their mean, gradient norm and MaxVio their largest.</p>"
                            .formatted(metrics.width()));
        }
        if (leftOut > 0) {
            notes.append("<p class=\"note\">Lines of the run's records that are damaged and left out: %,d.</p>"
                    .formatted(leftOut));
        }
        return notes.toString();
    }
}
