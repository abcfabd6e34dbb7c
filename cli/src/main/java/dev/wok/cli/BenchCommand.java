package dev.wok.cli;

import dev.wok.bench.Bench;
import dev.wok.bench.Row;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok bench`: figures beside the limit that was measured in the same run.
@Command(
        name = "bench",
        description = "Measures Wok on this machine, each figure beside a limit measured in the same run.",
        sortOptions = false,
        footer = {"", "Example:", "  wok bench train --preset small --json"})
final class BenchCommand implements Callable<Integer> {
    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "NAME", description = "train: a training step.")
    String name = "";

    @Option(
            names = "--preset",
            paramLabel = "P",
            defaultValue = "small",
            description = "The model's shape: nano, mini or small (the default).")
    String preset = "small";

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: all processors).")
    @Nullable
    Integer threads;

    @Option(names = "--json", description = "Print an array of rows.")
    boolean json;

    BenchCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        List<Row> rows = Bench.run(name, preset, ComputeOptions.threads(threads), display);
        if (json) {
            console.out().println(Json.text(rows.stream().map(Row::values).toList()));
        } else {
            rows.forEach(row -> console.out()
                    .printf(
                            "%-32s %12s  %5.2f of %s (%s)%n",
                            row.name(),
                            Amounts.of(row.value(), row.unit()),
                            row.ratio(),
                            Amounts.of(row.againstValue(), row.unit()),
                            row.against()));
        }
        return 0;
    }
}
