package dev.wok.serve;

import dev.wok.notice.BadInput;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.net.KeyStoreOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// Connections, and what comes and goes over them. One event loop moves all bytes and waits for
/// nothing; each request that has arrived whole gets a virtual thread, which may.
final class Transport {
    /// How much of a refused body is read, for its sender to read why: else the connection is closed.
    private static final long DISCARDED_BODIES = 4;

    private static final long DISCARDED_BYTES = 1 << 20;
    private static final long SWEEP_MILLIS = 1000;
    private static final long CLOSING_SECONDS = 5;
    private static final int BODIES_HELD = 8;
    private static final int FIRST_BYTES = 8 << 10;
    private static final int MAX_HEADERS = 64 << 10;
    private static final int MAX_LINE = 16 << 10;
    private static final long HOUR_MILLIS = 3_600_000;
    private static final int RANDOM_BYTES = 8;

    /// A connection, of the event loop alone.
    private static final class Wire {
        /// Requests that were not answered yet.
        private int busy;

        private long quietSince = System.nanoTime();
    }

    private final Server.Options options;
    private final Router router;
    private final Gate gate;
    private final @Nullable Keys keys;
    private final Metrics metrics;
    private final AtomicBoolean draining;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final Vertx vertx;
    private final Context context;
    private final HttpServer server;
    private final Exchange.Surroundings surroundings;
    private final Set<Exchange> open = ConcurrentHashMap.newKeySet();
    private final SecureRandom random = new SecureRandom();

    /// Of the event loop alone.
    private final IdentityHashMap<HttpConnection, Wire> wires = new IdentityHashMap<>();

    /// Bytes of bodies in memory; of the event loop alone.
    private long held;

    private Transport(
            Server.Options options,
            List<Endpoint> endpoints,
            Models models,
            Admission admission,
            Metrics metrics,
            AtomicBoolean draining) {
        this.options = options;
        this.metrics = metrics;
        this.draining = draining;
        router = new Router(endpoints);
        keys = options.keys().map(file -> new Keys(file, options.progress())).orElse(null);
        gate = new Gate(options.host(), keys, options.origins());
        HttpServerOptions http = http();
        vertx = Vertx.vertx(new VertxOptions()
                .setEventLoopPoolSize(1)
                .setWorkerPoolSize(1)
                .setInternalBlockingPoolSize(1)
                .setBlockedThreadCheckInterval(HOUR_MILLIS)
                .setUseDaemonThread(true)
                .setFileSystemOptions(new FileSystemOptions()
                        .setClassPathResolvingEnabled(false)
                        .setFileCachingEnabled(false)));
        vertx.exceptionHandler(e -> options.progress().say("the server failed: %s".formatted(Exchange.described(e))));
        context = vertx.getOrCreateContext();
        server = vertx.createHttpServer(http);
        surroundings = new Exchange.Surroundings(
                models, admission, metrics, options.limits(), options.progress(), options.log(), context);
    }

    /// @param draining whether no more requests are taken
    /// @throws BadInput where a file cannot be read, or the address is not to be had
    static Transport start(
            Server.Options options,
            List<Endpoint> endpoints,
            Models models,
            Admission admission,
            Metrics metrics,
            AtomicBoolean draining) {
        Transport transport = new Transport(options, endpoints, models, admission, metrics, draining);
        try {
            transport.listen();
        } catch (RuntimeException | Error e) {
            transport.vertx.close().toCompletionStage().toCompletableFuture().join();
            throw e;
        }
        return transport;
    }

    private HttpServerOptions http() {
        HttpServerOptions http = new HttpServerOptions()
                .setHttp2ClearTextEnabled(false)
                .setMaxHeaderSize(MAX_HEADERS)
                .setMaxInitialLineLength(MAX_LINE);
        options.tls().ifPresent(tls -> {
            KeyStoreOptions store = new KeyStoreOptions()
                    .setType(type(tls))
                    .setPath(tls.keyStore().toString())
                    .setPassword(tls.password());
            http.setSsl(true).setUseAlpn(true).setKeyCertOptions(store);
        });
        return http;
    }

