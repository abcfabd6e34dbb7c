package dev.wok.spark;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;

/// Spark's own cluster on this machine: a master and workers as processes, and a driver of
/// [FakeRank] under them.
final class Standalone implements AutoCloseable {
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private static final String OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
            + " --enable-native-access=wok.device,com.github.luben.zstd_jni,snappy.java"
            + " -Djava.lang.foreign.native.threshold.power.copy=0";

    private final Path home;
    private final Path jars;
    private final int port;
    private final List<Process> processes = new ArrayList<>();

    /// @param folder where it may write
    Standalone(Path folder) throws IOException {
        home = Files.createDirectories(folder.resolve("spark"));
        Files.createFile(home.resolve("RELEASE"));
        jars = Files.createDirectories(home.resolve("jars"));
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

    /// The command as its launcher starts it.
    Process startCommand(Path folder, int ranks, List<String> arguments, Path out, Path err) throws IOException {
        List<String> line = driver(folder, Main.class);
        line.addAll(arguments);
        line.addAll(List.of("--on", master(), "--ranks", Integer.toString(ranks)));
        line.addAll(0, List.of("-Dwok.jars=" + System.getProperty("wok.jars"), "-Dwok.options=" + OPTIONS));
        return start(java(line)
                .directory(folder.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile()));
    }

    /// The same run in a process of its own.
    Process startAlone(Path folder, List<String> arguments, Path log) throws IOException {
        List<String> line = new ArrayList<>(List.of(JAVA));
        line.addAll(List.of(OPTIONS.split(" ", -1)));
        line.addAll(List.of("-p", System.getProperty("wok.jars"), "-m", "wok.cli/dev.wok.cli.Main"));
        line.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(line).directory(folder.toFile());
        return start(builder.redirectErrorStream(true).redirectOutput(log.toFile()));
    }

    private static List<String> driver(Path folder, Class<?> main) {
        return new ArrayList<>(List.of(
                "-Dspark.executor.extraClassPath=" + classPath(),
                "-Dspark.driver.host=127.0.0.1",
                "-Dspark.executor.extraJavaOptions=-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
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
        List<String> all = new ArrayList<>(List.of(JAVA, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        all.addAll(List.of(JavaModuleOptions.defaultModuleOptionArray()));
        all.addAll(List.of("-cp", System.getProperty("java.class.path")));
        all.addAll(line);
        ProcessBuilder builder = new ProcessBuilder(all);
        builder.environment().put("SPARK_HOME", home.toString());
        builder.environment().put("SPARK_SCALA_VERSION", "2.13");
        return builder;
    }

    @Override
    public void close() throws IOException {
        for (Process process : processes) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        try (Stream<Path> links = Files.list(jars)) {
            for (Path link : links.toList()) {
                Files.delete(link);
            }
        }
    }
}
