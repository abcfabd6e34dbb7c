package dev.wok.serve;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// The models of a server. Each is loaded by the first request that asks for it, while others that do
/// wait.
final class ServedModels implements Models, AutoCloseable {
    /// Names of DeepSeek's API, for the first model where none is called so, and whether they think.
    private static final Map<String, Boolean> ALIASES = Map.of("deepseek-chat", false, "deepseek-reasoner", true);

    /// What a model is doing.
    enum State {
        /// Nobody has asked for it.
        IDLE,
        LOADING,
        LOADED,
        /// It could not be loaded when it was asked for last.
        FAILED
    }

    /// One model.
    final class Entry {
        private final Server.Source source;
        private final ReentrantLock loading = new ReentrantLock();
        private volatile State state = State.IDLE;
        private volatile @Nullable Model model;

        private Entry(Server.Source source) {
            this.source = source;
            if (source instanceof Server.Source.Loaded loaded) {
                model = loaded.model();
                state = State.LOADED;
            }
        }

        String name() {
            return source.name();
        }

        State state() {
            return state;
        }

        /// @return the model, where it is loaded
        Optional<Model> loaded() {
            return Optional.ofNullable(model);
        }

        private Model model() {
            Model known = model;
            return known == null ? load() : known;
        }

        private Model load() {
            loading.lock();
            try {
                Model known = model;
                if (known != null) {
                    return known;
                }
                if (closed) {
                    throw Refusal.unavailable("shutting_down", "the server is shutting down.", 1);
                }
                state = State.LOADING;
                Model loaded = loaded(source);
                model = loaded;
                state = State.LOADED;
                return loaded;
            } finally {
                if (state != State.LOADED) {
                    state = State.FAILED;
                }
                loading.unlock();
            }
        }

        private Model loaded(Server.Source source) {
            return switch (source) {
                case Server.Source.Stored stored -> Model.load(stored.path(), options);
                case Server.Source.Loaded loaded -> loaded.model();
            };
        }

        private Instant made() {
            if (source instanceof Server.Source.Stored stored) {
                try {
                    return Files.getLastModifiedTime(stored.path()).toInstant();
                } catch (IOException e) {
                    return started;
                }
            }
            return started;
        }

        private void close() {
            loading.lock();
            try {
                Model known = model;
                if (known != null && source instanceof Server.Source.Stored) {
                    known.close();
                }
            } finally {
                loading.unlock();
            }
        }
    }

    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Model.Options options;
    private final Progress progress;
    private final Instant started = Instant.now();
    private volatile boolean closed;

    /// @param options how models are loaded
    /// @param progress is told why one could not be loaded
    /// @throws BadInput where there is none, or two have one name
    ServedModels(List<Server.Source> sources, Model.Options options, Progress progress) {
        this.options = options;
        this.progress = progress;
        for (Server.Source source : sources) {
            if (entries.put(source.name(), new Entry(source)) != null) {
                throw new BadInput("two models are called %s; give one another name.".formatted(source.name()));
            }
        }
        if (entries.isEmpty()) {
            throw new BadInput("there is no model to serve, expected one or more.");
        }
    }

    /// Loads the first model, if that is to be done.
    ///
    /// @throws BadInput where it cannot be loaded
    void loadFirst() {
        entries.values().iterator().next().model();
    }

    /// @return all models, in the order in which they were given
    List<Entry> entries() {
        return List.copyOf(entries.values());
    }

    /// @return how many texts the models that are loaded generate at once
    int atOnce() {
        int sum = entries.values().stream()
                .flatMap(entry -> entry.loaded().stream())
                .mapToInt(model -> model.activity().sequences())
                .sum();
        return Math.max(1, sum);
    }

    @Override
    public List<String> names() {
        return List.copyOf(entries.keySet());
    }

    @Override
    public Listed listed(String name) {
        Entry entry = entry(name);
        return new Listed(entry.name(), entry.made().getEpochSecond());
    }

    @Override
    public Named model(String name) {
        Entry entry = entry(name);
        Optional<Boolean> thinks =
                entries.containsKey(name) ? Optional.empty() : Optional.ofNullable(ALIASES.get(name));
        return new Named(entry.name(), entry.made().getEpochSecond(), thinks, load(entry));
    }

    @Override
    public String told(String message) {
        String told = message;
        for (Entry entry : entries.values()) {
            if (entry.source instanceof Server.Source.Stored(String name, Path path) && path.isAbsolute()) {
                told = told.replace(path.toString(), name);
            }
        }
        return told;
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null && (name.isEmpty() || ALIASES.containsKey(name))) {
            entry = entries.values().iterator().next();
        }
        if (entry == null) {
            throw new Refusal(
                    404,
                    "invalid_request_error",
                    "there is no model '%s'; this server has %s.".formatted(name, String.join(", ", names())),
                    "model",
                    "model_not_found");
        }
        return entry;
    }

    /// What is wrong with a model's files concerns whoever runs the server, not its clients.
    private Model load(Entry entry) {
        try {
            return entry.model();
        } catch (Refusal e) {
            throw e;
        } catch (RuntimeException | OutOfMemoryError e) {
            progress.say("the model %s could not be loaded: %s".formatted(entry.name(), e.getMessage()));
            throw Refusal.unavailable(
                    "model_not_loaded",
                    "the model %s could not be loaded; the server's log says why.".formatted(entry.name()),
                    30);
        }
    }

    @Override
    public void close() {
        closed = true;
        List<RuntimeException> failures = new ArrayList<>();
        for (Entry entry : entries.values()) {
            try {
                entry.close();
            } catch (RuntimeException e) {
                failures.add(e);
            }
        }
        if (!failures.isEmpty()) {
            RuntimeException first = failures.removeFirst();
            failures.forEach(first::addSuppressed);
            throw first;
        }
    }
}
