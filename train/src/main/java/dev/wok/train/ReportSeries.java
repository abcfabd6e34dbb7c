package dev.wok.train;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A quantity over the steps, thinned to points that each stand for several.
final class ReportSeries {
    /// Which of its steps' values a point shows.
    enum Keep {
        LAST,
        LARGEST,
        MEAN
    }

    private static final MathContext DIGITS = new MathContext(6);

    private final Keep keep;
    private final List<Double> sums = new ArrayList<>();
    private final List<Integer> counts = new ArrayList<>();

    ReportSeries(Keep keep) {
        this.keep = keep;
    }

    /// @param point which point the value belongs to, never before the last one
    /// @param value NaN for none
    void add(int point, double value) {
        while (sums.size() <= point) {
            sums.add(Double.NaN);
            counts.add(0);
        }
        if (Double.isNaN(value)) {
            return;
        }
        double before = sums.get(point);
        boolean first = counts.get(point) == 0;
        counts.set(point, counts.get(point) + 1);
        sums.set(
                point,
                first
                        ? value
                        : switch (keep) {
                            case LAST -> value;
                            case LARGEST -> Math.max(before, value);
                            case MEAN -> before + value;
                        });
    }

    /// @return six digits of every point; null where it has no value
    List<@Nullable Double> values() {
        List<@Nullable Double> values = new ArrayList<>();
        for (int i = 0; i < sums.size(); i++) {
            int count = counts.get(i);
            values.add(count == 0 ? null : rounded(sums.get(i) / (keep == Keep.MEAN ? count : 1)));
        }
        return values;
    }

    private static double rounded(double value) {
        return new BigDecimal(value).round(DIGITS).doubleValue();
    }

    /// @return whether any point is something else than zero
    boolean hasContent() {
        return sums.stream().anyMatch(sum -> !Double.isNaN(sum) && sum != 0);
    }
}
