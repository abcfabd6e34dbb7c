package dev.wok.serve;

import dev.wok.api.Model;
import dev.wok.generate.Engine;
import dev.wok.model.CachePages;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What whoever runs the server asks it: whether it is well, and figures, for programs and for the
/// status page.
final class Operations implements AutoCloseable {
    static final String HEALTH = "/health";

    private static final double NANOS = 1e9;
    private static final double MILLIS = 1e3;
    private static final double MEDIAN = .5;
    private static final double SLOWEST = .99;

    private final Server.Options options;
    private final ServedModels models;
    private final Admission admission;
    private final Metrics metrics;
    private final AtomicBoolean draining;
    private final long started = System.nanoTime();
    private final History history = new History(started);
    private @Nullable Thread watch;

    /// @param draining whether no more requests are taken
    Operations(
            Server.Options options, ServedModels models, Admission admission, Metrics metrics, AtomicBoolean draining) {
        this.options = options;
        this.models = models;
        this.admission = admission;
        this.metrics = metrics;
        this.draining = draining;
    }

    List<Endpoint> endpoints() {
        return List.of(
                new Endpoint("GET", HEALTH, this::health),
                new Endpoint("GET", "/metrics", this::metrics),
                new Endpoint("GET", "/status.json", call -> call.send(200, status())),
                new Endpoint("GET", "/experts.json", call -> call.send(200, experts())));
    }

