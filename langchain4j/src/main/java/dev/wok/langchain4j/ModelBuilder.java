package dev.wok.langchain4j;

import dev.wok.api.Model;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Which model, and what it is called.
abstract class ModelBuilder<B extends ModelBuilder<B>> {
    private @Nullable Model model;
    private @Nullable Path path;
    private Model.Options loading = Model.Options.defaults();
    private @Nullable String modelName;

    abstract B self();

    /// @param value is used and stays the caller's, who closes it; several may share it
    /// @return this
    public B model(Model value) {
        model = value;
        return self();
    }

    /// @param value a model folder or a GGUF file, which is loaded, and closed with what is built
    /// @return this
    public B path(Path value) {
        path = value;
        return self();
    }

    /// @param value how the model at the path is loaded, where not by [Model.Options#defaults]
    /// @return this
    public B loading(Model.Options value) {
        loading = value;
        return self();
    }

    /// @param value what answers call the model, and what requests may; the last part of the path, or
    ///     else `wok`, where it is not called otherwise
    /// @return this
    public B modelName(String value) {
        modelName = value;
        return self();
    }

    final String name() {
        return Optional.ofNullable(modelName)
                .or(() -> Optional.ofNullable(path).map(Path::getFileName).map(Path::toString))
                .orElse("wok");
    }

    final Held held() {
        if ((model == null) == (path == null)) {
            throw new IllegalStateException(
                    "%s given, expected either: call model(...) for one that is loaded, or path(...) for one that is not"
                            .formatted(model == null ? "neither a model nor a path is" : "a model and a path are"));
        }
        return path == null
                ? new Held(Objects.requireNonNull(model), name(), false)
                : new Held(Failures.translated(() -> Model.load(Objects.requireNonNull(path), loading)), name(), true);
    }
}
