package dev.wok.generate.json;

import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// What several schemas say together.
///
/// @param values what they allow where they list that
record Merged(Set<Type> types, Optional<List<JsonNode>> values, Range range, Text text, Items items, Members members) {
    private static final Merged ALL =
            new Merged(Type.ALL, Optional.empty(), Range.ALL, Text.ALL, Items.ALL, Members.ALL);

    static Merged of(Both schemas) {
        Merged merged = ALL;
        for (Schema schema : schemas.schemas()) {
            merged = merged.and(schema);
        }
        return merged;
    }

    private Merged and(Schema schema) {
        Set<Type> both = EnumSet.noneOf(Type.class);
        both.addAll(types);
        both.retainAll(schema.types());
        return new Merged(
                both,
                Values.both(values, schema.values()),
                range.and(schema.range()),
                text.and(schema.text()),
                items.and(schema.items()),
                members.and(schema.members()));
    }

    /// @return whether no value has the right type
    boolean isPlainlyEmpty() {
        return types.isEmpty()
                || values.isPresent() && values.get().stream().noneMatch(value -> types.contains(Type.of(value)));
    }
}
