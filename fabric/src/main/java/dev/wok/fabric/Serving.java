package dev.wok.fabric;

import dev.wok.device.CudaException;
import dev.wok.device.Threads;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// A thread that moves what travels between this rank and the others, see [Fabric#serve].
public final class Serving implements AutoCloseable {
    /// It takes a processor from who computes as often as this, while nothing comes. Meanwhile a ring or a socket
    /// holds what has come: at 5 GB/s a ring of 2 MB is full by then.
    private static final long SLEEP = TimeUnit.MICROSECONDS.toNanos(400);

    private final Traffic traffic;
    private final Thread thread;
    private volatile boolean closed;

    Serving(Traffic traffic, int rank) {
        this.traffic = traffic;
        thread = Thread.ofPlatform().daemon().name("wok-exchange-" + rank).start(this::serve);
    }

    private void serve() {
        try {
            while (!closed) {
                if (!traffic.progress()) {
                    LockSupport.parkNanos(SLEEP);
                }
            }
        } catch (Departed | CudaException e) {
            /* Who waits for what travels is told, or meets the same. */
            closed = true;
        }
    }

    /// Ends the thread.
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
        Threads.join(thread);
    }
}
