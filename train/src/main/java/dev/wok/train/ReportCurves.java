package dev.wok.train;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Whatever numbers a method records beside those that the page knows, in groups that share a chart:
/// what stands before a slash, or before the names' common beginning.
final class ReportCurves {
    /// Known to the page, or of no use as a curve.
    private static final Set<String> OTHERS = Set.of(
            "step",
            "tokens",
            "loss",
            "mtp_loss",
            "balance_loss",
            "learning_rate",
            "grad_norm",
            "tokens_per_second",
            "max_violation",
            "seconds",
            "held_out_bits_per_byte",
            "gzip_bits_per_byte",
            "epoch",
            "examples",
            "problems",
            "samples",
            "targets");

    private static final Map<String, String> GROUPS = Map.of(
            "longest", "length",
            "clipped_low", "clipped",
            "clipped_high", "clipped",
            "pass_at_1_low", "pass_at_1",
            "pass_at_1_high", "pass_at_1",
            "drawing_seconds", "step_seconds",
            "learning_seconds", "step_seconds");

    private final SequencedMap<String, ReportSeries> series = new LinkedHashMap<>();

    /// @param point which point the line belongs to, never before the last one
    void add(int point, JsonNode line) {
        for (Map.Entry<String, JsonNode> entry : line.properties()) {
            String key = entry.getKey();
            if (entry.getValue().isNumber() && !OTHERS.contains(key)) {
                series.computeIfAbsent(key, _ -> new ReportSeries(ReportSeries.Keep.MEAN))
                        .add(point, ReportFiles.number(entry.getValue()));
            }
        }
    }

    /// @return for the page's charts: by group the curves by name
    SequencedMap<String, SequencedMap<String, List<@Nullable Double>>> values() {
        SequencedMap<String, SequencedMap<String, List<@Nullable Double>>> groups = new LinkedHashMap<>();
        series.forEach((key, curve) ->
                groups.computeIfAbsent(group(key), _ -> new LinkedHashMap<>()).put(key, curve.values()));
        return groups;
    }

    private static String group(String key) {
        int slash = key.indexOf('/');
        return slash < 0 ? GROUPS.getOrDefault(key, key) : key.substring(0, slash);
    }
}
