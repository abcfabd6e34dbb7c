package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.generate.Engine;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import dev.wok.serve.Keys;
import dev.wok.serve.Server;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;

/// A server with two parrots, `qwen` and `deepseek`, of which the first is the default.
final class Parrots implements AutoCloseable {
    private static final long PATIENCE_NANOS = 20_000_000_000L;

    private final Model qwen;
    private final Model deepseek;
    private final Server server;

    private Parrots(Model qwen, Model deepseek, Server server) {
        this.qwen = qwen;
        this.deepseek = deepseek;
        this.server = server;
    }

    static Parrots serve() {
        return serve(options -> options);
    }

    static Parrots serve(UnaryOperator<Server.Options> how) {
        Model qwen = Model.load(Parrot.usual(Family.QWEN));
        Model deepseek = Model.load(Parrot.usual(Family.DEEPSEEK));
        Server.Options options =
                Server.Options.defaults().withPort(0).withModel("qwen", qwen).withModel("deepseek", deepseek);
        return new Parrots(qwen, deepseek, Server.start(how.apply(options)));
    }

    /// Runs a client's own tests, with a key for three texts at once, against a server; what they cancel
    /// must end soon.
    ///
    /// @param keys a folder for the server's file of keys
    /// @param environment beside `WOK_URL` and `WOK_KEY`
    static void serveScript(Path keys, Path folder, Map<String, String> environment, String... command) {
        Path file = keys.resolve("keys");
        String key =
                Keys.add(file, "one", new Keys.Limits(OptionalInt.empty(), OptionalInt.empty(), OptionalInt.of(3)));
        try (Parrots parrots = serve(options -> options.withKeys(file))) {
            Map<String, String> all = new HashMap<>(environment);
            all.put("WOK_URL", parrots.url() + "/v1");
            all.put("WOK_KEY", key);
            long before = tokensWhenIdle(parrots.qwen);
            Script.run(folder, all, List.of(command));
            long generated = tokensWhenIdle(parrots.qwen) - before;
            assertTrue(generated < 10_000, () -> "tokens generated in all: " + generated);
        }
    }

    int port() {
        return server.port();
    }

    /// Without a slash at the end.
    String url() {
        return "http://127.0.0.1:" + port();
    }

    Model qwen() {
        return qwen;
    }

    Model deepseek() {
        return deepseek;
    }

    /// Waits until nothing is generated, and checks that the cache has its pages back.
    ///
    /// @return how many tokens were generated until then
    static long tokensWhenIdle(Model model) {
        long begin = System.nanoTime();
        Engine.Activity activity = model.activity();
        while (activity.running() + activity.waiting() > 0 && System.nanoTime() - begin < PATIENCE_NANOS) {
            Thread.onSpinWait();
            activity = model.activity();
        }
        assertEquals(0, activity.running() + activity.waiting(), activity::toString);
        assertEquals(0, activity.usedPages(), activity::toString);
        return activity.newTokens();
    }

    @Override
    public void close() {
        server.close();
        qwen.close();
        deepseek.close();
    }
}
