package dev.wok.serve;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// Serves models over HTTP, in the forms that clients of OpenAI, DeepSeek and Anthropic speak, with
/// pages for people at `/` and `/status`: the door of this room.
///
/// ```java
/// import dev.wok.serve.Server;
/// import java.nio.file.Path;
///
/// void main() throws InterruptedException {
///     var options = Server.Options.defaults().withModel("nano", Path.of("runs/nano/model"));
///     try (var server = Server.start(options)) {
///         System.out.println("http://127.0.0.1:" + server.port());
///         Thread.currentThread().join();
///     }
/// }
/// ```
///
/// The first model is loaded before the server starts, others when a request first names them. For any
/// number of threads.
public final class Server implements AutoCloseable {
    private static final int MAX_PORT = 65_535;

    /// A model that is served.
    public sealed interface Source {
        /// @return what clients call it
        String name();

        /// A model in files, which the server loads and closes.
        ///
        /// @param path a model folder or a GGUF file
        record Stored(String name, Path path) implements Source {}

        /// A model in memory, which stays the caller's.
        record Loaded(String name, Model model) implements Source {}
    }

    /// The server's own key and certificate, for HTTPS.
    ///
    /// @param keyStore a file in the form PKCS12 or JKS
    /// @param password of it
    public record Tls(Path keyStore, String password) {
        @Override
        public String toString() {
            return "Tls[keyStore=" + keyStore + "]";
        }
    }

    /// What is said of requests.
    public enum Log {
        /// Failures of the server alone.
        FAILURES,
        /// A line a request: method, path, status, seconds, key.
        REQUESTS,
        /// That, and what was asked.
        PROMPTS
    }

    /// What requests may take.
    ///
    /// @param queue texts that wait while as many as the models can are generated; more are refused
    /// @param bodyBytes of one request
    /// @param body how long a request may take to arrive
    /// @param idle how long a connection may say nothing, or not read what is sent
    /// @param answer how long a text may take
    /// @param quiet after how long of silence an answer in pieces gets a comment, which keeps
    ///     connections alive
    public record Limits(int queue, int bodyBytes, Duration body, Duration idle, Duration answer, Duration quiet) {
        public Limits {
            if (queue < 0) {
                throw new BadInput("a queue of %d texts is asked for, expected 0 or more.".formatted(queue));
            }
            if (bodyBytes < 1) {
                throw new BadInput(
                        "requests of up to %d bytes are asked for, expected 1 or more.".formatted(bodyBytes));
            }
            requirePositive("a request", body);
            requirePositive("a silent connection", idle);
            requirePositive("an answer", answer);
            requirePositive("silence", quiet);
        }

        private static void requirePositive(String what, Duration time) {
            if (time.compareTo(Duration.ofMillis(1)) < 0) {
                throw new BadInput("the time for %s is %s, expected a millisecond or more.".formatted(what, time));
            }
        }

        /// @return 64 texts, 16 MiB, 30 seconds, a minute, 10 minutes, 15 seconds
        public static Limits defaults() {
            return new Limits(
                    64,
                    16 << 20,
                    Duration.ofSeconds(30),
                    Duration.ofMinutes(1),
                    Duration.ofMinutes(10),
                    Duration.ofSeconds(15));
        }

        /// @return these with a queue of another length
        public Limits withQueue(int value) {
            return new Limits(value, bodyBytes, body, idle, answer, quiet);
        }

        /// @return these with requests of another size
        public Limits withBodyBytes(int value) {
            return new Limits(queue, value, body, idle, answer, quiet);
        }

        /// @return these with another time for requests to arrive
        public Limits withBody(Duration value) {
            return new Limits(queue, bodyBytes, value, idle, answer, quiet);
        }

        /// @return these with another time for connections to be silent
        public Limits withIdle(Duration value) {
            return new Limits(queue, bodyBytes, body, value, answer, quiet);
        }

        /// @return these with another time for answers
        public Limits withAnswer(Duration value) {
            return new Limits(queue, bodyBytes, body, idle, value, quiet);
        }

        /// @return these with comments after another time
        public Limits withQuiet(Duration value) {
            return new Limits(queue, bodyBytes, body, idle, answer, value);
        }
    }

