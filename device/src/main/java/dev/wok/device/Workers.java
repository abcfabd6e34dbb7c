package dev.wok.device;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The host's pool of kernel threads. A call of [#run] spreads numbered tasks over the caller and the pool's threads
/// and returns when all are done. Idle threads spin for a few microseconds, since the next kernel usually follows at
/// once, and then park.
///
/// Which thread runs which task is chance; a result must not depend on it. A task writes only what is its own.
///
/* Why it is safe. A job carries its own counters, so a helper that is still inside an old job draws a number beyond that
 * job's tasks and leaves; a call returns only when all its tasks are counted as done, and counting happens after the
 * body, so no body outlives its call and what it wrote is visible to the caller. A helper notes the generation before it
 * reads the job: it may see a newer job than the generation says, or none, and then looks again at the next generation.
 * No wake-up is lost: the caller first raises the generation and then reads `parked`, the helper first sets `parked` and
 * then reads the generation; both are volatile, so at least one of them sees the other's write. A permit given to a
 * helper that was just leaving makes its next park return at once, after which it looks at the generation again.
 */
public final class Workers implements AutoCloseable {
    private static final int SPINS = 20_000;

    /// One piece of a kernel's work.
    @FunctionalInterface
    public interface Body {
        /// @param task its number, from 0
        /// @param worker the running thread's number, 0 (inclusive) to [Workers#count] (exclusive): the key to
        ///     scratch memory that no other running task uses
        void run(int task, int worker);
    }

    private record Job(
            Body body,
            int tasks,
            AtomicInteger next,
            AtomicInteger done,
            AtomicReference<@Nullable Throwable> failure) {

        void work(int worker) {
            for (int task = next.getAndIncrement(); task < tasks; task = next.getAndIncrement()) {
                try {
                    if (failure.get() == null) {
                        body.run(task, worker);
                    }
                } catch (Throwable t) {
                    failure.compareAndSet(null, t);
                } finally {
                    done.getAndIncrement();
                }
            }
        }
    }

    private static final class Worker {
        final int number;
        final Thread thread;
        volatile boolean parked;

        Worker(int number, Consumer<Worker> loop) {
            this.number = number;
            thread = Thread.ofPlatform().daemon().name("wok-worker-" + number).unstarted(() -> loop.accept(this));
        }
    }

    private final Worker[] helpers;
    private final AtomicInteger generation = new AtomicInteger();
    private volatile int used;
    private volatile boolean closed;
    private volatile @Nullable Job job;
    private volatile @Nullable Thread runner;

    Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("threads: %d, expected at least 1".formatted(count));
        }
        helpers = new Worker[count - 1];
        used = count;
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Worker(i + 1, this::serve);
        }
        for (Worker helper : helpers) {
            helper.thread.start();
        }
    }

    /// @return how many threads work together, the caller included
    public int count() {
        return helpers.length + 1;
    }

    /// Sets how many threads the next calls of [#run] are spread over. The others sleep, and leave the
    /// processor to those.
    ///
    /// @param threads 1 to [#count]
    public void use(int threads) {
        if (threads < 1 || threads > count()) {
            throw new IllegalArgumentException("threads: %d, expected 1 to %d".formatted(threads, count()));
        }
        used = threads;
    }

    /// Runs `body` for each task from 0 to `tasks - 1` and waits for all of them. Where several threads call, one
    /// waits for the other.
    ///
    /// @throws RuntimeException or Error: the first that a task threw
    /// @throws IllegalStateException where a task calls it, or after [#close]
    public void run(int tasks, Body body) {
        if (runner == Thread.currentThread() || isHelper(Thread.currentThread())) {
            throw new IllegalStateException("a task may not start further tasks");
        }
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException("the worker threads have ended");
            }
            runner = Thread.currentThread();
            try {
                int threads = used;
                if (tasks <= 1 || threads == 1) {
                    for (int task = 0; task < tasks; task++) {
                        body.run(task, 0);
                    }
                } else {
                    runTogether(tasks, threads, body);
                }
            } finally {
                runner = null;
            }
        }
    }

    private boolean isHelper(Thread thread) {
        for (Worker helper : helpers) {
            if (helper.thread == thread) {
                return true;
            }
        }
        return false;
    }

    private void runTogether(int tasks, int threads, Body body) {
        Job shared = new Job(body, tasks, new AtomicInteger(), new AtomicInteger(), new AtomicReference<>());
        job = shared;
        generation.getAndIncrement();
        for (int i = 0; i < Math.min(threads, tasks) - 1; i++) {
            if (helpers[i].parked) {
                LockSupport.unpark(helpers[i].thread);
            }
        }
        shared.work(0);
        for (int spins = 0; shared.done.get() < tasks; spins++) {
            if (spins < SPINS) {
                Thread.onSpinWait();
            } else {
                Thread.yield();
            }
        }
        job = null;
        rethrow(shared.failure.get());
    }

    private void serve(Worker self) {
        int seen = 0;
        while (!closed) {
            for (int spins = 0; generation.get() == seen; spins++) {
                if (spins < SPINS && self.number < used) {
                    Thread.onSpinWait();
                } else {
                    self.parked = true;
                    if (generation.get() == seen) {
                        LockSupport.park(this);
                    }
                    self.parked = false;
                }
            }
            seen = generation.get();
            Job current = job;
            if (current != null && self.number < used) {
                current.work(self.number);
            }
        }
    }

    /// Ends the threads; nothing may be run afterwards.
    @Override
    public void close() {
        closed = true;
        generation.getAndIncrement();
        for (Worker helper : helpers) {
            LockSupport.unpark(helper.thread);
        }
    }

    private static void rethrow(@Nullable Throwable failure) {
        switch (failure) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable t -> throw new IllegalStateException(t);
        }
    }
}
