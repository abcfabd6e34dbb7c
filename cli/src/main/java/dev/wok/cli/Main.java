package dev.wok.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
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
        CommandLine line = commands(wok, console, display, arguments);
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

    /// @param arguments where they begin with a command, only that is made: making all takes longer than a
    ///     small model's first token
    static CommandLine commands(Wok wok, Console console, Display display, String... arguments) {
        Map<String, Supplier<Object>> all = new LinkedHashMap<>();
        all.put("train", () -> new TrainCommand(console, display));
        all.put("sft", () -> new SftCommand(console, display));
        all.put("dpo", () -> new DpoCommand(console, display));
        all.put("grpo", () -> new GrpoCommand(console, display));
        all.put("r1", () -> new R1Command(console, display));
        all.put("generate", () -> new GenerateCommand(console, display));
        all.put("chat", () -> new ChatCommand(console, display));
        all.put("serve", () -> new ServeCommand(console, display));
        all.put("distill", () -> new DistillCommand(console, display));
        all.put("task", () -> new TaskCommand(console, display));
        all.put("eval", () -> new EvalCommand(console, display));
        all.put("report", () -> new ReportCommand(console));
        all.put("logits", () -> new LogitsCommand(display));
        all.put("tokenize", () -> new TokenizeCommand(console));
        all.put("bench", () -> new BenchCommand(console, display));
        all.put("convert", () -> new ConvertCommand(console, display));
        all.put("merge", () -> new MergeCommand(console, display));
        all.put("inspect", () -> new InspectCommand(console, display));
        all.put("ptx", () -> PtxCommand.line(console, display));
        all.put("doctor", () -> new DoctorCommand(console));
        CommandLine line = new CommandLine(wok);
        Supplier<Object> named = arguments.length == 0 ? null : all.get(arguments[0]);
        (named == null ? all.values() : List.of(named)).forEach(command -> line.addSubcommand(command.get()));
        return line.setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8))
                .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
                .setUsageHelpWidth(Math.clamp(console.width(), MIN_HELP_WIDTH, MAX_HELP_WIDTH))
                .registerConverter(Path.class, Given::path)
                .setExpandAtFiles(false)
                .setCaseInsensitiveEnumValuesAllowed(true);
    }
}
