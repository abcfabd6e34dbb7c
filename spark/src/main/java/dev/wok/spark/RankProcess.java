package dev.wok.spark;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/// A rank's process. It dies with the process that started it, because it watches its standard
/// input end.
final class RankProcess implements AutoCloseable {
    private static final long SECONDS_TO_DIE = 20;

    private final Process process;
    private final ConcurrentLinkedQueue<String> out = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<String> err = new ConcurrentLinkedQueue<>();
    private final List<Thread> pumps;
    private volatile String last = "";

    /// @param line program and arguments
    /// @param heard whether what it prints is kept for [#out] and [#err]; it goes to this
    ///     process's streams in any case
    RankProcess(List<String> line, Map<String, String> environment, File folder, boolean heard) throws IOException {
        // Ctrl-C of a terminal reaches every process in it; ranks are stopped by their own.
        List<String> deaf = new ArrayList<>(List.of("sh", "-c", "trap '' INT; exec \"$@\"", "sh"));
        deaf.addAll(line);
        ProcessBuilder builder = new ProcessBuilder(deaf).directory(folder);
        builder.environment().remove("WOK_SECRET_FILE");
        builder.environment().putAll(environment);
        process = builder.start();
        pumps = List.of(
                pump(process.getInputStream(), System.out, text -> keep(out, heard, text)),
                pump(process.getErrorStream(), System.err, text -> {
                    last = text.isBlank() ? last : text;
                    keep(err, heard, text);
                }));
    }

    private static void keep(ConcurrentLinkedQueue<String> lines, boolean heard, String line) {
        if (heard) {
            lines.add(line);
        }
    }

    private static Thread pump(InputStream from, PrintStream log, Consumer<String> lines) {
        return Thread.startVirtualThread(() -> {
            try (BufferedReader reader = new BufferedReader(new InputStreamReader(from, StandardCharsets.UTF_8))) {
                for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                    log.println(line);
                    lines.accept(line);
                }
            } catch (IOException _) {
                // The process was ended by force, which closes its streams.
                return;
            }
        });
    }

    /// @return whether it ended
    boolean await(long millis) throws InterruptedException {
        return process.waitFor(millis, TimeUnit.MILLISECONDS);
    }

    boolean ended() {
        return !process.isAlive();
    }

    /// Asks it to finish what it does and to end.
    void stop() {
        // Its streams stay open: the end of its standard input would end it at once.
        process.toHandle().destroy();
    }

    /// @return its exit code, once it has ended and all that it said has been read
    int code() throws InterruptedException {
        for (Thread pump : pumps) {
            pump.join(TimeUnit.SECONDS.toMillis(SECONDS_TO_DIE));
        }
        return process.exitValue();
    }

    /// @return the last line of its error stream
    String last() {
        return last;
    }

    /// @return what it printed since the last call
    List<String> out() {
        return drain(out);
    }

    /// @return what it said since the last call
    List<String> err() {
        return drain(err);
    }

    private static List<String> drain(ConcurrentLinkedQueue<String> lines) {
        List<String> drained = new ArrayList<>();
        for (String line = lines.poll(); line != null; line = lines.poll()) {
            drained.add(line);
        }
        return drained;
    }

    /// Ends it by force where it still runs, and waits until it has gone: whoever comes next finds
    /// its files free.
    @Override
    public void close() {
        boolean interrupted = Thread.interrupted();
        process.destroyForcibly();
        try {
            process.waitFor(SECONDS_TO_DIE, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
