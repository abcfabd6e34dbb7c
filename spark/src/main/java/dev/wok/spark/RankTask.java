package dev.wok.spark;

import java.io.File;
import java.io.IOException;
import java.io.Serializable;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.BarrierTaskInfo;
import org.apache.spark.SparkFiles;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction1;

/// What an executor does for a rank: agrees with the other tasks where rank 0 listens, starts the
/// rank as a process, and ends as it does.
final class RankTask extends AbstractFunction1<Iterator<Object>, Iterator<Object>> implements Serializable {
    private static final long serialVersionUID = 1;
    private static final long MILLIS = 250;
    private static final long MILLIS_FOR_THE_LEADER = 5000;
    private static final int REFUSAL = 2;

    private final int attempt;
    private final RankCommand command;
    private final List<String> arguments;
    private final String out;
    private final String secret;

    /// @param attempt which try of the job this is
    /// @param arguments of the rank
    /// @param out the run's folder
    /// @param secret that lets ranks join this try's group
    RankTask(int attempt, RankCommand command, List<String> arguments, String out, String secret) {
        this.attempt = attempt;
        this.command = command;
        this.arguments = arguments;
        this.out = out;
        this.secret = secret;
    }

    @Override
    public Iterator<Object> apply(Iterator<Object> none) {
        BarrierTaskContext context = BarrierTaskContext.get();
        int rank = context.partitionId();
        String[] hosts = Arrays.stream(context.getTaskInfos())
                .map(BarrierTaskInfo::address)
                .map(RankTask::host)
                .toArray(String[]::new);
        try {
            String[] gathered = context.allGather(rank == 0 ? hosts[0] + ":" + freePort() : "");
            RanksPlugin.tell(new Message.Begun(attempt, rank));
            run(rank, hosts, gathered[0]);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("rank " + rank + " was ended because another one was.", e);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("rank %d on %s: %s".formatted(rank, hosts[rank], e), e);
        }
        return none;
    }

    private void run(int rank, String[] hosts, String rendezvous) throws Exception {
        String host = hosts[rank];
        File folder = new File(command.folder());
        if (!folder.isDirectory()) {
            String said = "there is no folder %s on %s; start in one that all machines share.".formatted(folder, host);
            end(new Message.Ended(attempt, rank, host, REFUSAL, Failure.LAST_WORD + said));
        }
        UnaryOperator<String> jar = name -> command.jarFolder() + File.separator + name;
        if (!command.jars().stream().map(jar).map(Path::of).allMatch(Files::exists)) {
            jar = SparkFiles::get;
            if (!command.jars().stream().map(jar).map(Path::of).allMatch(Files::exists)) {
                RanksPlugin.tell(new Message.Lacking(attempt));
                throw new IllegalStateException("there is no " + command.jarFolder() + " on " + host);
            }
        }
        Map<String, String> environment = new HashMap<>(command.environment());
        environment.put("WOK_RANK", Integer.toString(rank));
        environment.put("WOK_SIZE", Integer.toString(hosts.length));
        environment.put("WOK_RENDEZVOUS", rendezvous);
        environment.put("WOK_SECRET", secret);
        environment.put("WOK_PARENT", "stdin");
        environment.put("WOK_TTY", "0");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        try (RankProcess process =
                new RankProcess(command.line(java, jar, arguments), environment, folder, rank == 0)) {
            watch(rank, host, process);
        }
    }

    private void watch(int rank, String host, RankProcess process) throws Exception {
        try {
            boolean asked = false;
            while (!process.await(MILLIS)) {
                if (rank == 0 && alive(process) && !asked) {
                    process.stop();
                    asked = true;
                }
            }
            if (rank > 0 && Failure.isTheLeaders(end(rank, host, process))) {
                // That end is to come first, for this task's would end the leader's.
                Thread.sleep(MILLIS_FOR_THE_LEADER);
            }
            ended(rank, host, process);
        } catch (InterruptedException e) {
            // Another rank's end is told already; this one's may have come first, and is told again to be sure.
            boolean first = process.ended();
            process.close();
            if (first) {
                ended(rank, host, process);
            } else if (rank == 0) {
                alive(process);
            }
            throw e;
        }
    }

    private boolean alive(RankProcess process) throws Exception {
        long step = Steps.last(Path.of(command.folder()).resolve(out));
        return RanksPlugin.tell(new Message.Alive(attempt, process.out(), process.err(), step));
    }

    private void ended(int rank, String host, RankProcess process) throws Exception {
        Message.Ended end = end(rank, host, process);
        if (rank == 0) {
            alive(process);
        }
        end(end);
    }

    private Message.Ended end(int rank, String host, RankProcess process) throws InterruptedException {
        return new Message.Ended(attempt, rank, host, process.code(), process.last());
    }

    private static void end(Message.Ended end) throws Exception {
        RanksPlugin.tell(end);
        if (end.code() != 0) {
            throw new IllegalStateException(
                    "rank %d on %s: exit code %d: %s".formatted(end.rank(), end.host(), end.code(), end.said()));
        }
    }

    private static String host(String address) {
        int colon = address.lastIndexOf(':');
        return colon < 0 ? address : address.substring(0, colon);
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