    /// Begins to note how many tokens there are a second.
    void watch() {
        watch = Thread.ofVirtual().name("wok-history").start(() -> {
            try {
                while (true) {
                    Thread.sleep(Duration.ofSeconds(History.SECONDS));
                    history.add(tokens(), System.nanoTime());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (RuntimeException e) {
                options.progress().say("no more figures are noted: %s".formatted(Exchange.described(e)));
            }
        });
    }

    @Override
    public void close() {
        if (watch != null) {
            watch.interrupt();
        }
    }

    private void health(Call call) {
        boolean ending = draining.get();
        call.send(ending ? 503 : 200, JsonNodeFactory.instance.objectNode().put("status", ending ? "draining" : "ok"));
    }

    private void metrics(Call call) {
        Exposition out = new Exposition();
        metrics.write(out);
        out.only("wok_texts", "gauge", "Texts in progress, waiting ones included.", admission.texts());
        out.only("wok_texts_limit", "gauge", "Texts at once and in the queue.", admission.atOnce() + admission.queue());
        perModel(out, "wok_texts_running", "gauge", "Texts that are generated.", Engine.Activity::running);
        perModel(out, "wok_texts_waiting", "gauge", "Texts that wait for their turn.", Engine.Activity::waiting);
        perModel(out, "wok_cache_pages", "gauge", "Pages of the cache.", Engine.Activity::pages);
        perModel(out, "wok_cache_pages_used", "gauge", "Pages that texts use.", Engine.Activity::usedPages);
        perModel(out, "wok_cache_pages_kept", "gauge", "Pages that ended texts left.", Engine.Activity::keptPages);
        perModel(out, "wok_prompt_tokens_total", "counter", "Tokens of prompts.", Engine.Activity::promptTokens);
        perModel(out, "wok_cached_tokens_total", "counter", "Of those, known already.", Engine.Activity::knownTokens);
        perModel(out, "wok_new_tokens_total", "counter", "Tokens that were generated.", Engine.Activity::newTokens);
        perModel(out, "wok_steps_total", "counter", "Steps of the model.", Engine.Activity::steps);
        perModel(
                out,
                "wok_drafts_total",
                "counter",
                "Guesses that were read.",
                a -> a.drafts().read());
        perModel(
                out,
                "wok_drafts_accepted_total",
                "counter",
                "Guesses that were right.",
                a -> a.drafts().accepted());
        Runtime runtime = Runtime.getRuntime();
        out.only("jvm_memory_used_bytes", "gauge", "Of the heap.", runtime.totalMemory() - runtime.freeMemory());
        out.only("jvm_memory_max_bytes", "gauge", "Of the heap.", runtime.maxMemory());
        out.only("process_uptime_seconds", "gauge", "Since the server started.", uptime());
        call.send(200, Exposition.CONTENT_TYPE, out.toString().getBytes(StandardCharsets.UTF_8));
    }

    private void perModel(
            Exposition out, String name, String type, String help, Function<Engine.Activity, Number> figure) {
        out.head(name, type, help);
        for (ServedModels.Entry entry : models.entries()) {
            entry.loaded().ifPresent(model -> out.sample(name, figure.apply(model.activity()), "model", entry.name()));
        }
    }

    private double uptime() {
        return (System.nanoTime() - started) / NANOS;
    }

    private History.Tokens tokens() {
        return models.entries().stream()
                .flatMap(entry -> entry.loaded().stream())
                .map(model -> tokens(model.activity()))
                .reduce(History.Tokens.NONE, History.Tokens::plus);
    }

    private static History.Tokens tokens(Engine.Activity activity) {
        return new History.Tokens(activity.promptTokens(), activity.knownTokens(), activity.newTokens());
    }

    /// What the status page shows.
    private ObjectNode status() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("time", System.currentTimeMillis() / MILLIS);
        root.put("uptimeSeconds", uptime());
        root.put("draining", draining.get());
        int running = models.entries().stream()
                .flatMap(entry -> entry.loaded().stream())
                .mapToInt(model -> model.activity().running())
                .sum();
        root.putObject("load")
                .put("running", running)
                .put("sequences", admission.atOnce())
                .put("waiting", Math.max(0, admission.texts() - running))
                .put("queue", admission.queue())
                .put("connections", metrics.connections())
                .put("requests", metrics.answered())
                .put("refused", metrics.answered(429));
        write(root.putObject("tokens"), tokens());
        history.write(root.putObject("history"));
        ObjectNode latency = root.putObject("latency");
        write(latency, "firstToken", metrics.firstToken());
        write(latency, "betweenTokens", metrics.betweenTokens());
        Runtime runtime = Runtime.getRuntime();
        root.putObject("memory")
                .put("heapUsed", runtime.totalMemory() - runtime.freeMemory())
                .put("heapMax", runtime.maxMemory());
        var all = root.putArray("models");
        models.entries().forEach(entry -> write(all.addObject(), entry));
        return root;
    }

    private static void write(ObjectNode node, History.Tokens tokens) {
        node.put("in", tokens.in()).put("cached", tokens.cached()).put("out", tokens.out());
    }

    private static void write(ObjectNode latency, String name, Histogram histogram) {
        long count = histogram.count();
        if (count == 0) {
            latency.putNull(name);
            return;
        }
        latency.putObject(name)
                .put("p50", histogram.quantile(MEDIAN))
                .put("p99", histogram.quantile(SLOWEST))
                .put("count", count);
    }

    private void write(ObjectNode node, ServedModels.Entry entry) {
        node.put("name", entry.name());
        node.put("state", entry.state().name().toLowerCase(Locale.ROOT));
        Optional<Model> loaded = entry.loaded();
        if (loaded.isEmpty()) {
            return;
        }
        ModelConfig config = loaded.get().config();
        Engine.Activity activity = loaded.get().activity();
        node.put("architecture", config.family().architecture())
                .put("device", options.loading().device().toString())
                .put("context", config.maxPositionEmbeddings())
                .put("layers", config.numHiddenLayers())
                .put("hidden", config.hiddenSize())
                .put("vocabulary", config.vocabSize());
        MoeConfig moe = config.moe();
        if (moe != null) {
            node.put("experts", moe.nRoutedExperts())
                    .put("expertsPerToken", moe.numExpertsPerTok())
                    .put("sharedExperts", moe.nSharedExperts());
        }
        node.put("running", activity.running())
                .put("waiting", activity.waiting())
                .put("sequences", activity.sequences());
        node.putObject("cache")
                .put("pages", activity.pages())
                .put("used", activity.usedPages())
                .put("kept", activity.keptPages())
                .put("tokensPerPage", CachePages.TOKENS);
        write(node.putObject("tokens"), tokens(activity));
        node.put("steps", activity.steps());
        if (activity.drafts().read() > 0) {
            node.putObject("drafts")
                    .put("guessed", activity.drafts().read())
                    .put("accepted", activity.drafts().accepted());
        }
    }

    /// How often each expert was chosen, by model and layer.
    private ObjectNode experts() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("time", System.currentTimeMillis() / MILLIS);
        var all = root.putArray("models");
        for (ServedModels.Entry entry : models.entries()) {
            Optional<Model> loaded = entry.loaded();
            if (loaded.isEmpty() || loaded.get().config().moe() == null) {
                continue;
            }
            ObjectNode node = all.addObject().put("name", entry.name());
            var layers = node.putArray("layers");
            List<long[]> uses = loaded.get().expertUse();
            for (int layer = 0; layer < uses.size(); layer++) {
                if (uses.get(layer).length > 0) {
                    var counts = layers.addObject().put("layer", layer).putArray("counts");
                    for (long count : uses.get(layer)) {
                        counts.add(count);
                    }
                }
            }
        }
        return root;
    }
}
