package dev.wok.spark;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.util.SignalUtils;

/// `wok train --on spark://..`: the program that starts the ranks of a run on a cluster and watches
/// over them. The launcher tells it, as properties of Java, where Wok's jars lie (`wok.jars`), with
/// which options ranks start them (`wok.options`), and where Spark's own words go
/// (`wok.spark.log`).
///
/// Exit codes: 0 the run has finished, 1 it failed, 2 bad input, 130 it was stopped.
public final class Main {
    private static final int REFUSED = 2;
    private static final int FAILED = 1;
    private static final String LOG = "wok.spark.log";

    /// What ranks take from the environment of the command.
    private static final Set<String> PASSED = Set.of("WOK_PATIENCE", "WOK_LIMIT", "WOK_TRANSPORT");

    private Main() {}

    /// Runs and ends the process.
    ///
    /// @param arguments those of `wok`
    public static void main(String[] arguments) throws IOException {
        PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Path log = log();
        int code;
        try {
            code = run(Request.parse(List.of(arguments)), wok(), new Desk(out, err));
        } catch (BadInput e) {
            err.println(Failure.LAST_WORD + e.getMessage());
            code = REFUSED;
        } catch (Exception e) {
            try (PrintStream details = new PrintStream(
                    Files.newOutputStream(log, StandardOpenOption.APPEND), true, StandardCharsets.UTF_8)) {
                e.printStackTrace(details);
            }
            String said = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
            err.println("wok: Spark failed: %s. Details: %s".formatted(said, log));
            System.exit(FAILED);
            return;
        }
        if (code == FAILED) {
            err.println("wok: what Spark said: " + log);
        } else {
            Files.deleteIfExists(log);
        }
        System.exit(code);
    }

    /// @return the exit code
    static int run(Request request, RankCommand command, Desk desk) throws InterruptedException {
        for (String signal : List.of("INT", "TERM")) {
            SignalUtils.register(signal, () -> {
                stop(desk);
                return true;
            });
        }
        try (Supervisor supervisor = new Supervisor(request, command, desk, Supervisor.TRIES)) {
            return supervisor.run();
        }
    }

    private static void stop(Desk desk) {
        if (desk.requestStop()) {
            // The ranks end with their executors, which end with this process.
            Runtime.getRuntime().halt(Supervisor.STOPPED);
        }
        desk.say("stopping: rank 0 finishes the step and saves (again to stop at once) ...");
    }

    /// Gives Spark's words a file, before it says the first of them.
    private static Path log() throws IOException {
        Path log = Files.createTempFile("wok-spark-", ".log");
        System.setProperty(LOG, log.toString());
        return log;
    }

    /// How the launcher's Wok is started on each machine.
    private static RankCommand wok() {
        Path folder = Path.of(System.getProperty("wok.jars", "")).toAbsolutePath();
        List<String> jars;
        try (Stream<Path> files = Files.list(folder)) {
            jars = files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".jar"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<String> options = new ArrayList<>(
                List.of(System.getProperty("wok.options", "").strip().split("\\s+")));
        options.removeIf(String::isEmpty);
        options.addAll(List.of("-p", RankCommand.JARS, "-m", "wok.cli/dev.wok.cli.Main"));
        String here = Path.of("").toAbsolutePath().toString();
        Map<String, String> passed = new HashMap<>(System.getenv());
        passed.keySet().retainAll(PASSED);
        return new RankCommand(here, folder.toString(), jars, List.copyOf(options), Map.copyOf(passed));
    }
}
