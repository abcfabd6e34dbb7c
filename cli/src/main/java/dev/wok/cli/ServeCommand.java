package dev.wok.cli;

import dev.wok.notice.BadInput;
import dev.wok.serve.Keys;
import dev.wok.serve.Server;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok serve`: models over HTTP.
@Command(
        name = "serve",
        description = {
            "Serves models over HTTP, in the forms that clients of OpenAI, DeepSeek and Anthropic speak. A page to chat"
                    + " is at /, what the server does at /status.",
            "Ctrl-C lets answers that were begun end."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok serve runs/nano/model --port 8080"})
final class ServeCommand implements Callable<Integer> {
    private static final int INTERRUPTED = 130;
    private static final int MEGABYTE = 1_000_000;
    private static final int MAX_MEGABYTES = 2000;
    private static final int MAX_SECONDS = 1_000_000;
    private static final String PASSWORD = "WOK_TLS_PASSWORD";

    private final Console console;
    private final Display display;

    @Parameters(
            paramLabel = "MODEL",
            arity = "0..1",
            description = "A model folder or a GGUF file; clients call it by its file name, or, where that is model, by"
                    + " the folder's that it lies in.")
    @Nullable
    Path model;

    @Option(
            names = "--model",
            paramLabel = "NAME=PATH",
            description = "A model and what clients call it; may be given again. The first of all is loaded at once,"
                    + " and meant where a request names none, others are loaded when they are first asked for.")
    List<String> models = List.of();

    @Option(
            names = "--host",
            paramLabel = "NAME",
            defaultValue = "127.0.0.1",
            description = "Where to listen: 127.0.0.1, this machine alone (the default); 0.0.0.0, all its addresses.")
    String host = "127.0.0.1";

    @Option(
            names = "--port",
            paramLabel = "N",
            defaultValue = "8080",
            description = "Where to listen (default: 8080); 0 for any that is free.")
    int port;

    @Option(
            names = "--keys",
            paramLabel = "FILE",
            description = "Who may ask: a file of keys and their limits. Without a key nothing but /health answers.")
    @Nullable
    Path keys;

    @ArgGroup(exclusive = false)
    @Nullable
    NewKey newKey;

    /// A key that is made.
    static final class NewKey {
        @Option(
                names = "--new-key",
                required = true,
                paramLabel = "NAME",
                description = "With --keys: adds a key to the file, prints it, and ends.")
        String name = "";

        @Option(names = "--requests-per-minute", paramLabel = "N", description = "With --new-key: its limit.")
        @Nullable
        Integer requests;

        @Option(names = "--tokens-per-minute", paramLabel = "N", description = "With --new-key: its limit.")
        @Nullable
        Integer tokens;

        @Option(names = "--texts", paramLabel = "N", description = "With --new-key: how many at once.")
        @Nullable
        Integer texts;

        Keys.Limits limits() {
            return new Keys.Limits(optional(requests), optional(tokens), optional(texts));
        }

        private static OptionalInt optional(@Nullable Integer value) {
            return value == null ? OptionalInt.empty() : OptionalInt.of(value);
        }
    }

    @Option(
            names = "--tls",
            paramLabel = "FILE",
            description = "HTTPS with the key and certificate of a key store (PKCS12 or JKS), whose password is in the"
                    + " variable " + PASSWORD + " or in --tls-password-file.")
    @Nullable
    Path tls;

    @Option(names = "--tls-password-file", paramLabel = "FILE", description = "Its first line opens the key store.")
    @Nullable
    Path tlsPassword;

    @Option(
            names = "--cors",
            paramLabel = "ORIGIN",
            description = "Web pages of elsewhere that may ask, such as https://example.com, or * for all; may be given"
                    + " again.")
    List<String> origins = List.of();

    @Option(
            names = "--queue",
            paramLabel = "N",
            defaultValue = "64",
            description = "Texts that may wait for their turn (default: 64); more are refused with status 429.")
    int queue;

    @Option(
            names = "--max-body",
            paramLabel = "MB",
            defaultValue = "16",
            description = "What a request may be long, in megabytes (default: 16).")
    int maxBody;

    @Option(
            names = "--timeout",
            paramLabel = "S",
            defaultValue = "600",
            description = "How long an answer may take, in seconds (default: 600).")
    int timeout;

    @Option(
            names = "--drain",
            paramLabel = "S",
            defaultValue = "30",
            description = "How long answers may go on after Ctrl-C or SIGTERM, in seconds (default: 30).")
    int drain;

    @Option(names = "--log", description = "A line for each request.")
    boolean log;

    @Option(names = "--log-prompts", description = "A line for each request, and what it asks.")
    boolean logPrompts;

    @Mixin
    EngineOptions engine = new EngineOptions();

    @Mixin
    ComputeOptions compute = new ComputeOptions();

    ServeCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        if (newKey != null) {
            return addKey(newKey);
        }
        try (Server server = Server.start(options())) {
            Thread hook = new Thread(() -> server.drain(Duration.ofSeconds(drain)));
            Runtime.getRuntime().addShutdownHook(hook);
            console.out()
                    .println("listening at %s (a page to chat is there, what the server does at /status)"
                            .formatted(address(server.port())));
            console.out().flush();
            awaitInterruption();
            Interruption.removeHook(hook);
        }
        return INTERRUPTED;
    }

    private static void awaitInterruption() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private int addKey(NewKey key) {
        if (keys == null) {
            throw new BadInput("--new-key goes with --keys FILE, to which the key is added.");
        }
        console.out().println(Keys.add(keys, key.name, key.limits()));
        display.say("added to %s; the key itself is nowhere but here".formatted(keys));
        return 0;
    }

    private Server.Options options() {
        Server.Options options = Server.Options.defaults()
                .withProgress(display)
                .withLoading(engine.added(compute.options(display)))
                .withHost(host)
                .withPort(port)
                .withOrigins(origins.toArray(String[]::new))
                .withLimits(limits())
                .withLog(logPrompts ? Server.Log.PROMPTS : log ? Server.Log.REQUESTS : Server.Log.FAILURES);
        if (model != null) {
            options = options.withModel(name(model), model);
        }
        for (String named : models) {
            int equals = named.indexOf('=');
            if (equals < 1 || equals == named.length() - 1) {
                throw new BadInput("--model %s: expected NAME=PATH.".formatted(named));
            }
            options = options.withModel(named.substring(0, equals), Path.of(named.substring(equals + 1)));
        }
        if (options.models().isEmpty()) {
            throw new BadInput("there is no model to serve; give MODEL or --model NAME=PATH.");
        }
        options = keys == null ? options : options.withKeys(keys);
        return tls == null ? options : options.withTls(new Server.Tls(tls, password()));
    }

    private Server.Limits limits() {
        requireWithin("--max-body", maxBody, 1, MAX_MEGABYTES);
        requireWithin("--timeout", timeout, 1, MAX_SECONDS);
        requireWithin("--drain", drain, 0, MAX_SECONDS);
        return Server.Limits.defaults()
                .withQueue(queue)
                .withBodyBytes(maxBody * MEGABYTE)
                .withAnswer(Duration.ofSeconds(timeout));
    }

    private static void requireWithin(String option, int value, int least, int most) {
        if (value < least || value > most) {
            throw new BadInput("%s %d: expected %d to %d.".formatted(option, value, least, most));
        }
    }

    private String password() {
        if (tlsPassword == null) {
            String password = console.environment().get(PASSWORD);
            if (password == null) {
                throw new BadInput("--tls needs the key store's password: set %s, or give --tls-password-file."
                        .formatted(PASSWORD));
            }
            return password;
        }
        try {
            return Files.readString(tlsPassword).lines().findFirst().orElse("");
        } catch (IOException e) {
            throw BadInput.reading(tlsPassword, e);
        }
    }

    /// @return what clients call a model that was given without a name: `nano` for `runs/nano/model`
    static String name(Path path) {
        Path whole = path.toAbsolutePath().normalize();
        Path file = whole.getFileName();
        Path parent = whole.getParent();
        if (file == null) {
            return "model";
        }
        if (file.toString().equals("model") && parent != null && parent.getFileName() != null) {
            return parent.getFileName().toString();
        }
        return file.toString().replaceFirst("(?i)\\.gguf$", "");
    }

    private String address(int at) {
        String name = host.equals("0.0.0.0") || host.equals("::") ? "localhost" : host;
        return "%s://%s:%d".formatted(tls == null ? "http" : "https", name.contains(":") ? "[" + name + "]" : name, at);
    }
}
