package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/// What a report shows, read from a run's folder and thinned to what a page can draw.
///
/// @param run run.json
/// @param result result.json, a missing node where the run is not finished
/// @param metrics lines of metrics.jsonl
/// @param evaluations lines of evaluations.jsonl
/// @param samples lines of samples.jsonl
record ReportData(
        JsonNode run, JsonNode result, List<JsonNode> metrics, List<JsonNode> evaluations, List<JsonNode> samples) {
    private static final int MOST_POINTS = 2000;
    private static final int MOST_COLUMNS = 400;
    private static final List<String> CURVES =
            List.of("step", "loss", "learning_rate", "grad_norm", "tokens_per_second", "max_violation");

    static ReportData of(Path folder) {
        return new ReportData(
                json(folder.resolve("run.json")),
                json(folder.resolve("result.json")),
                lines(folder.resolve("metrics.jsonl")),
                lines(folder.resolve("evaluations.jsonl")),
                lines(folder.resolve("samples.jsonl")));
    }

    private static JsonNode json(Path file) {
        try {
            return Files.exists(file) ? Logs.JSON.readTree(Files.readAllBytes(file)) : MissingNode.getInstance();
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            return MissingNode.getInstance();
        }
    }

    /// The whole lines of a file: one that a kill cut off is left out.
    private static List<JsonNode> lines(Path file) {
        List<JsonNode> lines = new ArrayList<>();
        if (!Files.exists(file)) {
            return lines;
        }
        try {
            for (String line : Files.readAllLines(file)) {
                lines.add(Logs.JSON.readTree(line));
            }
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            return lines;
        }
        return lines;
    }

    JsonNode last() {
        return metrics.isEmpty() ? MissingNode.getInstance() : metrics.getLast();
    }

    JsonNode lastEvaluation() {
        return evaluations.isEmpty() ? MissingNode.getInstance() : evaluations.getLast();
    }

    /// @return a name for each list of experts, in the order of the metrics
    List<String> layers() {
        int count = last().path("load").size();
        int ahead = run.path("settings").path("num_nextn_predict_layers").asInt(0);
        int dense = run.path("settings").path("first_k_dense_replace").asInt(0);
        List<String> names = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            names.add(i < count - ahead ? "layer " + (i + dense) : "prediction ahead");
        }
        return names;
    }

    /// @return the series that the page's script draws
    SequencedMap<String, Object> series() {
        SequencedMap<String, Object> all = new LinkedHashMap<>();
        List<JsonNode> thinned = thinned(metrics, MOST_POINTS);
        Map<String, Object> curves = new LinkedHashMap<>();
        CURVES.forEach(key -> curves.put(key, column(thinned, key)));
        all.put("metrics", curves);
        Map<String, Object> measured = new LinkedHashMap<>();
        for (String key : List.of("step", "held_out_bits_per_byte", "gzip_bits_per_byte")) {
            measured.put(key, column(evaluations, key));
        }
        all.put("evaluations", measured);
        all.put("layers", layers());
        List<Object> violations = new ArrayList<>();
        for (int i = 0; i < layers().size(); i++) {
            int layer = i;
            violations.add(thinned.stream()
                    .map(line -> number(line.path("max_violation_per_layer").path(layer)))
                    .toList());
        }
        all.put("violations", violations);
        all.put("heat", heat());
        return all;
    }

    private static List<JsonNode> thinned(List<JsonNode> lines, int most) {
        int step = Math.max(1, (lines.size() + most - 1) / most);
        List<JsonNode> kept = new ArrayList<>();
        for (int i = (lines.size() - 1) % step; i < lines.size() && i >= 0; i += step) {
            kept.add(lines.get(i));
        }
        return kept;
    }

    private static List<@Nullable Double> column(List<JsonNode> lines, String key) {
        List<@Nullable Double> values = new ArrayList<>();
        lines.forEach(line -> values.add(number(line.path(key))));
        return values;
    }

    private static @Nullable Double number(JsonNode node) {
        return node.isNumber() && Double.isFinite(node.asDouble()) ? (Double) node.asDouble() : null;
    }

    /// Loads over time: each column the mean over some neighbouring steps.
    private SequencedMap<String, Object> heat() {
        int width = Math.max(1, (metrics.size() + MOST_COLUMNS - 1) / MOST_COLUMNS);
        List<Object> steps = new ArrayList<>();
        for (int from = 0; from < metrics.size(); from += width) {
            steps.add(metrics.get(from).path("step").asLong(0));
        }
        List<Object> layers = new ArrayList<>();
        for (int layer = 0; layer < layers().size(); layer++) {
            List<Object> experts = new ArrayList<>();
            for (int e = 0; e < last().path("load").path(layer).size(); e++) {
                List<Double> row = new ArrayList<>();
                for (int from = 0; from < metrics.size(); from += width) {
                    row.add(mean(layer, e, from, Math.min(metrics.size(), from + width)));
                }
                experts.add(row);
            }
            layers.add(experts);
        }
        SequencedMap<String, Object> heat = new LinkedHashMap<>();
        heat.put("steps", steps);
        heat.put("layers", layers);
        return heat;
    }

    private double mean(int layer, int expert, int from, int to) {
        double sum = 0;
        for (JsonNode line : metrics.subList(from, to)) {
            sum += line.path("load").path(layer).path(expert).asDouble(0);
        }
        return Math.rint(1000 * sum / (to - from)) / 1000;
    }
}
