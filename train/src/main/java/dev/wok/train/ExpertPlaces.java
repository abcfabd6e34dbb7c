package dev.wok.train;

import dev.wok.fabric.MeasuredLoads;
import dev.wok.fabric.Placement;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Where the experts of a run lie on its ranks, where they are about to go, and the loads by which
/// that was decided. A checkpoint keeps it, so that a run goes on with as many ranks as if it had not
/// stopped; it says nothing of the model.
///
/// @param placements by layer, as [dev.wok.model.Model#placements]
/// @param next in this order
/// @param loads by layer
record ExpertPlaces(List<Placement> placements, List<Next> next, List<MeasuredLoads> loads) {
    private static final String FILE = "experts.json";
    private static final int VERSION = 1;

    /// Where a layer's experts are to lie.
    ///
    /// @param layer its place in the list of placements
    record Next(int layer, Placement placement) {}

    ExpertPlaces {
        for (Next n : next) {
            if (n.layer < 0 || n.layer >= placements.size() || !n.placement.isAlike(placements.get(n.layer))) {
                throw new IllegalArgumentException(
                        "experts of layer %d of %d go to %s, expected the slots that there are"
                                .formatted(n.layer, placements.size(), Arrays.deepToString(n.placement.slots())));
            }
        }
    }

    /// @param folder of a checkpoint that is being made
    void write(Path folder) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("version", VERSION);
        values.put("placements", placements.stream().map(ExpertPlaces::json).toList());
        values.put(
                "next",
                next.stream()
                        .map(n -> Map.of("layer", n.layer, "placement", json(n.placement)))
                        .toList());
        values.put(
                "loads",
                loads.stream()
                        .map(load -> Map.of("sum", load.sum(), "weight", load.weight()))
                        .toList());
        Durable.write(folder.resolve(FILE), Seal.json(values));
    }

    private static Map<String, Object> json(Placement placement) {
        return Map.of("experts", placement.experts(), "slots", placement.slots());
    }

    /// @param folder of a checkpoint
    /// @return nothing where one rank made it
    /// @throws BadInput where it is damaged
    static Optional<ExpertPlaces> read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            JsonNode root = Seal.read(file);
            if (root.required("version").asInt(0) != VERSION) {
                throw new BadInput("%s is of version %s, expected %d; resume with the Wok that wrote it."
                        .formatted(file, root.path("version"), VERSION));
            }
            List<Placement> placements = new ArrayList<>();
            root.required("placements").forEach(node -> placements.add(placement(node)));
            List<Next> next = new ArrayList<>();
            root.required("next")
                    .forEach(node ->
                            next.add(new Next(node.required("layer").asInt(), placement(node.required("placement")))));
            List<MeasuredLoads> loads = new ArrayList<>();
            root.required("loads").forEach(node -> loads.add(loads(node)));
            return Optional.of(new ExpertPlaces(placements, next, loads));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException | IllegalArgumentException e) {
            throw new BadInput("%s does not say where experts lie: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static Placement placement(JsonNode node) {
        int[][] slots = node.required("slots")
                .valueStream()
                .map(rank -> rank.valueStream().mapToInt(JsonNode::asInt).toArray())
                .toArray(int[][]::new);
        return new Placement(node.required("experts").asInt(), slots);
    }

    private static MeasuredLoads loads(JsonNode node) {
        double[] sum = node.required("sum")
                .valueStream()
                .mapToDouble(JsonNode::asDouble)
                .toArray();
        return new MeasuredLoads(sum, node.required("weight").asDouble());
    }
}