    /// What is served, and to whom: [#defaults], changed by the `with` methods.
    ///
    /// @param models at least one; requests without a name mean the first
    /// @param loading how they are loaded
    /// @param host name or address to listen at
    /// @param port 0 for any that is free
    /// @param keys a file of [Keys]; empty where whoever reaches the server may ask
    /// @param tls for HTTPS; empty for HTTP
    /// @param origins of web pages that may ask beside the server's own, such as `https://example.com`,
    ///     or `*` for all
    /// @param limits of requests
    /// @param log what is said of requests
    /// @param progress is told what takes time and what went wrong
    public record Options(
            List<Source> models,
            Model.Options loading,
            String host,
            int port,
            Optional<Path> keys,
            Optional<Tls> tls,
            List<String> origins,
            Limits limits,
            Log log,
            Progress progress) {
        private static final int PORT = 8080;

        public Options {
            models = List.copyOf(models);
            origins = List.copyOf(origins);
            if (port < 0 || port > MAX_PORT) {
                throw new BadInput("port %d: expected 0 (any that is free) to %d.".formatted(port, MAX_PORT));
            }
            for (Source source : models) {
                if (source.name().isBlank()) {
                    throw new BadInput("a model has no name, expected one.");
                }
            }
            for (String origin : origins) {
                if (!origin.equals("*") && !origin.matches("https?://[^/\\s]+")) {
                    throw new BadInput(
                            "the origin '%s': expected one such as https://example.com, or *.".formatted(origin));
                }
            }
        }

        /// @return no model, this machine only, port 8080, no keys, HTTP, no pages of elsewhere,
        ///     [Limits#defaults], failures alone, and no word about progress
        public static Options defaults() {
            return new Options(
                    List.of(),
                    Model.Options.defaults(),
                    "127.0.0.1",
                    PORT,
                    Optional.empty(),
                    Optional.empty(),
                    List.of(),
                    Limits.defaults(),
                    Log.FAILURES,
                    Progress.silent());
        }

        /// @return these with one more model, which is loaded when it is first asked for, or, as the
        ///     first, at once
        public Options withModel(String name, Path path) {
            return with(new Source.Stored(name, path));
        }

        /// @return these with one more model, which stays the caller's
        public Options withModel(String name, Model model) {
            return with(new Source.Loaded(name, model));
        }

        private Options with(Source source) {
            List<Source> more = new ArrayList<>(models);
            more.add(source);
            return new Options(more, loading, host, port, keys, tls, origins, limits, log, progress);
        }

        /// @return these with models loaded in another way
        public Options withLoading(Model.Options value) {
            return new Options(models, value, host, port, keys, tls, origins, limits, log, progress);
        }

        /// @return these at another name or address: `0.0.0.0` for all of this machine's
        public Options withHost(String value) {
            return new Options(models, loading, value, port, keys, tls, origins, limits, log, progress);
        }

        /// @return these at another port
        public Options withPort(int value) {
            return new Options(models, loading, host, value, keys, tls, origins, limits, log, progress);
        }

        /// @return these for those who show a key
        public Options withKeys(Path value) {
            return new Options(models, loading, host, port, Optional.of(value), tls, origins, limits, log, progress);
        }

        /// @return these over HTTPS
        public Options withTls(Tls value) {
            return new Options(models, loading, host, port, keys, Optional.of(value), origins, limits, log, progress);
        }

        /// @return these for web pages of elsewhere, too
        public Options withOrigins(String... values) {
            return new Options(models, loading, host, port, keys, tls, List.of(values), limits, log, progress);
        }

        /// @return these with other limits
        public Options withLimits(Limits value) {
            return new Options(models, loading, host, port, keys, tls, origins, value, log, progress);
        }

        /// @return these with more or less said of requests
        public Options withLog(Log value) {
            return new Options(models, loading, host, port, keys, tls, origins, limits, value, progress);
        }

        /// @return these, reporting what takes time and what went wrong
        public Options withProgress(Progress value) {
            return new Options(models, loading, host, port, keys, tls, origins, limits, log, value);
        }
    }

    private final ServedModels models;
    private final Operations operations;
    private final Transport transport;

    private Server(ServedModels models, Operations operations, Transport transport) {
        this.models = models;
        this.operations = operations;
        this.transport = transport;
    }

    /// Starts a server, which works until it is closed.
    ///
    /// @throws BadInput where there is no model, the first cannot be loaded, a file cannot be read, or
    ///     the address is not to be had
    public static Server start(Options options) {
        ServedModels models = new ServedModels(options.models(), options.loading(), options.progress());
        try {
            models.loadFirst();
            Metrics metrics = new Metrics();
            Admission admission = new Admission(models::atOnce, options.limits().queue(), metrics, System::nanoTime);
            AtomicBoolean draining = new AtomicBoolean();
            Operations operations = new Operations(options, models, admission, metrics, draining);
            List<Endpoint> endpoints = new ArrayList<>(operations.endpoints());
            endpoints.addAll(new Pages().endpoints());
            endpoints.addAll(Routes.all());
            Transport transport = Transport.start(options, endpoints, models, admission, metrics, draining);
            operations.watch();
            if (options.keys().isEmpty() && !Gate.isLoopback(options.host())) {
                options.progress()
                        .say(
                                "WARNING: whoever reaches %s can use this server and read what its status page shows; give it"
                                                .formatted(options.host())
                                        + " a file of keys.");
            }
            return new Server(models, operations, transport);
        } catch (RuntimeException | Error e) {
            models.close();
            throw e;
        }
    }

    /// @return where it listens
    public int port() {
        return transport.port();
    }

    /// Takes no more requests, lets those in progress end, and closes. Meanwhile `/health` says 503.
    ///
    /// @param limit after which what is still in progress is ended with an error
    public void drain(Duration limit) {
        transport.drain(limit);
        operations.close();
        models.close();
    }

    /// Ends what is in progress with an error, gives back the address and the memory of what the server
    /// loaded.
    @Override
    public void close() {
        drain(Duration.ZERO);
    }
}
