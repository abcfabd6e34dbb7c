package dev.wok.train;

import dev.wok.device.Threads;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Rank 0 of a run's group: it tells the others what comes next ([Order]) and does its own part. In a group of one it
/// does just that. One thread at a time.
final class Leader implements AutoCloseable {
    private static final long MOST_MILLIS_BETWEEN_SIGNS = 5000;

    /// So often a sign comes while others would wait for one.
    private static final int SIGNS = 4;

    /// What the other ranks wait for.
    private enum Waiting {
        ORDERS,
        /// That all are ready.
        READINESS,
        /// Their part in something that is not done.
        WORK,
        NOTHING
    }

    private final Fabric fabric;
    private Waiting waiting = Waiting.ORDERS;
    private Order.Ending ending = Order.Ending.FAILED;

    Leader(Fabric fabric) {
        this.fabric = fabric;
    }

    Fabric fabric() {
        return fabric;
    }

    /// Does what the others have no part in, and shows them meanwhile that this rank is alive.
    ///
    /// @param what in words
    <T> T meanwhile(String what, Supplier<T> work) {
        if (fabric.size() == 1) {
            return work.get();
        }
        fabric.doing(what);
        long pause = Math.min(MOST_MILLIS_BETWEEN_SIGNS, fabric.limit().toMillis() / SIGNS);
        CountDownLatch done = new CountDownLatch(1);
        AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>();
        Thread signs = Thread.ofPlatform().daemon().name("signs").start(() -> {
            try {
                while (!done.await(pause, TimeUnit.MILLISECONDS)) {
                    tell(new Order.Wait());
                }
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            } catch (RuntimeException e) {
                failure.set(e);
            }
        });
        T result;
        try {
            result = work.get();
        } finally {
            done.countDown();
            Threads.join(signs);
        }
        RuntimeException failed = failure.get();
        if (failed != null) {
            waiting = Waiting.NOTHING;
            throw failed;
        }
        return result;
    }

    private void tell(Order order) {
        if (fabric.size() > 1) {
            fabric.broadcast(OrderLayout.bytes(order), 0);
        }
    }

    /// Tells the others to take their shares of the model.
    void begin(Order.Begin order) {
        fabric.doing(order.doing());
        tell(order);
        waiting = Waiting.READINESS;
    }

    /// Says that this rank has its share, and waits until all have.
    ///
    /// @throws BadInput where a rank refuses what it was given
    void ready() {
        waiting = Waiting.NOTHING;
        List<byte[]> all = fabric.allGather(Readiness.ready().bytes());
        for (int rank = 0; rank < all.size(); rank++) {
            require(rank, all.get(rank));
        }
        waiting = Waiting.ORDERS;
    }

    private static void require(int rank, byte[] bytes) {
        Readiness readiness;
        try {
            readiness = Readiness.of(bytes);
        } catch (IllegalArgumentException e) {
            throw new Departed(
                    rank,
                    "rank %d did not say whether it is ready, but sent %s; start all ranks from the same Wok."
                            .formatted(rank, e.getMessage()));
        }
        switch (readiness.kind()) {
            case READY -> {}
            case REFUSED -> throw new BadInput("rank %d: %s".formatted(rank, readiness.reason()));
            case FAILED ->
                throw new Departed(
                        rank,
                        "rank %d failed while it took its share of the model: %s.".formatted(rank, readiness.reason()));
        }
    }

    TrainingStep.Result step(TrainingStep step, List<Batch> batches, long number, double learningRate, double gamma) {
        return together(
                new Order.Step(batches, number, learningRate, gamma),
                () -> step.run(batches, number, learningRate, gamma));
    }

    /// @return the sum of the cross-entropy over the batch's targets, in nats
    double evaluate(TrainingStep step, Batch batch) {
        return together(new Order.Evaluate(batch), () -> step.evaluate(batch));
    }

    /// @return whether the weights have a finite norm
    boolean isFinite(TrainingStep step) {
        return together(new Order.Measure(), () -> step.descent().isFinite());
    }

    void save(Model model, Path folder) {
        together(new Order.GiveModel(), () -> {
            model.save(folder);
            return true;
        });
        force(folder);
    }

    /// @param file gets the optimizer's state
    void save(TrainingStep step, Path file) {
        together(new Order.GiveMoments(), () -> {
            step.descent().write(file);
            return true;
        });
        force(file);
    }

    /// Forces to the disk what was saved: that may take long, and others wait.
    private void force(Path path) {
        boolean _ = meanwhile("a checkpoint", () -> {
            try {
                Durable.force(path);
                return true;
            } catch (IOException e) {
                throw BadInput.writing(path, e);
            }
        });
    }

    /// Reads into a cache of the model: every pass is the others' too.
    <T> T reading(Model model, Supplier<T> work) {
        if (fabric.size() == 1) {
            return work.get();
        }
        fabric.doing("a sample");
        model.onRead(kind -> tell(new Order.Read(kind)));
        waiting = Waiting.WORK;
        T result = work.get();
        model.onRead(_ -> {});
        waiting = Waiting.ORDERS;
        return result;
    }

    private <T> T together(Order order, Supplier<T> part) {
        fabric.doing(order.doing());
        tell(order);
        waiting = Waiting.WORK;
        T result = part.get();
        waiting = Waiting.ORDERS;
        return result;
    }

    /// Says how the sitting went, for the others' exit codes.
    void ends(boolean finished) {
        ending = finished ? Order.Ending.FINISHED : Order.Ending.STOPPED;
    }

    /// Lets the others go, unless they wait for what will not come: these learn it when this rank leaves the group.
    @Override
    public void close() {
        switch (waiting) {
            case ORDERS -> tell(new Order.End(ending));
            case READINESS -> {
                boolean _ = fabric.allGather(new Readiness(Readiness.Kind.REFUSED, "the leader refuses").bytes())
                        .isEmpty();
            }
            case WORK, NOTHING -> {}
        }
        waiting = Waiting.NOTHING;
    }
}
