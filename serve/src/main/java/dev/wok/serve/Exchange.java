package dev.wok.serve;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import io.vertx.core.Context;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// One request and its answer, which is given once: by the route, by what the route threw, or, where
/// nobody waits for it any more, not at all.
final class Exchange implements Call {
    private static final int FRAMES_LOGGED = 6;

    /// What an exchange shares with others.
    ///
    /// @param context of the event loop, which alone touches connections
    record Surroundings(
            Models models,
            Admission admission,
            Metrics metrics,
            Server.Limits limits,
            Progress progress,
            Server.Log log,
            Context context) {}

    /// @param id names the request in answers and in the log
    /// @param path decoded
    /// @param found what answers it
    /// @param key of whoever asks, where keys are asked for
    record Asked(String id, String path, Router.Found found, Optional<Key> key, byte[] body) {}

    private final Surroundings around;
    private final HttpServerRequest request;
    private final HttpServerResponse response;
    private final Asked asked;
    private final Runnable answered;
    private final long begun = System.nanoTime();
    private final CountDownLatch done = new CountDownLatch(1);

    /// Guards what follows.
    private final ReentrantLock lock = new ReentrantLock();

    private final List<Runnable> whenGone = new ArrayList<>();
    private @Nullable EventStream stream;
    private boolean answering;
    private boolean gone;

    /// That was answered; 0 before.
    private volatile int status;

    /// @param answered is run on the event loop when the whole answer is on its way
    Exchange(Surroundings around, HttpServerRequest request, Asked asked, Runnable answered) {
        this.around = around;
        this.request = request;
        this.asked = asked;
        this.answered = answered;
        response = request.response();
    }

    /// Answers the request, on a thread that may wait.
    void run() {
        Route route = asked.found.endpoint().route();
        try {
            if (around.log == Server.Log.PROMPTS && asked.body.length > 0) {
                around.progress.say("%s asks %s".formatted(asked.id, body()));
            }
            route.answer(this);
            if (!isAnswered()) {
                throw new IllegalStateException("the route gave no answer");
            }
        } catch (Refusal refusal) {
            refuse(refusal);
        } catch (BadInput e) {
            refuse(Refusal.badRequest(400, around.models.told(String.valueOf(e.getMessage()))));
        } catch (RuntimeException | Error e) {
            around.progress.say("%s failed: %s".formatted(asked.id, described(e)));
            refuse(new Refusal(
                    500, "server_error", "the server failed; its log says why at %s.".formatted(asked.id), null, null));
        } finally {
            EventStream open = stream();
            if (open != null) {
                open.end();
            }
            if (around.log != Server.Log.FAILURES) {
                around.progress.say(line());
            }
            done.countDown();
        }
    }

    private String line() {
        double seconds = (System.nanoTime() - begun) / 1e9;
        String end = asked.key.map(key -> " " + key.name()).orElse("") + (isGone() ? ", gone" : "");
        return line(asked.id, request, status) + " in %.3f s%s".formatted(seconds, end);
    }

    /// @return the line that the log has for a request, to which more may be added
    static String line(String id, HttpServerRequest request, int status) {
        return "%s %s %s: %d".formatted(id, request.method(), request.path(), status);
    }

    /// @return what failed and where, in one line
    static String described(Throwable e) {
        StringBuilder text = new StringBuilder().append(e);
        Arrays.stream(e.getStackTrace())
                .limit(FRAMES_LOGGED)
                .map(frame ->
                        " < %s.%s:%d".formatted(frame.getClassName(), frame.getMethodName(), frame.getLineNumber()))
                .forEach(text::append);
        return text.toString().replaceAll("\\s*\\R\\s*", " ");
    }

    private boolean isAnswered() {
        lock.lock();
        try {
            return answering || gone;
        } finally {
            lock.unlock();
        }
    }

    private boolean isGone() {
        lock.lock();
        try {
            return gone;
        } finally {
            lock.unlock();
        }
    }

    private @Nullable EventStream stream() {
        lock.lock();
        try {
            return stream;
        } finally {
            lock.unlock();
        }
    }

