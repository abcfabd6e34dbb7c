package dev.wok.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/// metrics.jsonl thinned for charts. A point shows the step at its end; the losses and the learning rate are that
/// step's, the speed is the mean over the point's steps, gradient norm and violations are the largest of them.
final class ReportMetrics {
    static final int POINTS = 2000;
    private static final int MOST_SMOOTHED = 500;

    private final List<Long> steps = new ArrayList<>();
    private final ReportSeries loss = new ReportSeries(ReportSeries.Keep.LAST);
    private final ReportSeries smooth = new ReportSeries(ReportSeries.Keep.LAST);
    private final ReportSeries mtpLoss = new ReportSeries(ReportSeries.Keep.LAST);
    private final ReportSeries learningRate = new ReportSeries(ReportSeries.Keep.LAST);
    private final ReportSeries gradNorm = new ReportSeries(ReportSeries.Keep.LARGEST);
    private final ReportSeries speed = new ReportSeries(ReportSeries.Keep.MEAN);
    private final ReportSeries violation = new ReportSeries(ReportSeries.Keep.LARGEST);
    private final List<ReportSeries> layerViolations = new ArrayList<>();
    private final ReportCurves curves = new ReportCurves();
    private final ReportLoads loads;
    private final long width;
    private final long smoothedOver;
    private final long leftOut;
    private final long lateFrom;
    private double lateSum;
    private long lateCount;
    private long accepted;
    private double average = Double.NaN;
    private JsonNode last = Logs.JSON.createObjectNode();

    private ReportMetrics(Path file) {
        long lines = ReportFiles.count(file);
        width = Math.max(1, Math.ceilDiv(lines, POINTS));
        smoothedOver = Math.clamp(lines / 30, 2, MOST_SMOOTHED);
        lateFrom = lines - lines / 10;
        loads = new ReportLoads(lines);
        leftOut = ReportFiles.lines(file, this::add);
    }

    static ReportMetrics read(Path file) {
        return new ReportMetrics(file);
    }

    private void add(JsonNode line) {
        int point = (int) (accepted++ / width);
        last = line;
        long step = line.path("step").longValue();
        if (steps.size() == point) {
            steps.add(step);
        } else {
            steps.set(point, step);
        }
        double now = ReportFiles.number(line, "loss");
        loss.add(point, now);
        smooth.add(point, smoothed(now));
        mtpLoss.add(point, ReportFiles.number(line, "mtp_loss"));
        curves.add(point, line);
        learningRate.add(point, ReportFiles.number(line, "learning_rate"));
        gradNorm.add(point, ReportFiles.number(line, "grad_norm"));
        speed.add(point, ReportFiles.number(line, "tokens_per_second"));
        double worst = ReportFiles.number(line, "max_violation");
        violation.add(point, worst);
        if (accepted >= lateFrom && !Double.isNaN(worst)) {
            lateSum += worst;
            lateCount++;
        }
        JsonNode layers = line.path("max_violation_per_layer");
        if (accepted == 1) {
            layers.forEach(_ -> layerViolations.add(new ReportSeries(ReportSeries.Keep.LARGEST)));
        }
        for (int i = 0; i < layerViolations.size(); i++) {
            layerViolations.get(i).add(point, ReportFiles.number(layers.path(i)));
        }
        loads.add(step, line.path("load"));
    }

    /// The exponential moving average over a span that grows with the run, so that it follows the steep start.
    private double smoothed(double value) {
        if (!Double.isNaN(value)) {
            double span = Math.min((double) smoothedOver, 1 + (double) accepted / 10);
            average = Double.isNaN(average) ? value : average + (value - average) / span;
        }
        return average;
    }

    /// @return the newest line; an empty object where there is none
    JsonNode last() {
        return last;
    }

    /// @return how many steps a point stands for
    long width() {
        return width;
    }

    /// @return over how many steps the loss is smoothed
    long smoothedOver() {
        return smoothedOver;
    }

    /// @return how many lines were not read
    long leftOut() {
        return leftOut;
    }

    /// @return the smoothed loss after the newest line, NaN where there is none
    double smoothedLoss() {
        return average;
    }

    /// @return MaxVio, the mean over the last tenth of the steps; NaN where there is none
    double lateViolation() {
        return lateCount == 0 ? Double.NaN : lateSum / lateCount;
    }

    int layers() {
        return Math.max(layerViolations.size(), loads.layers());
    }

    /// @return what charts of another run show of this one
    Map<String, Object> comparedValues() {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("steps", steps);
        values.put("smooth", smooth.values());
        values.put("violation", violation.values());
        return values;
    }

    /// @return for the page's charts
    Map<String, Object> values() {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("steps", steps);
        values.put("loss", loss.values());
        values.put("smooth", smooth.values());
        if (mtpLoss.hasContent()) {
            values.put("mtp_loss", mtpLoss.values());
        }
        values.put("learning_rate", learningRate.values());
        values.put("grad_norm", gradNorm.values());
        values.put("speed", speed.values());
        values.put("violation", violation.values());
        values.put(
                "layer_violations",
                layerViolations.stream().map(ReportSeries::values).toList());
        values.put("curves", curves.values());
        values.put("loads", loads.values());
        return values;
    }
}
