package dev.wok.tune;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A text to learn from, before it is written and encoded.
sealed interface Sample {
    /// A conversation.
    ///
    /// @param messages each with `role`, and `content` and more as templates look at it
    /// @param tools as JSON schemas
    /// @param from of assistants' messages that are learnt the first
    /// @param plain how it is written for a model that has no template; null where it cannot be
    record Chat(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            int from,
            @Nullable Plain plain) implements Sample {}

    /// A text that is given, and the rest of it.
    ///
    /// @param prompt may be empty
    record Plain(String prompt, String completion) implements Sample {}

    /// Where a sample comes from.
    ///
    /// @param where such as `data.jsonl: line 3`
    record Of<T>(String where, T what) {}

    /// Two answers to the same.
    record Pair(Sample chosen, Sample rejected) {}
}
