package dev.wok.cli;

import dev.wok.fabric.Departed;
import dev.wok.notice.BadInput;
import dev.wok.notice.DiskFull;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/// Says what went wrong in one line, and which exit code that is.
final class Failures {
    private final Console console;
    private final Display display;
    private final Wok wok;
    private final String[] arguments;

    Failures(Console console, Display display, Wok wok, String[] arguments) {
        this.console = console;
        this.display = display;
        this.wok = wok;
        this.arguments = arguments;
    }

    /// @return the exit code for arguments that make no command
    int refuse(ParameterException e) {
        if (e.getCause() instanceof BadInput bad) {
            return report(bad);
        }
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        say("%s See %s --help.".formatted(described(e), command));
        return ExitCode.USAGE;
    }

    /// @return the exit code for what a command threw
    int report(Throwable failure) {
        switch (failure) {
            case DiskFull full -> say(String.valueOf(full.getMessage()));
            case BadInput bad -> {
                say(String.valueOf(bad.getMessage()));
                return ExitCode.USAGE;
            }
            case Departed gone -> say(String.valueOf(gone.getMessage()));
            case OutOfMemoryError e ->
                say(("out of memory (%s). Take a smaller model or batch, or give Java a larger heap:"
                                + " WOK_JAVA_OPTIONS=-Xmx8g wok ...")
                        .formatted(oneLine(e.getMessage())));
            default -> say("%s failed: %s. %s".formatted(name(), described(failure), details(failure)));
        }
        if (wok.stacktrace) {
            failure.printStackTrace(console.err());
        }
        return ExitCode.SOFTWARE;
    }

    /// @return the exit code where nobody took the results
    int outputLost() {
        say("the results could not be written: the output is closed, or its disk is full.");
        return ExitCode.SOFTWARE;
    }

    private void say(String line) {
        display.clear();
        console.out().flush();
        console.err().println("wok: " + line);
    }

    private String name() {
        return arguments.length == 0 ? "wok" : "wok " + arguments[0];
    }

    private static String described(ParameterException e) {
        if (!(e instanceof UnmatchedArgumentException unmatched)) {
            String message =
                    oneLine(e.getMessage()).replaceFirst("^Error: ", "").replace("option option", "option");
            return message.endsWith(".") ? message : message + ".";
        }
        String argument = unmatched.getUnmatched().getFirst();
        boolean option = argument.startsWith("-");
        boolean command =
                !option && !unmatched.getCommandLine().getSubcommands().isEmpty();
        String what = "%s '%s'"
                .formatted(option ? "unknown option" : command ? "unknown command" : "unexpected argument", argument);
        List<String> near = option || command ? unmatched.getSuggestions() : List.of();
        return near.isEmpty() ? what + "." : "%s; did you mean %s?".formatted(what, near.getFirst());
    }

    private static String described(Throwable failure) {
        String message = failure.getMessage();
        String type = failure.getClass().getSimpleName();
        return message == null ? type : "%s (%s)".formatted(oneLine(message), type);
    }

    private String details(Throwable failure) {
        if (wok.stacktrace) {
            return "Details:";
        }
        try {
            Path log = Files.createTempFile("wok-", ".log");
            try (PrintWriter writer = new PrintWriter(Files.newBufferedWriter(log, StandardCharsets.UTF_8))) {
                writer.println("wok " + String.join(" ", arguments));
                writer.println("Java " + Runtime.version());
                failure.printStackTrace(writer);
            }
            return "Details: " + log;
        } catch (IOException e) {
            return "Run it again with --stacktrace for details.";
        }
    }

    private static String oneLine(@Nullable String message) {
        return message == null ? "no message" : message.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
