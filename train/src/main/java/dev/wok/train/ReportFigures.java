package dev.wok.train;

import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;

/// The figures on top of the page: from result.json where the run is finished, else from its newest lines.
final class ReportFigures {
    private static final String NONE = "\u2013";

    private final JsonNode result;
    private final ReportMetrics metrics;
    private final List<JsonNode> evaluations;
    private final StringBuilder html = new StringBuilder();

    ReportFigures(JsonNode result, ReportMetrics metrics, List<JsonNode> evaluations) {
        this.result = result;
        this.metrics = metrics;
        this.evaluations = evaluations;
    }

    String html() {
        JsonNode newest = evaluations.isEmpty() ? Logs.JSON.createObjectNode() : evaluations.getLast();
        heldOut(number("held_out_bits_per_byte", newest), number("gzip_bits_per_byte", newest));
        double loss = number("loss", metrics.last());
        figure("loss", decimals(metrics.smoothedLoss(), 3), "smoothed; last step " + decimals(loss, 3));
        double tokens = number("tokens", metrics.last());
        figure("tokens", amount(tokens), "in " + whole(number("steps", "step")) + " steps");
        double seconds = number("seconds", metrics.last());
        figure("tokens per second", amount(seconds > 0 ? tokens / seconds : Double.NaN), "over " + duration(seconds));
        figure(
                "parameters",
                amount(ReportFiles.number(result, "parameters")),
                amount(ReportFiles.number(result, "active_parameters")) + " active per token");
        figure(
                "MaxVio, last step",
                decimals(number("max_violation", metrics.last()), 3),
                "fullest expert over its layer's mean, less 1");
        return html.toString();
    }

    private void heldOut(double bits, double gzip) {
        figure("held-out bits per byte", decimals(bits, 3), comparison(bits, gzip));
        figure("gzip -9, same text", decimals(gzip, 3), "bits per byte");
    }

    private static String comparison(double bits, double gzip) {
        if (Double.isNaN(bits) || Double.isNaN(gzip) || gzip <= 0) {
            return "text it never trained on";
        }
        double percent = 100 * (bits / gzip - 1);
        return percent < 0
                ? String.format(Locale.ROOT, "%.1f%% below gzip -9", -percent)
                : String.format(Locale.ROOT, "%.1f%% above gzip -9", percent);
    }

    private double number(String key, JsonNode otherwise) {
        double finished = ReportFiles.number(result, key);
        return Double.isNaN(finished) ? ReportFiles.number(otherwise, key) : finished;
    }

    private double number(String resultKey, String lineKey) {
        double finished = ReportFiles.number(result, resultKey);
        return Double.isNaN(finished) ? ReportFiles.number(metrics.last(), lineKey) : finished;
    }

    private void figure(String label, String value, String note) {
        if (value.equals(NONE)) {
            return;
        }
        html.append("<div class=\"figure\"><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n"
                .formatted(ReportHtml.escape(label), ReportHtml.escape(value), ReportHtml.escape(note)));
    }

    private static String decimals(double value, int digits) {
        return Double.isNaN(value) ? NONE : String.format(Locale.ROOT, "%." + digits + "f", value);
    }

    private static String whole(double value) {
        return Double.isNaN(value) ? NONE : String.format(Locale.ROOT, "%,.0f", value);
    }

    /// @return three digits with a unit, or all of them under ten thousand
    static String amount(double value) {
        if (Double.isNaN(value)) {
            return NONE;
        }
        if (value < 10_000) {
            return whole(value);
        }
        String[] units = {" k", " M", " G", " T"};
        double scaled = value / 1000;
        int unit = 0;
        while (scaled >= 999.5 && unit < units.length - 1) {
            scaled /= 1000;
            unit++;
        }
        int digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
        return String.format(Locale.ROOT, "%." + digits + "f", scaled) + units[unit];
    }

    private static String duration(double seconds) {
        if (Double.isNaN(seconds)) {
            return NONE;
        }
        if (seconds < 60) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long minutes = Math.round(seconds / 60);
        return minutes < 60
                ? String.format(Locale.ROOT, "%d min", minutes)
                : String.format(Locale.ROOT, "%d h %02d min", minutes / 60, minutes % 60);
    }
}
