package dev.wok.spark;

import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import org.apache.spark.scheduler.BarrierJobSlotsNumberCheckFailed;
import org.jspecify.annotations.Nullable;

/// Keeps a run going: starts its ranks, and starts them again from the last checkpoint when one of
/// them ends.
final class Supervisor implements AutoCloseable {
    static final int STOPPED = 130;
    private static final int FAILED = 1;
    private static final int REFUSED = 2;

    /// How many tries may usually end without a new step where the ranks themselves fail.
    static final int TRIES = 5;

    /// How many where they are killed or their machines go, which does end at some time.
    private static final int TRIES_FROM_OUTSIDE = 25;

    private static final long MILLIS = 200;
    private static final long MILLIS_FOR_A_REASON = 3000;
    private static final long MILLIS_TO_END = 30_000;
    private static final long PROBES = 25;

    /// A round takes a second or two.
    private static final int ROUNDS_BEFORE_A_WORD = 5;

    private static final int ROUNDS_WITHOUT_ROOM = 60;
    private static final int SECRET_BYTES = 32;

    private final Request request;
    private final RankCommand command;
    private final Desk desk;
    private final int mostTries;
    private @Nullable Cluster cluster;
    private int attempt;
    private int tries;
    private int triesFromOutside;
    private boolean accepted;
    private boolean shipped;
    private boolean begunOnce;
    private volatile boolean orphaned;
    private boolean failed;

    /// @param mostTries how many tries may end without a new step where the ranks themselves fail
    Supervisor(Request request, RankCommand command, Desk desk, int mostTries) {
        this.request = request;
        this.command = command;
        this.desk = desk;
        this.mostTries = mostTries;
    }

    /// @return the exit code: 0 the run has finished, 1 it failed, 2 it was refused, 130 it
    ///     stopped because it was asked
    /// @throws BadInput where no master answers at first
    int run() throws InterruptedException {
        if (!Cluster.answers(request.master())) {
            throw new BadInput("nothing answers at %s; start a master there, or see whether a firewall is between."
                    .formatted(request.master()));
        }
        desk.startsAfter(Steps.last(Path.of(command.folder()).resolve(request.out())));
        while (true) {
            Optional<Integer> code = attempt();
            if (code.isPresent()) {
                failed = code.get() == FAILED;
                return code.get();
            }
        }
    }

    /// @return the exit code, unless there is to be another try
    private Optional<Integer> attempt() throws InterruptedException {
        Optional<Cluster> connection = connected();
        if (connection.isEmpty()) {
            return Optional.of(STOPPED);
        }
        Cluster connected = connection.get();
        long before = desk.step();
        Optional<Throwable> ended = job(connected);
        if (desk.finished()) {
            return Optional.of(0);
        }
        if (desk.stopped() || (desk.stopRequested() && !desk.begun())) {
            return Optional.of(STOPPED);
        }
        if (desk.lacking() && !shipped) {
            desk.say("copying Wok's jars to the machines that lack them.");
            connected.ship(Path.of(command.jarFolder()), command.jars());
            shipped = true;
            return Optional.empty();
        }
        if (ended.isEmpty() && !desk.begun()) {
            close();
            return Optional.empty();
        }
        Failure failure = failure(ended);
        if (orphaned || connected.lost() || !Cluster.answers(request.master())) {
            close();
        }
        return verdict(failure, before);
    }

    /// Waits for a master and connects, where that is not so already.
    ///
    /// @return nothing where the run was asked to stop
    private Optional<Cluster> connected() throws InterruptedException {
        boolean said = false;
        for (int tried = 1; cluster == null && !desk.stopRequested(); tried++) {
            if (!Cluster.answers(request.master())) {
                if (!said) {
                    desk.say("waiting for a master at %s; the checkpoints are safe.".formatted(request.master()));
                    said = true;
                }
                Thread.sleep(MILLIS);
                continue;
            }
            try {
                cluster = Cluster.connect(request, desk);
                orphaned = false;
            } catch (RuntimeException e) {
                // The master may go at any moment; what else is wrong shows at the first connection.
                if (attempt == 0 || tried > TRIES_FROM_OUTSIDE) {
                    throw e;
                }
                Thread.sleep(MILLIS);
            }
        }
        return desk.stopRequested() ? Optional.empty() : Optional.ofNullable(cluster);
    }

