package dev.wok.model;

import dev.wok.notice.BadInput;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Which of a text's final hidden states say what it is about.
public enum Pooling {
    /// The mean over all tokens.
    MEAN,
    /// The last token's, which has seen all others.
    LAST,
    /// The first token's.
    FIRST;

    private static final Path FILE = Path.of("1_Pooling", "config.json");
    private static final String PREFIX = "pooling_mode";
    private static final Map<String, Pooling> MODES =
            Map.of("pooling_mode_mean_tokens", MEAN, "pooling_mode_lasttoken", LAST, "pooling_mode_cls_token", FIRST);

    /// Reads what a model folder says that sentence-transformers wrote.
    ///
    /// @return [#MEAN] where it says nothing
    /// @throws BadInput where it asks for anything else than one of these
    public static Pooling of(Path folder) {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            return MEAN;
        }
        JsonFields fields = new JsonFields(ConfigJson.tree(file));
        List<String> asked = new ArrayList<>();
        for (String key : fields.node().propertyNames()) {
            if (key.startsWith(PREFIX) && fields.flag(key, false)) {
                asked.add(key);
            }
        }
        Pooling pooling = asked.size() == 1 ? MODES.get(asked.getFirst()) : null;
        if (pooling == null) {
            throw new BadInput("%s asks for %s, supported is one of %s."
                    .formatted(
                            file,
                            asked.isEmpty() ? "no pooling" : String.join(" and ", asked),
                            String.join(", ", MODES.keySet().stream().sorted().toList())));
        }
        return pooling;
    }

    boolean takes(int position, int length) {
        return switch (this) {
            case MEAN -> true;
            case LAST -> position == length - 1;
            case FIRST -> position == 0;
        };
    }
}
