package dev.wok.generate.json;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// One schema as it is written, without what is in it. Two are the same where they stand at the same place.
///
/// @param number of the place
/// @param place for people
/// @param values what it allows where it lists that
/// @param ref a reference to another schema
/// @param all schemas that all hold
/// @param choices of each of these, one schema holds at least
/// @param ones of each of these, exactly one schema holds
record Schema(
        int number,
        String place,
        Set<Type> types,
        Optional<List<JsonNode>> values,
        Range range,
        Text text,
        Items items,
        Members members,
        Optional<String> ref,
        List<Schema> all,
        List<List<Schema>> choices,
        List<List<Schema>> ones) {

    /// One that says nothing but its types and values.
    static Schema plain(int number, String place, Set<Type> types, Optional<List<JsonNode>> values) {
        return new Schema(
                number,
                place,
                types,
                values,
                Range.ALL,
                Text.ALL,
                Items.ALL,
                Members.ALL,
                Optional.empty(),
                List.of(),
                List.of(),
                List.of());
    }

    /// @return the values that it allows, where it says nothing else
    Optional<List<JsonNode>> onlyValues() {
        boolean only = range.equals(Range.ALL)
                && text.equals(Text.ALL)
                && items.equals(Items.ALL)
                && members.equals(Members.ALL)
                && ref.isEmpty()
                && all.isEmpty()
                && choices.isEmpty()
                && ones.isEmpty();
        return values.filter(_ -> only)
                .map(listed -> listed.stream()
                        .filter(value -> types.contains(Type.of(value)))
                        .toList());
    }

    /// @return what it says itself, without the schemas that it combines
    Schema alone(int other) {
        return new Schema(other, place, types, values, range, text, items, members, ref, all, List.of(), List.of());
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Schema schema && number == schema.number;
    }

    @Override
    public int hashCode() {
        return number;
    }

    @Override
    public String toString() {
        return place;
    }
}
