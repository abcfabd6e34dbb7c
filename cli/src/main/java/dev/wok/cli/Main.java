package dev.wok.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import picocli.CommandLine;

/// The `wok` command. Exit codes: 0 done, 1 failed while running, 2 bad input.
public final class Main {
    private static final int MIN_HELP_WIDTH = 60;
    private static final int MAX_HELP_WIDTH = 100;

    private Main() {}

    /// Runs the command that the arguments name and ends the process.
    public static void main(String[] arguments) {
        Console console = Console.ofProcess();
        Display display = new Display(console);
        Runtime.getRuntime().addShutdownHook(new Thread(display::clear));
        System.exit(run(arguments, console, display));
    }

    /// @return the exit code
    static int run(String[] arguments, Console console, Display display) {
        Wok wok = new Wok();
        Failures failures = new Failures(console, display, wok, arguments);
        CommandLine line = commands(wok, console, display);
        line.setParameterExceptionHandler((e, _) -> failures.refuse(e));
        line.setExecutionExceptionHandler((e, _, _) -> failures.report(e));
        int code;
        try {
            code = line.execute(arguments);
        } catch (Error e) {
            code = failures.report(e);
        }
        if (console.out().checkError() && code == 0) {
            return failures.outputLost();
        }
        return code;
    }

    static CommandLine commands(Wok wok, Console console, Display display) {
        return new CommandLine(wok)
                .addSubcommand(new TrainCommand(console, display))
                .addSubcommand(new GenerateCommand(console, display))
                .addSubcommand(new ChatCommand(console, display))
                .addSubcommand(new ReportCommand(console))
                .addSubcommand(new LogitsCommand(display))
                .addSubcommand(new TokenizeCommand(console))
                .addSubcommand(new BenchCommand(console, display))
                .addSubcommand(new ConvertCommand(console, display))
                .addSubcommand(new InspectCommand(console, display))
                .addSubcommand(new DoctorCommand(console))
                .setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8))
                .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
                .setUsageHelpWidth(Math.clamp(console.width(), MIN_HELP_WIDTH, MAX_HELP_WIDTH))
                .registerConverter(Path.class, Given::path)
                .setExpandAtFiles(false)
                .setCaseInsensitiveEnumValuesAllowed(true);
    }
}
