package dev.wok.cli;

import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Membership;
import dev.wok.fabric.Rendezvous;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.Ranks;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import picocli.CommandLine.ExitCode;

/// Ranks that are processes of this machine: this one is the leader and starts the others as copies of itself, which
/// end when it does.
///
/// @param size how many, the leader included
/// @param transport how bytes travel between them
/// @param environment of this process; what it says of the watchdog holds for all
record RankProcesses(int size, Membership.Transport transport, Map<String, String> environment) implements Ranks {
    private static final int SECRET_BYTES = 32;
    private static final long SECONDS_TO_LEAVE = 20;
    private static final long SECONDS_TO_SAY_WHY = 2;

    /// What a shell runs to start a process that the terminal's Ctrl-C does not reach.
    private static final List<String> DEAF = List.of("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh");

    @Override
    public <T> T lead(Progress progress, Function<Fabric, T> leading) {
        Map<String, String> group = group();
        List<Process> followers = new ArrayList<>();
        try (Rendezvous rendezvous = Rendezvous.open(Membership.of(group).orElseThrow(), progress)) {
            group.put("WOK_RENDEZVOUS", rendezvous.address());
            for (int rank = 1; rank < size; rank++) {
                followers.add(start(rank, group, progress));
            }
            T result;
            try (Fabric fabric = join(rendezvous, followers)) {
                result = leading.apply(fabric);
            }
            followers.forEach(follower -> await(follower, SECONDS_TO_LEAVE));
            return result;
        } catch (Departed e) {
            throw explained(e, followers);
        } finally {
            followers.forEach(RankProcesses::end);
        }
    }

    /// @return the variables by which the leader finds its group
    private Map<String, String> group() {
        Map<String, String> group = new HashMap<>();
        for (String name : List.of("WOK_PATIENCE", "WOK_LIMIT")) {
            if (environment.containsKey(name)) {
                group.put(name, environment.getOrDefault(name, ""));
            }
        }
        group.put("WOK_RANK", "0");
        group.put("WOK_SIZE", String.valueOf(size));
        group.put("WOK_RENDEZVOUS", "127.0.0.1:0");
        group.put("WOK_SECRET", secret());
        group.put("WOK_TRANSPORT", transport.name().toLowerCase(Locale.ROOT));
        return group;
    }

    /// Waits for all, but not for one that has ended.
    private static Fabric join(Rendezvous rendezvous, List<Process> followers) {
        AtomicInteger ended = new AtomicInteger();
        AtomicBoolean joined = new AtomicBoolean();
        for (int i = 0; i < followers.size(); i++) {
            int rank = i + 1;
            followers.get(i).onExit().thenRun(() -> {
                if (!joined.get() && ended.compareAndSet(0, rank)) {
                    rendezvous.close();
                }
            });
        }
        try {
            Fabric fabric = rendezvous.join();
            joined.set(true);
            return fabric;
        } catch (BadInput | Departed e) {
            if (ended.get() == 0) {
                throw e;
            }
            throw endedEarly(ended.get(), followers.get(ended.get() - 1).exitValue(), e);
        }
    }

    /// @return that there is no group: because of what the rank was given, or because it failed
    private static RuntimeException endedEarly(int rank, int code, RuntimeException e) {
        if (code == ExitCode.USAGE) {
            return new BadInput(
                    "rank %d ended with code %d before the group was together; see what it said.".formatted(rank, code),
                    e);
        }
        Departed gone = new Departed(rank, "rank %d ended before the group was together.".formatted(rank));
        gone.initCause(e);
        return gone;
    }

    private static String secret() {
        byte[] bytes = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private static Process start(int rank, Map<String, String> group, Progress progress) {
        List<String> command = new ArrayList<>(System.getProperty("os.name").startsWith("Windows") ? List.of() : DEAF);
        command.addAll(ownCommand());
        command.add("train");
        ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD);
        builder.environment().remove("WOK_SECRET_FILE");
        builder.environment().putAll(group);
        builder.environment().put("WOK_RANK", String.valueOf(rank));
        builder.environment().put(Parent.VARIABLE, Parent.STDIN);
        builder.environment().put("WOK_TTY", "0");
        try {
            Process process = builder.start();
            Thread.ofVirtual().start(() -> pump(process, "rank %d: ".formatted(rank), progress));
            return process;
        } catch (IOException e) {
            throw new BadInput("rank %d could not be started: %s.".formatted(rank, e.getMessage()), e);
        }
    }

    /// Java and its options, up to this program.
    static List<String> ownCommand() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(option -> !option.startsWith("-agentlib:jdwp"))
                .forEach(command::add);
        String classPath = System.getProperty("java.class.path", "");
        if (!classPath.isEmpty()) {
            command.addAll(List.of("-cp", classPath));
        }
        Module module = Main.class.getModule();
        command.addAll(
                module.isNamed()
                        ? List.of("-m", module.getName() + "/" + Main.class.getName())
                        : List.of(Main.class.getName()));
        return command;
    }

    private static void pump(Process process, String prefix, Progress progress) {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                progress.say(line.contains(prefix) ? line : prefix + line);
            }
        } catch (IOException _) {
            // The process was ended: it has no more to say.
            return;
        }
    }

    /// @return the same with what is known of the process; it has had time to say why it went
    private static Departed explained(Departed e, List<Process> followers) {
        if (e.rank() < 1 || e.rank() > followers.size()) {
            return e;
        }
        Process gone = followers.get(e.rank() - 1);
        if (!await(gone, SECONDS_TO_SAY_WHY)) {
            return e;
        }
        Departed said = new Departed(
                e.rank(), "%s Its process ended with code %d.".formatted(e.getMessage(), gone.exitValue()));
        said.initCause(e);
        return said;
    }

    /// @return whether it has ended
    private static boolean await(Process process, long seconds) {
        try {
            return process.waitFor(seconds, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return !process.isAlive();
        }
    }

    private static void end(Process process) {
        process.destroyForcibly();
        await(process, SECONDS_TO_LEAVE);
    }
}
