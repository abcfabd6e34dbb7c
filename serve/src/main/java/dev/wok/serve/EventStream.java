package dev.wok.serve;

import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import tools.jackson.databind.JsonNode;

/// An answer of server-sent events. Routes' threads hand in events, the event loop writes them; what is
/// on its way in between is bounded, so that a client that reads slowly slows its own text down and
/// takes no memory.
final class EventStream implements Call.Events {
    private static final int ON_ITS_WAY = 64 << 10;
    private static final Buffer COMMENT = Buffer.buffer(": keep-alive\n\n");

    private final Context context;
    private final HttpServerResponse response;
    private final Duration patience;
    private final Duration quiet;
    private final Runnable unread;
    private final Runnable ended;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition written = lock.newCondition();
    private long onItsWay;
    private boolean over = true;
    private boolean whole;

    /// Of the event loop alone.
    private boolean silent;

    private long timer;

    /// @param context of the connection
    /// @param patience how long a client may not read
    /// @param quiet after how long of silence a comment is sent
    /// @param unread is run where the client has not read for too long
    /// @param ended is run when all was handed to the connection
    EventStream(
            Context context,
            HttpServerResponse response,
            Duration patience,
            Duration quiet,
            Runnable unread,
            Runnable ended) {
        this.context = context;
        this.response = response;
        this.patience = patience;
        this.unread = unread;
        this.ended = ended;
        this.quiet = quiet;
    }

    /// Begins the answer; before that, nobody is there to read.
    void begin() {
        lock.lock();
        try {
            over = false;
        } finally {
            lock.unlock();
        }
        context.runOnContext(_ -> {
            if (!response.closed()) {
                // HTTP/1.0, which has no chunks, gets its head with the first bytes alone.
                var _ = response.isChunked() ? response.writeHead() : response.write(COMMENT);
                timer = context.owner().setPeriodic(quiet.toMillis(), _ -> keepAlive());
            }
        });
    }

    private void keepAlive() {
        if (silent && !response.ended() && !response.closed()) {
            var _ = response.write(COMMENT);
        }
        silent = true;
    }

    @Override
    public void send(JsonNode json) {
        write("data: " + json + "\n\n");
    }

    @Override
    public void send(String event, JsonNode json) {
        write("event: " + event + "\ndata: " + json + "\n\n");
    }

    @Override
    public void send(String text) {
        write("data: " + text + "\n\n");
    }

    private void write(String event) {
        Buffer bytes = Buffer.buffer(event);
        if (!reserve(bytes.length())) {
            return;
        }
        context.runOnContext(_ -> {
            silent = false;
            response.write(bytes).onComplete(result -> wrote(bytes.length(), result.failed()));
        });
    }

    private void wrote(int bytes, boolean failed) {
        lock.lock();
        try {
            onItsWay -= bytes;
            over |= failed;
            written.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Waits until there is room on the way to the client.
    ///
    /// @return whether anyone is there to read
    private boolean reserve(int bytes) {
        boolean gaveUp = false;
        lock.lock();
        try {
            while (!over && onItsWay > ON_ITS_WAY) {
                long before = onItsWay;
                if (!written.await(patience.toNanos(), TimeUnit.NANOSECONDS) && onItsWay >= before) {
                    over = true;
                    gaveUp = true;
                }
            }
            if (!over) {
                onItsWay += bytes;
                return true;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            over = true;
            gaveUp = true;
        } finally {
            lock.unlock();
        }
        if (gaveUp) {
            unread.run();
        }
        return false;
    }

    /// Lets nobody wait any more: the client has gone.
    void giveUp() {
        lock.lock();
        try {
            over = true;
            written.signalAll();
        } finally {
            lock.unlock();
        }
        context.runOnContext(_ -> context.owner().cancelTimer(timer));
    }

    /// @return whether the whole answer was given
    boolean hasEnded() {
        lock.lock();
        try {
            return whole;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void end() {
        lock.lock();
        try {
            if (over) {
                return;
            }
            over = true;
            whole = true;
        } finally {
            lock.unlock();
        }
        context.runOnContext(_ -> {
            context.owner().cancelTimer(timer);
            if (!response.ended() && !response.closed()) {
                var _ = response.end();
            }
            ended.run();
        });
    }
}