    /// @return in which form the key store is
    private static String type(Server.Tls tls) {
        Path file = tls.keyStore();
        if (!Files.isReadable(file)) {
            throw BadInput.reading(
                    file,
                    Files.exists(file)
                            ? new AccessDeniedException(file.toString())
                            : new NoSuchFileException(file.toString()));
        }
        try {
            return KeyStore.getInstance(file.toFile(), tls.password().toCharArray())
                    .getType();
        } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
            throw new BadInput(
                    "%s could not be opened: expected a key store (PKCS12 or JKS) and its password.".formatted(file),
                    e);
        }
    }

    private void listen() {
        server.connectionHandler(this::track);
        server.requestHandler(this::handle);
        server.invalidRequestHandler(this::malformed);
        server.exceptionHandler(_ -> {});
        vertx.setPeriodic(SWEEP_MILLIS, _ -> sweep());
        try {
            server.listen(options.port(), options.host())
                    .toCompletionStage()
                    .toCompletableFuture()
                    .join();
        } catch (CompletionException e) {
            Throwable cause = e.getCause();
            throw new BadInput(
                    "nothing can listen at %s, port %d: %s. Choose another --host or --port."
                            .formatted(
                                    options.host(),
                                    options.port(),
                                    cause == null ? e.getMessage() : cause.getMessage()),
                    e);
        }
    }

    int port() {
        return server.actualPort();
    }

    private void track(HttpConnection connection) {
        wires.put(connection, new Wire());
        metrics.connections(wires.size());
        connection.closeHandler(_ -> {
            wires.remove(connection);
            metrics.connections(wires.size());
        });
        connection.exceptionHandler(_ -> {});
    }

    /// Closes connections over which nothing is asked: what they say may come a byte at a time, or
    /// never.
    private void sweep() {
        long now = System.nanoTime();
        long limit = options.limits().idle().toNanos();
        for (Map.Entry<HttpConnection, Wire> entry : List.copyOf(wires.entrySet())) {
            if (entry.getValue().busy == 0 && now - entry.getValue().quietSince > limit) {
                var _ = entry.getKey().close();
            }
        }
        Keys asked = keys;
        if (asked != null) {
            Thread.ofVirtual().name("wok-keys").start(asked::refresh);
        }
    }

    private void malformed(HttpServerRequest request) {
        Throwable cause = request.decoderResult().cause();
        String name = cause == null ? "" : cause.getClass().getSimpleName();
        Refusal refusal = name.startsWith("TooLongHttpLine")
                ? Refusal.badRequest(414, "the first line of the request is longer than 16 KiB.")
                : name.startsWith("TooLongHttpHeader")
                        ? Refusal.badRequest(431, "the headers of the request are larger than 64 KiB.")
                        : Refusal.badRequest(400, "the request is not HTTP/1.1.");
        metrics.refused(refusal);
        metrics.answered("other", "other", refusal.status());
        request.response().putHeader("connection", "close");
        Answering.send(
                request.response(), refusal.status(), Answering.JSON, Answering.bytes(Errors.openAi(refusal)), refusal);
    }

    private void handle(HttpServerRequest request) {
        String id = "req_" + HexFormat.of().formatHex(randomBytes());
        HttpServerResponse response = request.response();
        response.putHeader("x-request-id", id).putHeader("request-id", id);
        Wire wire = wires.computeIfAbsent(request.connection(), _ -> new Wire());
        wire.busy++;
        AtomicBoolean counted = new AtomicBoolean();
        Runnable answered = () -> {
            if (counted.compareAndSet(false, true)) {
                wire.busy--;
                wire.quietSince = System.nanoTime();
            }
        };
        request.exceptionHandler(_ -> {});
        response.exceptionHandler(_ -> {});
        String method = request.method().name();
        Router.Found found = null;
        try {
            String path = decoded(request.path());
            Optional<String> origin = gate.allowed(request.getHeader("origin"));
            origin.ifPresent(name -> response.putHeader("access-control-allow-origin", name)
                    .putHeader("access-control-expose-headers", "retry-after, x-request-id")
                    .putHeader("vary", "origin"));
            if (origin.isPresent() && isPreflight(request)) {
                preflight(request, path);
                answered.run();
                return;
            }
            Optional<Key> key = Optional.empty();
            if (path.equals(Operations.HEALTH)) {
                found = router.find(method, path);
            } else {
                try {
                    key = gate.admit(method, name -> header(request, name));
                } catch (Refusal refusal) {
                    if (refusal.status() == 401) {
                        challenge(request, path);
                    }
                    throw refusal;
                }
                found = router.find(method, path);
                requireWelcome(request, found, key);
            }
            receive(request, new Arrival(id, path, found, key, answered));
        } catch (Refusal refusal) {
            refuse(request, found, refusal);
            discard(request);
            answered.run();
        }
    }

    /// HTTP/2 has the host apart from the headers.
    private static @Nullable String header(HttpServerRequest request, String name) {
        String value = request.getHeader(name);
        return value == null && name.equals("host") && request.authority() != null
                ? request.authority().toString()
                : value;
    }

    private byte[] randomBytes() {
        byte[] bytes = new byte[RANDOM_BYTES];
        random.nextBytes(bytes);
        return bytes;
    }

    private static String decoded(@Nullable String path) {
        try {
            return path == null ? "" : URLDecoder.decode(path.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw Refusal.badRequest(400, "the path has a % that two hexadecimal digits don't follow.");
        }
    }

    private static boolean isPreflight(HttpServerRequest request) {
        return request.method().name().equals("OPTIONS") && request.getHeader("access-control-request-method") != null;
    }

    /// Browsers ask whether a page of elsewhere may ask, and show no key with that.
    private void preflight(HttpServerRequest request, String path) {
        HttpServerResponse response = request.response();
        response.putHeader("access-control-allow-methods", String.join(", ", router.methods(path)))
                .putHeader("access-control-max-age", "600");
        String headers = request.getHeader("access-control-request-headers");
        if (headers != null) {
            response.putHeader("access-control-allow-headers", headers);
        }
        var _ = response.setStatusCode(204).end();
        discard(request);
    }

    /// Lets browsers ask people for the key where they open a page.
    private void challenge(HttpServerRequest request, String path) {
        String accept = request.getHeader("accept");
        boolean page;
        try {
            page = router.find("GET", path).endpoint().route().isForPeople();
        } catch (Refusal e) {
            page = false;
        }
        boolean asks = page && accept != null && accept.contains("text/html");
        request.response().putHeader("www-authenticate", (asks ? "Basic" : "Bearer") + " realm=\"wok\"");
    }

    private void requireWelcome(HttpServerRequest request, Router.Found found, Optional<Key> key) {
        if (draining.get()) {
            throw shuttingDown();
        }
        if (!found.endpoint().method().equals("POST")) {
            return;
        }
        key.ifPresent(k -> k.request(System.nanoTime()));
        String type = request.getHeader("content-type");
        if (type != null
                && !type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT).equals("application/json")) {
            throw Refusal.badRequest(
                    415,
                    "the content type is '%s', expected application/json; curl sends it with --json.".formatted(type));
        }
        String encoding = request.getHeader("content-encoding");
        if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
            throw Refusal.badRequest(
                    415, "the content encoding is '%s'; send the body uncompressed.".formatted(encoding));
        }
    }

    private static Refusal shuttingDown() {
        return Refusal.unavailable("shutting_down", "the server is shutting down.", 1);
    }

    private void refuse(HttpServerRequest request, Router.@Nullable Found found, Refusal refusal) {
        metrics.refused(refusal);
        metrics.answered(
                found == null ? "other" : found.endpoint().path(),
                found == null ? "other" : request.method().name(),
                refusal.status());
        if (options.log() != Server.Log.FAILURES) {
            String id = String.valueOf(request.response().headers().get("x-request-id"));
            options.progress().say(Exchange.line(id, request, refusal.status()));
        }
        if (refusal.status() == 405) {
            request.response().putHeader("allow", String.join(", ", router.methods(decoded(request.path()))));
        }
        var error = found == null
                ? Errors.openAi(refusal)
                : found.endpoint().route().error(refusal);
        Answering.send(request.response(), refusal.status(), Answering.JSON, Answering.bytes(error), refusal);
    }

    /// Lets a client that was answered already send the rest of what it sends, or it would not read the
    /// answer.
    private void discard(HttpServerRequest request) {
        if (request.isEnded()) {
            return;
        }
        HttpConnection connection = request.connection();
        long timer = vertx.setTimer(options.limits().body().toMillis(), _ -> {
            var _ = connection.close();
        });
        long[] bytes = {0};
        request.handler(chunk -> {
            bytes[0] += chunk.length();
            if (bytes[0] > DISCARDED_BODIES * options.limits().bodyBytes() + DISCARDED_BYTES) {
                var _ = connection.close();
            }
        });
        request.endHandler(_ -> vertx.cancelTimer(timer));
        request.exceptionHandler(_ -> vertx.cancelTimer(timer));
    }

    /// A request whose body comes.
    private record Arrival(String id, String path, Router.Found found, Optional<Key> key, Runnable answered) {}

    private void receive(HttpServerRequest request, Arrival arrival) {
        int most = options.limits().bodyBytes();
        if (announced(request) > most) {
            throw tooLarge(most);
        }
        String expect = request.getHeader("expect");
        if (expect != null && expect.equalsIgnoreCase("100-continue")) {
            var _ = request.response().writeContinue();
        }
        ByteArrayOutputStream body = new ByteArrayOutputStream(FIRST_BYTES);
        AtomicBoolean ended = new AtomicBoolean();
        long timer = vertx.setTimer(options.limits().body().toMillis(), _ -> {
            request.response().putHeader("connection", "close");
            giveUp(
                    request,
                    arrival,
                    body,
                    ended,
                    Refusal.badRequest(
                            408,
                            "the body did not arrive within %s s."
                                    .formatted(options.limits().body().toMillis() / 1e3)));
            request.connection().close();
        });
        request.handler(chunk -> {
            if (ended.get()) {
                return;
            }
            held += chunk.length();
            body.writeBytes(chunk.getBytes());
            Optional<Refusal> refusal = body.size() > most
                    ? Optional.of(tooLarge(most))
                    : held > (long) BODIES_HELD * most
                            ? Optional.of(Refusal.unavailable("busy", "too many large requests arrive at once.", 1))
                            : Optional.empty();
            refusal.ifPresent(r -> {
                vertx.cancelTimer(timer);
                giveUp(request, arrival, body, ended, r);
                discard(request);
            });
        });
        request.exceptionHandler(_ -> {
            vertx.cancelTimer(timer);
            if (ended.compareAndSet(false, true)) {
                held -= body.size();
                arrival.answered.run();
            }
        });
        request.endHandler(_ -> {
            vertx.cancelTimer(timer);
            if (ended.compareAndSet(false, true)) {
                begin(request, arrival, body.toByteArray());
            }
        });
    }

    private void giveUp(
            HttpServerRequest request,
            Arrival arrival,
            ByteArrayOutputStream body,
            AtomicBoolean ended,
            Refusal refusal) {
        if (ended.compareAndSet(false, true)) {
            held -= body.size();
            refuse(request, arrival.found, refusal);
            arrival.answered.run();
        }
    }

    private static long announced(HttpServerRequest request) {
        String length = request.getHeader("content-length");
        try {
            return length == null ? 0 : Long.parseLong(length.strip());
        } catch (NumberFormatException e) {
            throw Refusal.badRequest(400, "the content length is no number.");
        }
    }

    private static Refusal tooLarge(int most) {
        return Refusal.badRequest(413, "the body is larger than %,d bytes, which this server takes.".formatted(most));
    }

    private void begin(HttpServerRequest request, Arrival arrival, byte[] body) {
        Exchange exchange = new Exchange(
                surroundings,
                request,
                new Exchange.Asked(arrival.id, arrival.path, arrival.found, arrival.key, body),
                arrival.answered);
        open.add(exchange);
        request.response().closeHandler(_ -> {
            exchange.leave();
            arrival.answered.run();
        });
        request.response().exceptionHandler(_ -> exchange.leave());
        Thread.ofVirtual().name("wok-request-" + arrival.id).start(() -> {
            try {
                exchange.run();
            } finally {
                open.remove(exchange);
                context.runOnContext(_ -> held -= body.length);
            }
        });
    }

    /// Takes no more requests, waits for those in progress, ends them, and closes.
    void drain(Duration limit) {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        draining.set(true);
        boolean interrupted = !await(limit);
        Refusal refusal = shuttingDown();
        for (Exchange exchange : open) {
            Thread.ofVirtual().name("wok-drain").start(() -> exchange.abort(refusal));
        }
        interrupted |= !await(Duration.ofSeconds(CLOSING_SECONDS));
        Future<Void> all = vertx.close();
        try {
            all.toCompletionStage().toCompletableFuture().get(CLOSING_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            options.progress().say("the server closed late: %s".formatted(e));
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /// @return whether nobody interrupted it
    private boolean await(Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        try {
            for (Exchange exchange : open) {
                boolean _ = exchange.await(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
            }
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }
}
