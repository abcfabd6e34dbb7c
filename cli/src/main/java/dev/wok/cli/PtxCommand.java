package dev.wok.cli;

import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `wok ptx`: kernels in PTX without a GPU. It prints the help; its commands do the work.
@Command(
        name = "ptx",
        description = "Checks and runs GPU kernels in PTX on the processor, without a GPU.",
        sortOptions = false,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        footer = {"", "Example:", "  wok ptx check saxpy.ptx"})
final class PtxCommand implements Callable<Integer> {
    @Spec
    @Nullable
    CommandSpec spec;

    /// @return the command with those below it
    static CommandLine line(Console console, Display display) {
        return new CommandLine(new PtxCommand())
                .addSubcommand(new PtxCheckCommand(console, display))
                .addSubcommand(new PtxRunCommand(console, display));
    }

    @Override
    public Integer call() {
        CommandLine line = Objects.requireNonNull(spec).commandLine();
        line.usage(line.getOut());
        return 0;
    }
}
