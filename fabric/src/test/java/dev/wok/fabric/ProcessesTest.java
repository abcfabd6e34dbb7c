package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertLinesMatch;
import static org.junit.jupiter.api.Assertions.assertThrowsExactly;

import dev.wok.device.Gpu;
import dev.wok.kernel.PeerRows;
import dev.wok.notice.Progress;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.RecordingProgress;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Groups of processes of this machine.
@Timeout(120)
final class ProcessesTest {
    private static final String SECRET = "a secret for a test";
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    private final RecordingProgress progress = new RecordingProgress();
    private final List<Process> children = new ArrayList<>();

    @AfterEach
    void end() throws InterruptedException {
        for (Process child : children) {
            child.destroyForcibly().waitFor();
        }
    }

    @Test
    void processesWorkTogetherOverRings() throws Exception {
        try (Rendezvous rendezvous = open(2)) {
            Process child = start(rendezvous, 1, 2, "sum");
            try (Fabric fabric = rendezvous.join()) {
                assertEquals(List.of("rank 0 of 2: rings in shared memory with rank 1."), progress.lines());
                assertNothingIsLeft();
                String sum = RankProcess.Task.SUM.run(fabric);
                assertEquals(sum, said(child));
                assertEquals(0, child.waitFor());
            }
        }
    }

    /// Each opens the other's memory.
    @Test
    void gpusOfTwoProcessesExchange() throws Exception {
        try (Rendezvous rendezvous = open(2)) {
            Process child = start(rendezvous, 1, 2, "exchange");
            try (Fabric fabric = rendezvous.join()) {
                assertEquals("same, numbers", RankProcess.Task.EXCHANGE.run(fabric));
                assertEquals("same, numbers", said(child));
                assertEquals(0, child.waitFor());
            }
        }
    }

    @Test
    void aKilledProcessIsNamedAtOnceAndNothingIsLeft() throws Exception {
        try (Rendezvous rendezvous = open(3)) {
            Process killed = start(rendezvous, 1, 3, "hang");
            Process waits = start(rendezvous, 2, 3, "wait");
            try (Fabric fabric = rendezvous.join()) {
                assertEquals("hangs", said(killed));
                RankProcess.awaitStatus(fabric, 1, RankProcess.STEP);
                RankProcess.awaitStatus(fabric, 2, "its wait");
                killed.destroyForcibly();
                String expected =
                        "rank 1 \\(process %d on .*\\) has ended without a word\\. It was in an endless step\\."
                                .formatted(killed.pid());
                Departed departed = assertThrowsExactly(Departed.class, fabric::barrier);
                assertLinesMatch(List.of(expected), List.of(String.valueOf(departed.getMessage())));
                assertEquals(1, departed.rank());
                String other = said(waits);
                assertLinesMatch(List.of(expected), List.of(other));
            }
        }
        assertNothingIsLeft();
    }

    @Test
    void aProcessThatHangsIsNamed() throws Exception {
        try (Rendezvous rendezvous = open(2);
                ExecutorService threads = Executors.newSingleThreadExecutor()) {
            Process child = start(rendezvous, 1, 2, "hang");
            try (Fabric fabric = rendezvous.join()) {
                assertEquals("hangs", said(child));
                RankProcess.awaitStatus(fabric, 1, RankProcess.STEP);
                fabric.doing("step 17");
                Future<?> barrier = threads.submit(fabric::barrier);
                while (progress.lines().size() < 2) {
                    Thread.sleep(5);
                }
                String named = progress.lines().getLast();
                assertLinesMatch(
                        List.of("rank 0 \\(step 17\\) has waited [0-9.]+ s in barrier for rank 1, which has been in "
                                + "an endless step for [0-9.]+ s; last sign of life [0-9.]+ s ago\\."),
                        List.of(named));
                child.destroyForcibly();
                assertThrowsExactly(ExecutionException.class, barrier::get);
            }
        }
    }

    private Rendezvous open(int size) {
        return Rendezvous.open(
                new Membership(
                        0,
                        size,
                        "127.0.0.1:0",
                        SECRET.getBytes(StandardCharsets.UTF_8),
                        Membership.Transport.AUTO,
                        Duration.ofMillis(300),
                        Duration.ofMinutes(1)),
                progress);
    }

    private Process start(Rendezvous rendezvous, int rank, int size, String task) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        classPath(),
                        RankProcess.class.getName(),
                        task)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("WOK_RANK", String.valueOf(rank));
        builder.environment().put("WOK_SIZE", String.valueOf(size));
        builder.environment().put("WOK_RENDEZVOUS", rendezvous.address());
        builder.environment().put("WOK_SECRET", SECRET);
        Process child = builder.start();
        children.add(child);
        return child;
    }

    private static String said(Process child) throws IOException {
        BufferedReader reader = child.inputReader();
        String line = reader.readLine();
        return line == null ? "nothing" : line;
    }

    /// Looks for files of rings that one of the processes has left.
    private void assertNothingIsLeft() throws IOException {
        List<String> made = Stream.concat(
                        Stream.of(ProcessHandle.current().pid()),
                        children.stream().map(Process::pid))
                .map("wok-ring-%d-"::formatted)
                .toList();
        if (Files.isDirectory(SHARED_MEMORY)) {
            try (Stream<Path> files = Files.list(SHARED_MEMORY)) {
                assertEquals(
                        List.of(),
                        files.map(file -> file.getFileName().toString())
                                .filter(name -> made.stream().anyMatch(name::startsWith))
                                .toList());
            }
        }
    }

    /// The test classes and whatever a rank needs, wherever this process found them.
    private static String classPath() {
        Stream<Path> needed = Stream.of(
                        Fabric.class, Tensor.class, Progress.class, Gpu.class, PeerRows.class, emitter())
                .map(type -> located(type.getProtectionDomain().getCodeSource().getLocation()));
        return Stream.concat(Stream.of(testClasses()), needed)
                .map(Path::toString)
                .distinct()
                .collect(Collectors.joining(File.pathSeparator));
    }

    /// Of a module that this one does not read.
    private static Class<?> emitter() {
        try {
            return Class.forName("dev.wok.emit.ptx.Ptx");
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    private static Path testClasses() {
        Path root = located(Objects.requireNonNull(ProcessesTest.class.getResource("ProcessesTest.class")));
        for (String _ : ProcessesTest.class.getName().split("\\.")) {
            root = Objects.requireNonNull(root.getParent());
        }
        return root;
    }

    private static Path located(URL url) {
        try {
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
