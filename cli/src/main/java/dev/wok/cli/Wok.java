package dev.wok.cli;

import java.lang.module.ModuleDescriptor;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// The command without a subcommand: it prints the help, and holds the options that all subcommands share.
@Command(
        name = "wok",
        description = "Trains DeepSeek-style mixture-of-experts language models and runs them.",
        sortOptions = false,
        synopsisSubcommandLabel = "COMMAND",
        optionListHeading = "%nOptions:%n",
        commandListHeading = "%nCommands:%n",
        versionProvider = Wok.Version.class,
        footer = {"", "Example:", "  wok train"})
final class Wok implements Callable<Integer> {
    @Spec
    @Nullable
    CommandSpec spec;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Print this help.")
    boolean help;

    @Option(names = "--version", versionHelp = true, description = "Print the version.")
    boolean version;

    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "On a failure print the whole of what Java says, rather than write it to a file.")
    boolean stacktrace;

    @Override
    public Integer call() {
        CommandLine line = Objects.requireNonNull(spec).commandLine();
        line.usage(line.getOut());
        return 0;
    }

    /// The version that the build wrote into this module.
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"wok " + text()};
        }

        static String text() {
            ModuleDescriptor module = Wok.class.getModule().getDescriptor();
            return module == null ? "unknown" : module.rawVersion().orElse("unknown");
        }
    }
}
