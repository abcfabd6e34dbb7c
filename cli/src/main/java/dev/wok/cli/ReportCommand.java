package dev.wok.cli;

import dev.wok.train.Report;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok report`: a run's page anew, with other runs beside it.
@Command(
        name = "report",
        description = {
            "Writes the report of a run anew: of one that still trains, or with other runs beside it.",
            "Their losses, held-out bits per byte and expert loads are drawn over the run's own."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok report runs/nano --beside runs/nano-2"})
final class ReportCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(paramLabel = "RUN", description = "A folder that wok train made.")
    @Nullable
    Path run;

    @Option(names = "--beside", paramLabel = "RUN", description = "Another run; may be given again.")
    List<Path> beside = List.of();

    ReportCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Path folder = Given.required(run);
        Report.write(folder, beside);
        console.out().printf("report: %s%n", folder.resolve("report.html"));
        return 0;
    }
}
