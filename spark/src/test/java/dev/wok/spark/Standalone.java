package dev.wok.spark;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;

/// Spark's own cluster on this machine: a master and workers as processes, and a driver of
/// [FakeRank] under them.
final class Standalone implements AutoCloseable {
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private static final String FAST = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1";
    private static final long SECONDS_TO_DIE = 20;

    private final Path home;

    /// What all processes write into in place of the system's folder for this.
    private final Path temporary;
    private final Path jars;
    private final int port;
    private final List<Process> processes = new ArrayList<>();

    /// @param folder where it may write
    Standalone(Path folder) throws IOException {
        home = Files.createDirectories(folder.resolve("spark"));
        Files.createFile(home.resolve("RELEASE"));
        jars = Files.createDirectories(home.resolve("jars"));
        temporary = Files.createDirectories(home.resolve("tmp"));
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            Path jar = Path.of(entry);
            if (entry.endsWith(".jar")) {
                Files.createSymbolicLink(jars.resolve(jar.getFileName()), jar);
            }
        }
        try (ServerSocket socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
        }
    }

    String master() {
        return "spark://127.0.0.1:" + port;
    }

    Process startMaster() throws IOException {
        return start(
                "master",
                List.of(
                        "org.apache.spark.deploy.master.Master",
                        "--host",
                        "127.0.0.1",
                        "--port",
                        "" + port,
                        "--webui-port",
                        "0"));
    }

    Process startWorker(int cores) throws IOException {
        String work = Files.createDirectories(home.resolve("work-" + processes.size()))
                .toString();
        return start(
                "worker-" + processes.size(),
                List.of(
                        "org.apache.spark.deploy.worker.Worker",
                        "--host",
                        "127.0.0.1",
                        "--cores",
                        "" + cores,
                        "--memory",
                        "2g",
                        "--work-dir",
                        work,
                        "--webui-port",
                        "0",
                        master()));
    }

    /// A run of [FakeRank].
    ///
    /// @param err where what it says goes
    Process startDriver(Path folder, int ranks, int steps, int millis, Path out, Path err) throws IOException {
        List<String> line = driver(folder, FakeDriver.class);
        line.addAll(List.of(master(), folder.toString()));
        line.addAll(Stream.of(ranks, steps, millis).map(Object::toString).toList());
        return start(java(line).redirectOutput(out.toFile()).redirectError(err.toFile()));
    }

    /// @return Java's options of a process under Spark
    private String options() {
        return FAST + " -Djava.io.tmpdir=" + temporary;
    }

    /// @return Java's options of a rank
    private String rankOptions() {
        return options() + " --enable-native-access=wok.device,com.github.luben.zstd_jni,snappy.java"
                + " -Djava.lang.foreign.native.threshold.power.copy=0";
    }

    /// The command as its launcher starts it.
    ///
    /// @param environment beside this process's
    Process startCommand(
            Path folder, int ranks, List<String> arguments, Map<String, String> environment, Path out, Path err)
            throws IOException {
        List<String> line = driver(folder, Main.class);
        line.addAll(arguments);
        line.addAll(List.of("--on", master(), "--ranks", Integer.toString(ranks)));
        line.addAll(0, List.of("-Dwok.jars=" + System.getProperty("wok.jars"), "-Dwok.options=" + rankOptions()));
        ProcessBuilder builder = java(line);
        builder.environment().putAll(environment);
        return start(
                builder.directory(folder.toFile()).redirectOutput(out.toFile()).redirectError(err.toFile()));
    }

    /// The same run in a process of its own.
    Process startAlone(Path folder, List<String> arguments, Path log) throws IOException {
        List<String> line = new ArrayList<>(List.of(JAVA));
        line.addAll(List.of(rankOptions().split(" ", -1)));
        line.addAll(List.of("-p", System.getProperty("wok.jars"), "-m", "wok.cli/dev.wok.cli.Main"));
        line.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(line).directory(folder.toFile());
        return start(builder.redirectErrorStream(true).redirectOutput(log.toFile()));
    }

    private List<String> driver(Path folder, Class<?> main) {
        return new ArrayList<>(List.of(
                "-Dspark.executor.extraClassPath=" + classPath(),
                "-Dspark.driver.host=127.0.0.1",
                "-Dspark.executor.extraJavaOptions=" + options(),
                "-Dwok.spark.log=" + folder.resolve("driver.log"),
                main.getName()));
    }

    private Process start(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private static String classPath() {
        return Cluster.class.getProtectionDomain().getCodeSource().getLocation().getPath()
                + File.pathSeparator
                + Fake.classes();
    }

    private Process start(String name, List<String> line) throws IOException {
        File log = home.resolve(name + ".log").toFile();
        Process process =
                java(line).redirectErrorStream(true).redirectOutput(log).start();
        processes.add(process);
        return process;
    }

    private ProcessBuilder java(List<String> line) {
        List<String> all = new ArrayList<>(List.of(JAVA, "-Xmx512m"));
        all.addAll(List.of(options().split(" ", -1)));
        all.addAll(List.of(JavaModuleOptions.defaultModuleOptionArray()));
        all.addAll(List.of("-cp", System.getProperty("java.class.path")));
        all.addAll(line);
        ProcessBuilder builder = new ProcessBuilder(all);
        builder.environment().put("SPARK_HOME", home.toString());
        builder.environment().put("SPARK_SCALA_VERSION", "2.13");
        return builder;
    }

    /// Ends all processes and waits for that: none writes any more where a test removes its files.
    @Override
    public void close() throws IOException {
        List<ProcessHandle> all = new ArrayList<>();
        for (Process process : processes) {
            all.addAll(process.descendants().toList());
            all.add(process.toHandle());
            process.destroyForcibly();
        }
        all.forEach(ProcessHandle::destroyForcibly);
        CompletableFuture.allOf(all.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
                .completeOnTimeout(null, SECONDS_TO_DIE, TimeUnit.SECONDS)
                .join();
        try (Stream<Path> links = Files.list(jars)) {
            for (Path link : links.toList()) {
                Files.delete(link);
            }
        }
    }
}
