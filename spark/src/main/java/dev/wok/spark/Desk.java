package dev.wok.spark;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.ExecutorLostFailure;
import org.apache.spark.TaskEndReason;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.TaskKilled;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;

/// What the driver knows of the try that runs, from the tasks and from Spark. Any thread.
final class Desk extends SparkListener {
    /// The property of a job that says which try it is.
    static final String ATTEMPT = "wok.attempt";

    /// The exit codes of a rank that was asked to stop and did.
    private static final Set<Integer> STOPPED = Set.of(130, 143);

    private final PrintStream out;
    private final PrintStream err;
    private final Map<Integer, Integer> attemptOfStage = new HashMap<>();
    private final List<Failure> failures = new ArrayList<>();
    private final Set<Integer> over = new HashSet<>();
    private int attempt;
    private int begun;
    private long step = -1;
    private boolean finished;
    private boolean stopped;
    private boolean lacking;
    private boolean stop;

    /// @param out where what rank 0 prints goes
    /// @param err where what it says goes
    Desk(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    /// @param last the step that the run has reached before the first try; -1 where there is none
    synchronized void startsAfter(long last) {
        step = last;
    }

    /// A new try begins.
    synchronized void begin(int number) {
        attempt = number;
        begun = 0;
        failures.clear();
        over.clear();
        lacking = false;
    }

    /// @return whether the run shall stop
    synchronized boolean receive(Message message) {
        if (message.attempt() != attempt) {
            return stop;
        }
        switch (message) {
            case Message.Begun _ -> begun++;
            case Message.Lacking _ -> lacking = true;
            case Message.Alive alive -> {
                alive.out().forEach(out::println);
                // A last word is told with what becomes of it.
                alive.err().stream()
                        .filter(line -> !line.startsWith(Failure.LAST_WORD))
                        .forEach(err::println);
                step = Math.max(step, alive.step());
            }
            case Message.Ended ended -> ended(ended);
        }
        return stop;
    }

    private void ended(Message.Ended ended) {
        if (ended.rank() == 0 && ended.code() == 0) {
            finished = true;
        } else if (ended.rank() == 0 && stop && STOPPED.contains(ended.code())) {
            stopped = true;
        } else if (ended.code() != 0) {
            failures.add(Failure.of(ended));
        }
    }

    @Override
    public synchronized void onStageSubmitted(SparkListenerStageSubmitted event) {
        attemptOfStage.put(
                event.stageInfo().stageId(), Integer.valueOf(event.properties().getProperty(ATTEMPT, "0")));
    }

    @Override
    public synchronized void onTaskEnd(SparkListenerTaskEnd event) {
        int rank = event.taskInfo().index();
        if (attemptOfStage.getOrDefault(event.stageId(), 0) != attempt) {
            return;
        }
        over.add(rank);
        if (failures.stream().anyMatch(failure -> failure.rank() == rank)) {
            return;
        }
        String host = event.taskInfo().host();
        TaskEndReason reason = event.reason();
        if (reason instanceof ExecutorLostFailure lost) {
            String said = lost.reason().isDefined() ? firstLine(lost.reason().get()) : "no reason given";
            failures.add(new Failure(rank, host, Failure.Cause.LOST, said));
        } else if (reason instanceof ExceptionFailure failed) {
            String said = failed.className() + ": " + firstLine(failed.description());
            failures.add(new Failure(rank, host, Failure.Cause.FAILED, said));
        } else if (reason instanceof TaskFailedReason failed && !(reason instanceof TaskKilled)) {
            failures.add(new Failure(rank, host, Failure.Cause.FAILED, firstLine(failed.toErrorString())));
        }
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse("");
    }

    /// @return what explains best why the try ended, the earliest of its kind
    synchronized Optional<Failure> failure() {
        return failures.stream().min(Comparator.comparing(Failure::cause));
    }

    /// @return whether something failed and all tasks have ended, so that no better explanation will come
    synchronized boolean explained() {
        return !failures.isEmpty() && over.size() >= begun;
    }

    /// Asks rank 0 to finish its step, save and end.
    ///
    /// @return whether it was asked before
    synchronized boolean requestStop() {
        boolean before = stop;
        stop = true;
        return before;
    }

    synchronized boolean stopRequested() {
        return stop;
    }

    /// @return whether a rank has begun
    synchronized boolean begun() {
        return begun > 0;
    }

    /// @return whether rank 0 has ended the run
    synchronized boolean finished() {
        return finished;
    }

    /// @return whether rank 0 has ended because it was asked to
    synchronized boolean stopped() {
        return stopped;
    }

    /// @return whether a machine lacks Wok's jars
    synchronized boolean lacking() {
        return lacking;
    }

    /// @return the last step that any try finished; -1 where there is none
    synchronized long step() {
        return step;
    }

    synchronized void say(String line) {
        err.println(Failure.LAST_WORD + line);
    }
}
