package dev.wok.fabric;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// Loads of a trained model (see `loads/README.md`), split into steps that a plan may know and those that follow.
///
/// @param known `[16]`: average of the first 30 steps
/// @param later `[16]`: sum of the last 10
record TrainedLoads(double[] known, double[] later) {
    /// @param run `balanced` or `unbalanced`
    static TrainedLoads read(String run, int layer) {
        List<double[]> steps = steps(run, layer);
        MeasuredLoads loads = MeasuredLoads.none(16);
        for (double[] step : steps.subList(0, 30)) {
            loads = loads.with(step, 10);
        }
        double[] later = new double[16];
        for (double[] step : steps.subList(30, 40)) {
            Arrays.setAll(later, expert -> later[expert] + step[expert]);
        }
        return new TrainedLoads(loads.average(), later);
    }

    private static List<double[]> steps(String run, int layer) {
        try (InputStream in = TrainedLoads.class.getResourceAsStream("loads/" + run + ".txt")) {
            return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> line.split(" "))
                    .filter(parts -> Integer.parseInt(parts[1]) == layer)
                    .map(parts -> Arrays.stream(parts[2].split(","))
                            .mapToDouble(Double::parseDouble)
                            .toArray())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
