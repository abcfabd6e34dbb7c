package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.module.ModuleFinder;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.jspecify.annotations.Nullable;

/// Processes that judge submissions, each one and no more. Some are started ahead, since a compiler
/// takes its time to wake. They end by themselves where nobody asks, and where this process is
/// gone.
final class Judges implements AutoCloseable {
    /// A process that awaits a submission.
    private record Ready(Process process, long since) {
        /// @return whether it won't leave in the next moment because nobody asked
        boolean isFresh() {
            return process.isAlive() && System.nanoTime() - since < Judge.PATIENCE.toNanos() / 2;
        }
    }

    private static final List<String> FLAGS = List.of(
            "--finalization=disabled",
            "-Xms16m",
            "-Xmx96m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:MaxMetaspaceSize=64m",
            "-XX:CompressedClassSpaceSize=32m",
            "-XX:ReservedCodeCacheSize=24m",
            "-XX:MaxDirectMemorySize=1m",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:+DisplayVMOutputToStderr",
            "-XX:-UsePerfData",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:+DisableAttachMechanism",
            "-Xlog:disable",
            "-Djava.util.concurrent.ForkJoinPool.common.parallelism=0");

    /// Exit code under which the virtual machine leaves where memory is out.
    private static final int OUT_OF_MEMORY = 3;

    /// Exit code of what the system killed: it was out of processor time.
    private static final int KILLED = 128 + 9;

    /// After so many a cache pays that makes them start in half the time.
    private static final int REHEARSE_AFTER = 16;

    /// Seconds by the clock that a judgement may take for each second of processor time, on a busy
    /// machine.
    private static final int BUSY = 10;

    private final Path home;
    private final Path folder;
    private final Walls walls;
    private final Semaphore places;
    private final int ahead;
    private final Deque<Ready> ready = new ArrayDeque<>();
    private final AtomicInteger judged = new AtomicInteger();
    private final Thread atExit = new Thread(this::end);
    private volatile boolean cached;
    private volatile @Nullable Process rehearsal;
    private volatile boolean closed;

    /// @param atOnce processes at work at the same time
    /// @throws BadInput where this Java has no compiler
    Judges(int atOnce, Progress progress) {
        if (ModuleFinder.ofSystem().find("jdk.compiler").isEmpty()) {
            throw new BadInput("%s has no compiler, which judging code needs; run on a JDK instead."
                    .formatted(System.getProperty("java.home")));
        }
        places = new Semaphore(atOnce);
        ahead = atOnce;
        try {
            home = Path.of(System.getProperty("java.home")).toRealPath();
            folder = Files.createTempDirectory("wok-judge").toRealPath();
            Files.createDirectory(folder.resolve("room"));
            writeProgram(folder.resolve("judge.jar"));
            walls = Walls.find(home, folder);
        } catch (IOException e) {
            throw new BadInput(
                    "programs cannot be judged: no process could be started (%s).".formatted(e.getMessage()), e);
        }
        Runtime.getRuntime().addShutdownHook(atExit);
        progress.say("code is judged in processes of its own; around each: an allow-list of classes, limits of memory"
                + " and time, " + walls.standing() + ".");
    }

    /// @return what stands around the processes, for people
    String walls() {
        return walls.standing();
    }

