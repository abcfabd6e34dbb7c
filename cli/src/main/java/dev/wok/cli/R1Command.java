package dev.wok.cli;

import dev.wok.tune.Pipeline;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok r1`: stages of training one after another.
@Command(
        name = "r1",
        description = {
            "Runs a pipeline of stages that a YAML file describes: text, train, sft, dpo, grpo, sample, distill, eval.",
            "Stages that are done are not done again; the same command goes on after Ctrl-C or a crash."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok r1 pipeline.yaml --out runs/r1"})
final class R1Command implements Callable<Integer> {
    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "FILE", description = "The pipeline.")
    @Nullable
    Path file;

    @Option(names = "--out", paramLabel = "DIR", description = "The folder of the stages (default: the file's out).")
    @Nullable
    Path out;

    @Option(names = "--dry-run", description = "Print the stages, what is done, and the memory they take.")
    boolean dryRun;

    R1Command(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        Path given = Given.required(file);
        Pipeline pipeline = Pipeline.open(given, out, display);
        if (dryRun) {
            pipeline.plan().forEach(console.out()::println);
            return 0;
        }
        String again = "wok r1 %s --out %s".formatted(Given.quoted(given), Given.quoted(pipeline.out()));
        return Stopping.during(pipeline::requestStop, display, again, () -> {
            int code = say(pipeline, again, pipeline.run());
            // On Ctrl-C the process ends as soon as the hook is let go.
            console.out().flush();
            return code;
        });
    }

    private int say(Pipeline pipeline, String again, Pipeline.Outcome outcome) {
        return switch (outcome.end()) {
            case FINISHED -> {
                console.out().printf("all stages are done: %s%n", pipeline.out().resolve("index.html"));
                yield 0;
            }
            case STOPPED -> {
                display.say("stopped in stage %s; go on with: %s".formatted(outcome.stage(), again));
                yield 130;
            }
            case GIVEN_UP -> {
                display.say("stage %s was given up.".formatted(outcome.stage()));
                yield 1;
            }
        };
    }
}
