package dev.wok.tune;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// What the system holds around a process that judges, beside the list of what submissions may
/// name: found by trying.
///
/// @param prefix words before the command
/// @param standing what stands, for people
record Walls(List<String> prefix, String standing) {
    /// Seconds of processor time, starting and compiling included, at which the system ends the
    /// process.
    private static final int CPU_SECONDS = 60;

    private static final String LIMITS = """
            ulimit -c 0
            ulimit -f 0
            ulimit -n 128
            ulimit -t %d
            """.formatted(CPU_SECONDS);

    /* A root of its own in memory: it has what Java runs from, read-only, and nothing else, no home, no /etc, no
     * sockets. The first argument is the folder to mount it on, which stays empty for everyone else; then come the
     * folders that it has, "--", and the command.
     */
    private static final String ROOM = """
            export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/old/usr/sbin:/old/usr/bin:/old/sbin:/old/bin
            room=$1
            shift
            mount -t tmpfs -o size=64k,mode=755 none "$room"
            while [ "$1" != -- ]; do
              mkdir -p "$room$1"
              mount --rbind "$1" "$room$1"
              mount -o remount,bind,ro "$room$1"
              shift
            done
            shift
            mkdir -p "$room/proc" "$room/dev" "$room/old"
            mount -t proc -o ro,nosuid,nodev,noexec proc "$room/proc"
            : > "$room/dev/drop"
            mount --bind "$(command -v setpriv)" "$room/dev/drop"
            for file in null random urandom; do
              : > "$room/dev/$file"
              mount --bind "/dev/$file" "$room/dev/$file"
            done
            cd "$room"
            pivot_root . old
            cd /
            mount -o remount,ro /
            umount -l /old
            unset PATH OLDPWD PWD
            """;

    private static final String RUN = "exec \"$@\"\n";

    /// Without the rights that whoever makes a room has in it.
    private static final String RUN_WITHOUT_RIGHTS =
            "exec /dev/drop --bounding-set=-all --inh-caps=-all --no-new-privs \"$@\"\n";

    /// Finds out what can stand here.
    ///
    /// @param home of Java
    /// @param folder that holds what the program is given to run; `room` in it is an empty folder
    /// @throws IOException where not even Java starts
    static Walls find(Path home, Path folder) throws IOException {
        Walls room = new Walls(
                roomPrefix(home, folder),
                "no files, network or processes of others (namespaces), limits of the system");
        Optional<String> noRoom = fails(room, home);
        if (noRoom.isEmpty()) {
            return room;
        }
        Walls limits = new Walls(
                List.of("/bin/sh", "-c", "set -e\n" + LIMITS + RUN, "sh"),
                "limits of the system on files and processor time, but no namespaces (%s)".formatted(noRoom.get()));
        Optional<String> noLimits = fails(limits, home);
        if (noLimits.isEmpty()) {
            return limits;
        }
        Walls none = new Walls(List.of(), "neither namespaces nor limits of the system (%s)".formatted(noLimits.get()));
        Optional<String> noJava = fails(none, home);
        if (noJava.isPresent()) {
            throw new IOException(noJava.get());
        }
        return none;
    }

    /// @return the program that runs Java
    static String program(Path home) {
        return home.resolve("bin", "java").toString();
    }

    private static List<String> roomPrefix(Path home, Path folder) throws IOException {
        List<String> prefix = new ArrayList<>(List.of("unshare", "--user", "--map-root-user", "--net", "--pid"));
        prefix.addAll(List.of("--ipc", "--uts", "--mount", "--fork", "--kill-child", "/bin/sh", "-c"));
        prefix.add("set -e\n" + ROOM + LIMITS + RUN_WITHOUT_RIGHTS);
        prefix.addAll(List.of("sh", folder.resolve("room").toString()));
        prefix.add(home.toString());
        for (String one : List.of("/usr/lib", "/lib", "/lib64")) {
            if (Files.isDirectory(Path.of(one))) {
                prefix.add(one);
            }
        }
        prefix.addAll(settingsOfJava());
        prefix.add(folder.toString());
        prefix.add("--");
        return prefix;
    }

    /// Distributions keep parts of a JDK in `/etc`.
    private static List<String> settingsOfJava() throws IOException {
        Path etc = Path.of("/etc");
        if (!Files.isDirectory(etc)) {
            return List.of();
        }
        try (Stream<Path> all = Files.list(etc)) {
            return all.filter(one -> one.getFileName().toString().startsWith("java-") && Files.isDirectory(one))
                    .map(Path::toString)
                    .sorted()
                    .toList();
        }
    }

    private static Optional<String> fails(Walls walls, Path home) {
        List<String> command = new ArrayList<>(walls.prefix);
        command.addAll(List.of(program(home), "-XX:-UsePerfData", "-Xmx16m", "-version"));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().clear();
        try {
            Process process = builder.start();
            process.getOutputStream().close();
            String said;
            try (InputStream in = process.getInputStream()) {
                said = new String(in.readNBytes(1000), StandardCharsets.UTF_8);
            }
            boolean ended = process.waitFor(10, TimeUnit.SECONDS);
            process.destroyForcibly();
            return ended && process.exitValue() == 0
                    ? Optional.empty()
                    : Optional.of(said.lines().findFirst().orElse("no answer"));
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.of("interrupted");
        }
    }
}
