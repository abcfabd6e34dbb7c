package dev.wok.api;

import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;

/// Makes folders that [Model#load] maps rather than reads, with weights rounded as asked.
public final class Conversion {
    private Conversion() {}

    /// Writes a model with its tokenizer as a folder of its own: as a whole or not at all.
    ///
    /// @param source what [Model#load] takes
    /// @param target a folder that does not exist yet
    /// @param storage what matrices are held as
    /// @throws BadInput where the source is no model, or the target exists or cannot be written
    public static void run(Path source, Path target, Storage storage, Progress progress) {
        dev.wok.model.Model.convert(
                source,
                target,
                storage,
                folder -> Model.loadTokenizer(source).ifPresent(tokenizer -> tokenizer.save(folder)),
                progress);
    }
}
