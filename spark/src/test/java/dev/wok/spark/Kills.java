package dev.wok.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// Kills ranks and executors of a run, each at another moment of it. A moment that does not come before the run has
/// gone its share of the way is not waited for: the number of kills depends on no machine's speed.
final class Kills {
    /// When a process is killed.
    enum Moment {
        /// Ranks have been started.
        STARTING,
        /// They look for each other and take their shares of the model.
        JOINING,
        STEPPING,
        /// A checkpoint is written, or an old one removed.
        SAVING,
        /// All steps are done; model and figures are written.
        ENDING
    }

    private static final List<Moment> BEFORE_THE_END =
            List.of(Moment.STARTING, Moment.JOINING, Moment.STEPPING, Moment.SAVING);

    private static final int MOST_AT_THE_END = 5;
    private static final int MILLIS_AT_THE_END = 400;

    /// A try that is killed in its steps has made fewer than so many: most get past a checkpoint, however slow
    /// the machine is.
    private static final int MOST_STEPS = 3 * KillTest.CHECKPOINT_EVERY;

    /// To look for processes is work; files are looked at each millisecond.
    private static final int MILLIS_BETWEEN_LOOKS = 50;

    /// So many kills, one of them is an executor's.
    private static final int RANKS_TO_AN_EXECUTOR = 5;

    private final Process driver;
    private final Path run;
    private final long steps;
    private final Supplier<List<ProcessHandle>> executors;
    private final Supplier<List<ProcessHandle>> ranks;
    private final Random random = new Random(1);
    private final Map<Moment, Integer> done = new EnumMap<>(Moment.class);
    private final Set<Long> seen = new HashSet<>();

    /// How long a try takes to its first step, as it was last.
    private long millisToStart = 2000;

    /// @param run its folder
    /// @param steps it has
    Kills(
            Process driver,
            Path run,
            long steps,
            Supplier<List<ProcessHandle>> executors,
            Supplier<List<ProcessHandle>> ranks) {
        this.driver = driver;
        this.run = run;
        this.steps = steps;
        this.executors = executors;
        this.ranks = ranks;
    }

    /// @param count before the last step; a few more follow at the end
    /// @return how many processes were killed when
    Map<Moment, Integer> all(int count) throws InterruptedException {
        for (int i = 0; i < count && driver.isAlive(); i++) {
            long limit = steps * (i + 1) / (count + 1);
            Moment moment = BEFORE_THE_END.get(i % BEFORE_THE_END.size());
            kill(moment, reached(moment, limit), i % RANKS_TO_AN_EXECUTOR == RANKS_TO_AN_EXECUTOR - 1);
        }
        for (int i = 0; i < MOST_AT_THE_END && driver.isAlive(); i++) {
            awaitSteps(steps + 1);
            await(() -> Steps.last(run) >= steps);
            await(random.nextInt(MILLIS_AT_THE_END), steps + 1);
            kill(Moment.ENDING, true, false);
        }
        return done;
    }

    /// @return whether the moment came before the run was at the limit
    private boolean reached(Moment moment, long limit) throws InterruptedException {
        switch (moment) {
            case STARTING, JOINING -> {
                awaitRanks();
                double share = (moment == Moment.STARTING ? 0 : 0.5) + random.nextDouble(0.5);
                await(Math.round(share * millisToStart), limit);
            }
            case STEPPING -> {
                awaitSteps(limit);
                long until = Math.min(limit, Steps.last(run) + random.nextInt(MOST_STEPS));
                await(() -> Steps.last(run) >= until);
            }
            case SAVING -> {
                awaitSteps(limit);
                await(() -> isSaving() || Steps.last(run) >= limit);
                return isSaving();
            }
            case ENDING -> throw new IllegalArgumentException(moment.name());
        }
        return Steps.last(run) < limit;
    }

    /// Waits for a try's ranks.
    private void awaitRanks() throws InterruptedException {
        while (driver.isAlive() && ranks.get().stream().allMatch(rank -> seen.contains(rank.pid()))) {
            Thread.sleep(MILLIS_BETWEEN_LOOKS);
        }
    }

    /// Waits until a try that has not been disturbed yet makes steps.
    private void awaitSteps(long limit) throws InterruptedException {
        awaitRanks();
        long began = ranks.get().stream()
                .flatMap(rank -> rank.info().startInstant().stream())
                .mapToLong(Instant::toEpochMilli)
                .min()
                .orElse(System.currentTimeMillis());
        long before = noted();
        await(() -> noted() != before || (before > 0 && Steps.last(run) >= limit));
        millisToStart = System.currentTimeMillis() - began;
    }

    /// When the run's metrics were last written.
    private long noted() {
        try {
            return Files.getLastModifiedTime(run.resolve("metrics.jsonl")).toMillis();
        } catch (IOException e) {
            return -1;
        }
    }

    private boolean isSaving() {
        try (Stream<Path> files = Files.list(run.resolve("checkpoints"))) {
            return files.anyMatch(file -> file.toString().endsWith(".part"));
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void await(long millis, long limit) throws InterruptedException {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        await(() -> System.nanoTime() >= until || Steps.last(run) >= limit);
    }

    private void await(BooleanSupplier condition) throws InterruptedException {
        while (!condition.getAsBoolean() && driver.isAlive()) {
            Thread.sleep(1);
        }
    }

    private void kill(Moment moment, boolean reached, boolean executor) throws InterruptedException {
        boolean leads = moment == Moment.SAVING || moment == Moment.ENDING;
        while (driver.isAlive()) {
            List<ProcessHandle> all = ranks.get();
            Optional<ProcessHandle> victim = executor
                    ? any(executors.get())
                    : leads ? all.stream().filter(rank -> isRank(rank, 0)).findAny() : any(all);
            all.forEach(rank -> seen.add(rank.pid()));
            if (victim.isPresent() && victim.get().destroyForcibly()) {
                done.merge(reached ? moment : Moment.STEPPING, 1, Integer::sum);
                return;
            }
            Thread.sleep(MILLIS_BETWEEN_LOOKS);
        }
    }

    private Optional<ProcessHandle> any(List<ProcessHandle> all) {
        return all.isEmpty() ? Optional.empty() : Optional.of(all.get(random.nextInt(all.size())));
    }

    /// @return whether a process is that rank, as far as the system says
    static boolean isRank(ProcessHandle process, int rank) {
        try {
            String environment = Files.readString(
                    Path.of("/proc", Long.toString(process.pid()), "environ"), StandardCharsets.ISO_8859_1);
            return List.of(environment.split("\0", -1)).contains("WOK_RANK=" + rank);
        } catch (IOException e) {
            return false;
        }
    }
}
