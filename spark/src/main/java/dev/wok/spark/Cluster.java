package dev.wok.spark;

import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import scala.reflect.ClassTag$;

/// This program's connection with a cluster: an application of Spark's.
final class Cluster implements AutoCloseable {
    private static final int PROBE_MILLIS = 2000;

    private final Request request;
    private final JavaSparkContext context;
    private final String application;

    private Cluster(Request request, JavaSparkContext context) {
        this.request = request;
        this.context = context;
        application = context.sc().applicationId();
    }

    /// Connects; for a local cluster, starts it.
    static Cluster connect(Request request, Desk desk) {
        RanksPlugin.deliverTo(desk);
        JavaSparkContext context = new JavaSparkContext(conf(request));
        context.sc().addSparkListener(desk);
        return new Cluster(request, context);
    }

    /// What is given as a property of Java, such as `-Dspark.driver.host=..`, stays as it was given.
    private static SparkConf conf(Request request) {
        SparkConf conf = new SparkConf().setMaster(request.master());
        conf.setIfMissing("spark.app.name", "wok " + request.out());
        conf.setIfMissing("spark.ui.enabled", "false");
        conf.setIfMissing("spark.executor.memory", request.memoryMiB() + "m");
        int cores = conf.getInt("spark.task.cpus", 1);
        // No more than the ranks take: a try starts only when the tasks of the last one have let go of their cores.
        conf.set("spark.cores.max", Integer.toString(request.ranks() * cores));
        conf.set("spark.plugins", RanksPlugin.class.getName());
        File code = code();
        if (code.isFile()) {
            conf.set("spark.jars", code.toURI().toString());
        }
        // One failure ends a try, and the supervisor begins the next.
        conf.set("spark.stage.maxConsecutiveAttempts", "1");
        conf.set("spark.task.maxFailures", "1");
        conf.set("spark.excludeOnFailure.enabled", "false");
        conf.set("spark.task.reaper.enabled", "true");
        conf.setIfMissing("spark.task.reaper.killTimeout", "60s");
        // A barrier stage starts all of its tasks or none, wherever there is room.
        conf.set("spark.locality.wait", "0");
        conf.set("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s");
        conf.set("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "1");
        conf.setIfMissing("spark.executor.heartbeatInterval", "5s");
        conf.setIfMissing("spark.network.timeout", "60s");
        return conf;
    }

    private static File code() {
        return new File(Cluster.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath());
    }

    /// Runs a task for each rank, all at once, until all have ended.
    ///
    /// @param attempt which try it is
    void run(RankTask task, int ranks, int attempt) {
        context.setLocalProperty(Desk.ATTEMPT, Integer.toString(attempt));
        context.sc().setInterruptOnCancel(true);
        context.parallelize(Collections.<Object>nCopies(ranks, 0), ranks)
                .rdd()
                .barrier()
                .mapPartitions(task, false, ClassTag$.MODULE$.<Object>apply(Object.class))
                .collect();
    }

    /// Has files copied to each machine, for the tasks that begin from now on.
    void ship(Path folder, List<String> names) {
        names.forEach(name -> context.addFile(folder.resolve(name).toString()));
    }

    /// Ends whatever [#run] does.
    void cancel() {
        context.cancelAllJobs();
    }

    /// @return whether Spark has given this connection up
    boolean lost() {
        return context.sc().isStopped();
    }

    /// @return whether something answers at a master's address
    static boolean answers(String master) {
        if (!master.startsWith("spark://")) {
            return true;
        }
        return Arrays.stream(master.substring("spark://".length()).split(",")).anyMatch(Cluster::answersAt);
    }

    private static boolean answersAt(String address) {
        int colon = address.lastIndexOf(':');
        try (Socket socket = new Socket()) {
            int port = Integer.parseInt(address.substring(colon + 1));
            socket.connect(new InetSocketAddress(address.substring(0, colon), port), PROBE_MILLIS);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /// Ends the connection, and with it the executors.
    @Override
    public void close() {
        context.close();
    }

    /// Removes what the executors of a local cluster left in the home of Spark that the launcher made.
    void clear() {
        String home = System.getenv("SPARK_HOME");
        if (home == null || !request.local()) {
            return;
        }
        try (Stream<Path> files = Files.walk(Path.of(home, "work", application))) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException _) {
            // It is not there, or an executor that is about to end still writes to it: then it stays.
            return;
        }
    }
}