    /// Runs one try, as soon as the cluster has room for it.
    ///
    /// @return what ended it; nothing where it ended well, or where there is no room and the
    ///     master, which might be a new one that does not know of this program, has to be asked
    ///     again
    private Optional<Throwable> job(Cluster connected) throws InterruptedException {
        attempt++;
        desk.begin(attempt);
        RankTask task = new RankTask(attempt, command, request.arguments(begunOnce), request.out(), secret());
        Thread watch = Thread.startVirtualThread(() -> watch(connected));
        try {
            for (int round = 0; round < ROUNDS_WITHOUT_ROOM && !desk.stopRequested(); round++) {
                try {
                    connected.run(task, request.ranks(), attempt);
                    return Optional.empty();
                } catch (Exception e) {
                    if (!(e instanceof BarrierJobSlotsNumberCheckFailed few)) {
                        return Optional.of(e);
                    }
                    if (round == ROUNDS_BEFORE_A_WORD) {
                        desk.say("waiting for room for %d ranks; the cluster gives room for %d now."
                                .formatted(request.ranks(), few.maxConcurrentTasks()));
                    }
                    if (orphaned || connected.lost()) {
                        return Optional.empty();
                    }
                }
            }
            return Optional.empty();
        } finally {
            begunOnce |= desk.begun();
            watch.interrupt();
            watch.join();
        }
    }

    /// Looks after what a job that blocks cannot see.
    private void watch(Cluster connected) {
        boolean answered = true;
        long finishedFor = 0;
        try {
            for (long round = 1; ; round++) {
                Thread.sleep(MILLIS);
                finishedFor = desk.finished() || desk.stopped() ? finishedFor + MILLIS : 0;
                if (finishedFor > MILLIS_TO_END || (desk.stopRequested() && !desk.begun())) {
                    connected.cancel();
                }
                if (round % PROBES == 0) {
                    boolean answers = Cluster.answers(request.master());
                    orphaned |= !answers;
                    if (answers != answered) {
                        desk.say(
                                answers ? "the master answers again." : "the master does not answer; the ranks go on.");
                    }
                    answered = answers;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /// @return why the try ended, once that is known
    private Failure failure(Optional<Throwable> ended) throws InterruptedException {
        // What comes first may be an effect of what comes a moment later.
        for (long waited = 0; waited < MILLIS_FOR_A_REASON && !desk.explained(); waited += MILLIS) {
            Thread.sleep(MILLIS);
        }
        return desk.failure().orElseGet(() -> {
            String said = ended.map(Throwable::getMessage).orElse("the connection with the cluster was lost");
            return new Failure(
                    0,
                    "the cluster",
                    Failure.Cause.LOST,
                    said.lines().findFirst().orElse("no reason given"));
        });
    }

    private Optional<Integer> verdict(Failure failure, long before) {
        if (desk.stopRequested()) {
            desk.say("%s, while it was stopping; the last checkpoint stays.".formatted(failure));
            return Optional.of(FAILED);
        }
        if (desk.step() > before) {
            tries = 0;
            triesFromOutside = 0;
        }
        // A run that has made steps was given nothing wrong, and what a kill leaves behind may pass.
        accepted |= desk.step() > before || failure.fromOutside();
        if (failure.cause() == Failure.Cause.REFUSED && !accepted) {
            desk.say(failure.said());
            return Optional.of(REFUSED);
        }
        int tried = failure.fromOutside() ? ++triesFromOutside : ++tries;
        if (tried >= (failure.fromOutside() ? TRIES_FROM_OUTSIDE : mostTries)) {
            desk.say("%s. That was try %d without a new step; giving up. The last checkpoint stays."
                    .formatted(failure, tried));
            return Optional.of(FAILED);
        }
        desk.say("%s, %s; starting all ranks again from the last checkpoint."
                .formatted(failure, desk.step() < 0 ? "before the first step" : "after step " + desk.step()));
        return Optional.empty();
    }

    private static String secret() {
        byte[] bytes = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    @Override
    public void close() {
        Cluster connected = cluster;
        cluster = null;
        if (connected != null) {
            connected.close();
            if (!failed) {
                connected.clear();
            }
        }
    }
}
