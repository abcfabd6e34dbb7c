package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Schemas that hold together.
///
/// @param schemas in the order of their numbers, each once
record Both(List<Schema> schemas) {
    /// Anything.
    static final Both ALL = new Both(List.of());

    static Both of(Schema schema) {
        return new Both(List.of(schema));
    }

    Both and(Both other) {
        if (schemas.isEmpty() || equals(other)) {
            return other;
        }
        if (other.schemas.isEmpty()) {
            return this;
        }
        List<Schema> all = new ArrayList<>(schemas);
        all.addAll(other.schemas);
        return new Both(all.stream()
                .distinct()
                .sorted(Comparator.comparingInt(Schema::number))
                .toList());
    }
}
