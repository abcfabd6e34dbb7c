package dev.wok.model;

import dev.wok.fabric.Timeline;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Two passes, on a thread each, of which one computes at a time: where one would wait for other
/// ranks, it hands over to the other. Both wait at the same places, so which computes when is the
/// same in every run and on all ranks, and what both add to at one place the first adds to first.
final class Turns {
    /// The other pass has failed.
    private static final class Abandoned extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private final Timeline timeline;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Side first = new Side();
    private final Side second = new Side();
    private Side holder = first;
    private boolean led;
    private @Nullable Throwable failure;

    private Turns(Timeline timeline) {
        this.timeline = timeline;
    }

    /// Runs two passes to their ends. Where one fails, the other ends at its next turn.
    ///
    /// @param first on this thread
    /// @param second on one of `other`
    static void run(Timeline timeline, ExecutorService other, Consumer<Turn> first, Consumer<Turn> second) {
        Turns turns = new Turns(timeline);
        other.execute(() -> turns.second.run(second));
        turns.first.run(first);
        try (var _ = timeline.span(Timeline.Kind.WAIT, "turn", -1)) {
            turns.awaitSecond();
        }
        switch (turns.failure) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    /// Waits even where it is interrupted: the pass uses what the caller would free.
    private void awaitSecond() {
        lock.lock();
        try {
            while (!second.done) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /// One of the two.
    final class Side implements Turn {
        private boolean done;

        /// Whether it waits in [#follow].
        private boolean follows;

        private void run(Consumer<Turn> pass) {
            try {
                with(this::own);
                pass.accept(this);
                with(this::finish);
            } catch (Abandoned e) {
                with(this::finish);
            } catch (Throwable e) {
                with(() -> fail(e));
            }
        }

        private void with(Runnable change) {
            lock.lock();
            try {
                change.run();
            } finally {
                lock.unlock();
            }
        }

        private Side other() {
            return this == first ? second : first;
        }

        private boolean canCompute() {
            return !done && (!follows || led);
        }

        @Override
        public void hand() {
            with(this::giveAndOwn);
        }

        private void giveAndOwn() {
            if (other().canCompute()) {
                give();
            }
            own();
        }

        private void give() {
            holder = other();
            changed.signalAll();
        }

        /// Waits for its turn.
        private void own() {
            if (holder != this && failure == null) {
                try (var _ = timeline.span(Timeline.Kind.WAIT, "turn", -1)) {
                    while (holder != this && failure == null) {
                        changed.awaitUninterruptibly();
                    }
                }
            }
            if (failure != null) {
                throw new Abandoned();
            }
        }

        @Override
        public void follow() {
            with(() -> {
                if (this == second && !led) {
                    follows = true;
                    give();
                    own();
                }
            });
        }

        @Override
        public void lead() {
            with(() -> led |= this == first);
        }

        private void finish() {
            done = true;
            led |= this == first;
            give();
        }

        private void fail(Throwable e) {
            failure = failure == null ? e : failure;
            finish();
        }
    }
}
