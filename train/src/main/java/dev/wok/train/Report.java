package dev.wok.train;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/// The run as one page that opens offline: report.html, made from the files of the run's folder. Curves are drawn by
/// uPlot, which lies in the page.
final class Report {
    private static final String PLOT = "/META-INF/resources/webjars/uplot/1.6.30/dist/";
    private static final Pattern SLOT = Pattern.compile("\\$\\{(\\w+)}");

    private Report() {}

    /// Writes the page of a run in any state: what is not there yet is left out.
    static void write(Path folder) {
        ReportData data = ReportData.of(folder);
        Map<String, String> parts = new LinkedHashMap<>();
        parts.put("title", escaped("Wok run: " + data.run().path("name").asString("unnamed")));
        parts.put("plotCss", resource(PLOT + "uPlot.min.css"));
        parts.put("css", resource("report/report.css"));
        parts.put("corpus", corpus(data.run()));
        parts.put("figures", figures(data));
        parts.put("gamma", escaped(gamma(data.run())));
        parts.put("heat", heat(data));
        parts.put("samples", samples(data.samples()));
        parts.put("settings", settings(data.run()));
        parts.put("data", Logs.JSON.writeValueAsString(data.series()).replace("<", "\\u003c"));
        parts.put("plotJs", resource(PLOT + "uPlot.iife.min.js"));
        parts.put("js", resource("report/report.js"));
        String page = SLOT.matcher(resource("report/report.html"))
                .replaceAll(slot -> Matcher.quoteReplacement(parts.getOrDefault(slot.group(1), "")));
        Durable.write(folder.resolve("report.html"), page.getBytes(StandardCharsets.UTF_8));
    }

    private static String resource(String name) {
        try (InputStream stream = Report.class.getResourceAsStream(name)) {
            if (stream == null) {
                throw new IllegalStateException("%s is missing from the module".formatted(name));
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    private static String corpus(JsonNode run) {
        StringBuilder html = new StringBuilder();
        run.path("corpus")
                .forEach(line -> html.append("<p class=\"note\">")
                        .append(escaped(line.asString("")))
                        .append("</p>"));
        return html.toString();
    }

    private static String figures(ReportData data) {
        StringBuilder html = new StringBuilder();
        JsonNode last = data.last();
        JsonNode result = data.result();
        figure(html, data.lastEvaluation().path("held_out_bits_per_byte"), "%.3f", "bits per byte, held-out text");
        figure(html, data.lastEvaluation().path("gzip_bits_per_byte"), "%.3f", "bits per byte, gzip -9 on the same");
        figure(html, last.path("loss"), "%.3f", "loss of the last step, nats");
        figure(html, last.path("step"), "%,.0f", "steps");
        figure(html, last.path("tokens"), "%,.0f", "tokens");
        figure(html, result.path("tokens_per_second"), "%,.0f", "tokens per second");
        figure(html, result.path("parameters"), "%,.0f", "parameters");
        figure(html, result.path("active_parameters"), "%,.0f", "of them used for a token");
        figure(html, last.path("max_violation"), "%.2f", "MaxVio of the last step");
        return html.toString();
    }

    private static void figure(StringBuilder html, JsonNode value, String format, String what) {
        if (value.isNumber()) {
            html.append("<div class=\"figure\"><b>")
                    .append(String.format(Locale.ROOT, format, value.asDouble()))
                    .append("</b><span>")
                    .append(escaped(what))
                    .append("</span></div>");
        }
    }

    private static String gamma(JsonNode run) {
        double gamma = run.path("settings").path("gamma").asDouble(0);
        return gamma == 0
                ? "gamma is 0, so nothing levels the load"
                : "each expert's bias moves by gamma = %s against its load".formatted(gamma);
    }

    private static String heat(ReportData data) {
        StringBuilder html = new StringBuilder();
        for (int i = 0; i < data.layers().size(); i++) {
            html.append("<div class=\"heat\" id=\"heat-%d\"><small>%s</small><canvas></canvas></div>"
                    .formatted(i, escaped(data.layers().get(i))));
        }
        return html.toString();
    }

    private static String samples(List<JsonNode> samples) {
        StringBuilder html = new StringBuilder();
        for (JsonNode sample : samples.reversed()) {
            html.append("<p class=\"note\">after step %,d</p><pre>%s</pre>"
                    .formatted(
                            sample.path("step").asLong(0),
                            escaped(sample.path("text").asString(""))));
        }
        return html.isEmpty() ? "<p class=\"note\">none yet</p>" : html.toString();
    }

    private static String settings(JsonNode run) {
        StringBuilder html = new StringBuilder();
        for (Map.Entry<String, JsonNode> entry : run.path("settings").properties()) {
            JsonNode value = entry.getValue();
            html.append("<tr><td>%s</td><td>%s</td></tr>"
                    .formatted(
                            escaped(entry.getKey()), escaped(value.isString() ? value.asString() : value.toString())));
        }
        return html.toString();
    }
}