    /// The classes that [Judge] needs, found by following their names.
    private static void writeProgram(Path jar) throws IOException {
        String home = Judge.class.getPackageName().replace('.', '/') + "/";
        SequencedSet<String> found = new LinkedHashSet<>();
        Deque<String> open = new ArrayDeque<>(List.of("Judge"));
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            while (!open.isEmpty()) {
                String name = open.pop();
                byte[] bytes = classFile(name);
                out.putNextEntry(new JarEntry(home + name + ".class"));
                out.write(bytes);
                for (PoolEntry entry : ClassFile.of().parse(bytes).constantPool()) {
                    if (entry instanceof ClassEntry type
                            && type.asInternalName().startsWith(home)) {
                        String other = type.asInternalName().substring(home.length());
                        if (found.add(other) && !other.equals("Judge")) {
                            open.push(other);
                        }
                    }
                }
            }
        }
    }

    private static byte[] classFile(String name) throws IOException {
        try (InputStream in = Judges.class.getResourceAsStream(name + ".class")) {
            if (in == null) {
                throw new IOException("the class " + name + " is missing");
            }
            return in.readAllBytes();
        }
    }

    /// Has a submission judged; waits for a place.
    ///
    /// @param nonce what the process has to begin each message with
    /// @param job as [Judge] reads it after the nonce
    /// @param limit processor time of its run
    /// @param enough is told each message, and says whether nothing more needs to be known
    /// @return why the process said no more, where it came to no end; else null
    @Nullable
    String judge(long nonce, byte[] job, Duration limit, Predicate<JudgeMessage> enough) {
        places.acquireUninterruptibly();
        try {
            if (judged.incrementAndGet() == REHEARSE_AFTER) {
                Thread.ofPlatform().daemon().start(this::rehearse);
            }
            try {
                return judge(take(), nonce, job, limit, enough);
            } catch (Lost e) {
                return judge(start(), nonce, job, limit, enough);
            }
        } catch (IOException e) {
            throw new BadInput(
                    "programs cannot be judged: the process for it did not start (%s).".formatted(e.getMessage()), e);
        } finally {
            places.release();
        }
    }

    private synchronized Process take() throws IOException {
        Ready first = ready.poll();
        while (first != null && !first.isFresh()) {
            kill(first.process);
            first = ready.poll();
        }
        return first == null ? start() : first.process;
    }

    /// Those that cannot be started now are started when they are needed, or refused then.
    private synchronized void refill() {
        try {
            while (ready.size() < ahead) {
                ready.add(new Ready(start(), System.nanoTime()));
            }
        } catch (IOException _) {
            return;
        }
    }

    private Process start() throws IOException {
        if (closed) {
            throw new IOException("closed");
        }
        List<String> command = new ArrayList<>(walls.prefix());
        command.add(Walls.program(home));
        command.addAll(FLAGS);
        if (cached) {
            command.add("-XX:AOTCache=" + folder.resolve("judge.aot"));
        }
        command.addAll(List.of("-cp", folder.resolve("judge.jar").toString(), Judge.class.getName()));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.resolve("room").toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().clear();
        return builder.start();
    }

    private @Nullable String judge(
            Process process, long nonce, byte[] job, Duration limit, Predicate<JudgeMessage> enough)
            throws IOException {
        Duration wall = limit.plus(Judge.COMPILE_LIMIT).multipliedBy(BUSY);
        Thread guard = Thread.ofVirtual().start(() -> endAfter(process, wall));
        try (DataInputStream in = new DataInputStream(process.getInputStream())) {
            awaitReady(in);
            try (OutputStream out = process.getOutputStream()) {
                out.write(ByteBuffer.allocate(Long.BYTES).putLong(nonce).array());
                out.write(job);
            }
            refill();
            return converse(process, in, nonce, System.nanoTime() + limit.toNanos(), enough);
        } finally {
            guard.interrupt();
            kill(process);
        }
    }

    /// A process that ended for no reason of its own.
    private static final class Lost extends IOException {
        private static final long serialVersionUID = 1;

        Lost(String message) {
            super(message);
        }
    }

    private static void awaitReady(DataInputStream in) throws Lost {
        try {
            JudgeMessage.read(in, 0);
        } catch (IOException e) {
            throw new Lost("it ended before it was asked");
        }
    }

    /// @param atLeast the moment before which no limit of processor time can have passed
    private static @Nullable String converse(
            Process process, DataInputStream in, long nonce, long atLeast, Predicate<JudgeMessage> enough) throws Lost {
        boolean untold = true;
        while (true) {
            JudgeMessage message;
            try {
                message = JudgeMessage.read(in, nonce);
            } catch (IOException e) {
                boolean early = untold && System.nanoTime() - atLeast < 0;
                String reason = reason(process);
                if (early && !process.isAlive() && process.exitValue() == KILLED) {
                    throw new Lost("it was ended from outside");
                }
                return reason;
            }
            untold &= message.kind() == JudgeMessage.Kind.RUNS;
            boolean last = switch (message.kind()) {
                case REFUSED, LIMIT, END -> true;
                case READY, RUNS, RETURNED, FAILED -> false;
            };
            if (enough.test(message) || last) {
                return null;
            }
        }
    }

    private static String reason(Process process) {
        try {
            if (process.waitFor(5, TimeUnit.SECONDS)) {
                return switch (process.exitValue()) {
                    case OUT_OF_MEMORY -> "memory limit";
                    case KILLED -> "time limit";
                    default -> "ended before its result, with exit code " + process.exitValue();
                };
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return "ended before its result";
    }

    private static void endAfter(Process process, Duration wall) {
        try {
            if (!process.waitFor(wall)) {
                kill(process);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void kill(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /// Makes the cache from which later processes start faster (JEP 514).
    private void rehearse() {
        List<String> command = new ArrayList<>(List.of(Walls.program(home)));
        command.addAll(FLAGS);
        command.add("-XX:AOTCacheOutput=" + folder.resolve("judge.aot"));
        command.addAll(List.of("-cp", folder.resolve("judge.jar").toString(), Judge.class.getName(), Judge.REHEARSE));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().clear();
        try {
            Process process = builder.start();
            rehearsal = process;
            cached = process.waitFor() == 0 && Files.exists(folder.resolve("judge.aot"));
        } catch (IOException e) {
            cached = false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized void end() {
        closed = true;
        List<Process> all = new ArrayList<>(ready.stream().map(Ready::process).toList());
        ready.clear();
        if (rehearsal != null) {
            all.add(rehearsal);
        }
        all.forEach(Judges::kill);
        for (Process process : all) {
            process.onExit().join();
        }
        for (String name : List.of("judge.aot", "judge.aot.config", "judge.jar", "room", "")) {
            folder.resolve(name).toFile().delete();
        }
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
            end();
        } catch (IllegalStateException e) {
            // The hook is at it.
            return;
        }
    }
}
