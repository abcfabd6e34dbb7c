package dev.wok.cli;

import dev.wok.fabric.Membership.Transport;
import dev.wok.notice.BadInput;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Where a run computes: the value of `--on`.
sealed interface On {
    /// What `--on` takes, for people.
    String EXPECTED = "threads:N, processes:N, processes:N,tcp (or unix, shared, ucx), spark://HOST:PORT or"
            + " local-cluster[WORKERS,CORES,MIB]";

    int MOST = 1024;

    /// Ranks that are threads of this process.
    record Threads(int count) implements On {}

    /// Ranks that are processes of this machine.
    record Processes(int count, Transport transport) implements On {}

    /// Ranks that Spark starts.
    ///
    /// @param master as Spark writes it
    record Cluster(String master) implements On {}

    /// @throws BadInput where it is nothing of that
    static On parse(String text) {
        if (text.startsWith("spark://") || text.startsWith("local-cluster")) {
            return new Cluster(text);
        }
        Matcher counted =
                Pattern.compile("(threads|processes):(\\d{1,4})(?:,(\\w+))?").matcher(text);
        if (!counted.matches()) {
            throw refused(text);
        }
        int count = Integer.parseInt(counted.group(2));
        if (count < 1 || count > MOST) {
            throw new BadInput("--on %s: %d ranks were asked for, expected 1 to %d.".formatted(text, count, MOST));
        }
        String transport = counted.group(3);
        if (counted.group(1).equals("threads")) {
            if (transport != null) {
                throw new BadInput("--on %s: threads share their memory, so there is nothing to choose; leave ,%s out."
                        .formatted(text, transport));
            }
            return new Threads(count);
        }
        return new Processes(count, transport == null ? Transport.AUTO : transport(text, transport));
    }

    private static Transport transport(String text, String name) {
        for (Transport transport : Transport.values()) {
            if (transport.name().toLowerCase(Locale.ROOT).equals(name)) {
                return transport;
            }
        }
        throw refused(text);
    }

    private static BadInput refused(String text) {
        return new BadInput("--on \"%s\" was given, expected %s.".formatted(text, EXPECTED));
    }
}