    /// Answers with an error, where somebody waits and there is no answer yet or one that goes on.
    private void refuse(Refusal refusal) {
        if (isGone()) {
            return;
        }
        Route route = asked.found.endpoint().route();
        around.metrics.refused(refusal);
        EventStream open = stream();
        if (open != null) {
            route.fail(open, refusal);
            open.end();
            return;
        }
        if (isAnswered()) {
            return;
        }
        if (begin()) {
            answer(refusal.status(), Answering.JSON, Answering.bytes(route.error(refusal)), refusal);
        }
    }

    /// Ends it with an error, where it has not ended, and what computes it.
    void abort(Refusal refusal) {
        refuse(refusal);
        leave(true);
    }

    /// Waits until the route's thread has ended.
    ///
    /// @return whether it has
    boolean await(Duration limit) throws InterruptedException {
        return done.await(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /// Notes that the client has gone, which matters where it has not got the whole answer.
    void leave() {
        leave(false);
    }

    private void leave(boolean afterAll) {
        List<Runnable> hooks;
        lock.lock();
        try {
            boolean whole = answering && (stream == null || stream.hasEnded());
            if (gone || (whole && !afterAll)) {
                return;
            }
            gone = true;
            hooks = List.copyOf(whenGone);
            whenGone.clear();
            if (stream != null) {
                stream.giveUp();
            }
        } finally {
            lock.unlock();
        }
        around.metrics.gone();
        // What is to be done may wait, and the event loop may not.
        Thread.ofVirtual().name("wok-gone").start(() -> hooks.forEach(this::run));
    }

    private void run(Runnable hook) {
        try {
            hook.run();
        } catch (RuntimeException | Error e) {
            around.progress.say("%s failed: %s".formatted(asked.id, described(e)));
        }
    }

    @Override
    public String method() {
        return request.method().name();
    }

    @Override
    public String path() {
        return asked.path;
    }

    @Override
    public String id() {
        return asked.found.id();
    }

    @Override
    public Optional<String> header(String name) {
        return Optional.ofNullable(request.getHeader(name));
    }

    @Override
    public ObjectNode body() {
        return Bodies.read(asked.body);
    }

    @Override
    public Models models() {
        return around.models;
    }

    @Override
    public Duration deadline() {
        return around.limits.answer();
    }

    @Override
    public Places places(int texts) {
        return around.admission.take(texts, asked.key);
    }

    @Override
    public void send(int status, JsonNode json) {
        send(status, Answering.JSON, Answering.bytes(json));
    }

    @Override
    public void send(int status, String contentType, byte[] body) {
        if (begin()) {
            answer(status, contentType, body, null);
        }
    }

    private void answer(int status, String contentType, byte[] body, @Nullable Refusal refusal) {
        count(status);
        around.context.runOnContext(_ -> {
            Answering.send(response, status, contentType, body, refusal);
            answered.run();
        });
    }

    @Override
    public void header(String name, String value) {
        around.context.runOnContext(_ -> response.putHeader(name, value));
    }

    @Override
    public Events events() {
        EventStream events = new EventStream(
                around.context, response, around.limits.idle(), around.limits.quiet(), this::unread, answered);
        if (begin()) {
            count(200);
            around.context.runOnContext(_ -> Answering.beginEvents(request));
            events.begin();
        }
        lock.lock();
        try {
            stream = events;
            if (gone) {
                events.giveUp();
            }
        } finally {
            lock.unlock();
        }
        return events;
    }

    private void unread() {
        around.context.runOnContext(_ -> {
            var _ = response.reset();
        });
        leave();
    }

    /// @return whether the answer is to be given: somebody waits for it
    /// @throws IllegalStateException where it was given
    private boolean begin() {
        lock.lock();
        try {
            if (gone) {
                return false;
            }
            if (answering) {
                throw new IllegalStateException("the request was answered before");
            }
            answering = true;
            return true;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void whenGone(Runnable what) {
        lock.lock();
        try {
            if (!gone) {
                whenGone.add(what);
                return;
            }
        } finally {
            lock.unlock();
        }
        run(what);
    }

    private void count(int status) {
        this.status = status;
        around.metrics.answered(asked.found.endpoint().path(), method(), status);
    }
}
