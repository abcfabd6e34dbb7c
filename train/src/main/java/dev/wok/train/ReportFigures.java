package dev.wok.train;

import java.util.Locale;

/// The figures on top of the page: from result.json where the run is finished, else from its newest lines.
final class ReportFigures {
    private static final String NONE = "\u2013";

    private final ReportRun run;
    private final StringBuilder html = new StringBuilder();

    ReportFigures(ReportRun run) {
        this.run = run;
    }

    String html() {
        heldOut(run.figure("held_out_bits_per_byte"), run.figure("gzip_bits_per_byte"));
        figure("held-out pass@1", percent(run.heldOut("pass_at_1")), interval());
        figure("reward", decimals(run.figure("reward"), 3), "mean over the last step's answers");
        figure("tokens per answer", decimals(run.figure("length"), 1), "last step");
        figure("KL", decimals(run.figure("kl"), 4), "nats per token from the reference");
        figure("entropy", decimals(run.figure("entropy"), 3), "nats per token");
        figure(
                "loss",
                decimals(run.metrics().smoothedLoss(), 3),
                "smoothed; last step " + decimals(run.figure("loss"), 3));
        figure("tokens", amount(run.figure("tokens")), "in " + whole(run.steps()) + " steps");
        figure("tokens per second", amount(run.speed()), "over " + duration(run.figure("seconds")));
        ranks(ReportFiles.number(run.file(), "ranks"), ReportFiles.number(run.file(), "machines"));
        figure(
                "parameters",
                amount(ReportFiles.number(run.result(), "parameters")),
                amount(ReportFiles.number(run.result(), "active_parameters")) + " active per token");
        figure(
                "MaxVio, last step",
                decimals(run.figure("max_violation"), 3),
                "fullest expert over its layer's mean, less 1");
        return html.toString();
    }

    private void ranks(double ranks, double machines) {
        if (ranks > 1) {
            figure("ranks", whole(ranks), machines > 1 ? "on " + whole(machines) + " machines" : "on one machine");
        }
    }

    private void heldOut(double bits, double gzip) {
        figure("held-out bits per byte", decimals(bits, 3), comparison(bits, gzip));
        figure("gzip -9, same text", decimals(gzip, 3), "bits per byte");
    }

    private String interval() {
        return "95 %% between %s and %s"
                .formatted(percent(run.heldOut("pass_at_1_low")), percent(run.heldOut("pass_at_1_high")));
    }

    static String percent(double share) {
        return Double.isNaN(share) ? NONE : String.format(Locale.ROOT, "%.1f %%", 100 * share);
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

    private void figure(String label, String value, String note) {
        if (value.equals(NONE)) {
            return;
        }
        html.append("<div class=\"figure\"><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n"
                .formatted(ReportHtml.escape(label), ReportHtml.escape(value), ReportHtml.escape(note)));
    }

    static String decimals(double value, int digits) {
        return Double.isNaN(value) ? NONE : String.format(Locale.ROOT, "%." + digits + "f", value);
    }

    static String whole(double value) {
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
