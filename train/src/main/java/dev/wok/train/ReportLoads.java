package dev.wok.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// How the experts were loaded over the steps, thinned to the columns of a heat map: each the mean over several steps.
final class ReportLoads {
    static final int COLUMNS = 400;
    private static final int CELLS = 1_500_000;

    private final long lines;
    private final List<Column> columns = new ArrayList<>();
    private int layers;
    private int experts;
    private long width;
    private long accepted;

    /// @param lines how many steps there are at most
    ReportLoads(long lines) {
        this.lines = lines;
    }

    private static final class Column {
        final double[] sums;
        final long first;
        long last;
        int count;

        Column(int cells, long first) {
            sums = new double[cells];
            this.first = first;
        }
    }

    /// @param load an expert's tokens over the layer's mean, [layers][experts]; other shapes than the first are left
    /// out
    void add(long step, JsonNode load) {
        if (width == 0 && !takeShape(load)) {
            return;
        }
        double[] values = values(load);
        if (values == null) {
            return;
        }
        if (accepted++ % width == 0) {
            columns.add(new Column(layers * experts, step));
        }
        Column column = columns.getLast();
        column.last = step;
        column.count++;
        for (int i = 0; i < values.length; i++) {
            column.sums[i] += values[i];
        }
    }

    private boolean takeShape(JsonNode load) {
        layers = load.size();
        experts = load.path(0).size();
        if (layers == 0 || experts == 0 || (long) layers * experts > CELLS / 2) {
            return false;
        }
        long most = Math.clamp(CELLS / (layers * experts), 2, COLUMNS);
        width = Math.ceilDiv(lines, most);
        return true;
    }

    private double @Nullable [] values(JsonNode load) {
        if (load.size() != layers) {
            return null;
        }
        double[] values = new double[layers * experts];
        for (int layer = 0; layer < layers; layer++) {
            JsonNode row = load.path(layer);
            if (row.size() != experts) {
                return null;
            }
            for (int expert = 0; expert < experts; expert++) {
                values[layer * experts + expert] = ReportFiles.number(row.path(expert));
            }
        }
        return Arrays.stream(values).anyMatch(Double::isNaN) ? null : values;
    }

    int layers() {
        return columns.isEmpty() ? 0 : layers;
    }

    /// @return for the page: `experts`, `first` and `last` step of each column, and `cells`, hundredths of the mean,
    ///     [layer][column * experts + expert]
    Map<String, Object> values() {
        List<long[]> cells = new ArrayList<>();
        for (int layer = 0; layer < layers(); layer++) {
            long[] strip = new long[columns.size() * experts];
            for (int i = 0; i < strip.length; i++) {
                Column column = columns.get(i / experts);
                strip[i] = Math.round(100 * column.sums[layer * experts + i % experts] / column.count);
            }
            cells.add(strip);
        }
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("experts", experts);
        values.put("first", columns.stream().map(column -> column.first).toList());
        values.put("last", columns.stream().map(column -> column.last).toList());
        values.put("cells", cells);
        return values;
    }
}
