package dev.wok.text;

import java.util.List;

/// What a regular expression says, as a tree.
sealed interface RegexPart {

    /// No end to a repetition.
    int UNLIMITED = Integer.MAX_VALUE;

    /// Which way a repetition leans.
    enum Mode {
        GREEDY,
        LAZY
    }

    /// A place between two characters.
    enum Place {
        LINE_BEGIN,
        LINE_END,
        TEXT_BEGIN,
        TEXT_END
    }

    /// One character of a set.
    record One(CharSet set) implements RegexPart {}

    /// One part after the other.
    record Row(List<RegexPart> parts) implements RegexPart {}

    /// The first of the parts that lets the whole match.
    record Either(List<RegexPart> parts) implements RegexPart {}

    /// A part several times.
    record Repeat(RegexPart part, int min, int max, Mode mode) implements RegexPart {}

    /// A part that never gives back what it took.
    record Atomic(RegexPart part) implements RegexPart {}

    /// A part that must (or must not) follow or precede, and takes nothing.
    record Look(RegexPart part, boolean ahead, boolean wanted) implements RegexPart {}

    /// A place, which takes nothing.
    record At(Place place) implements RegexPart {}

    /// @return which characters a match may begin with; everything where it may be empty
    default CharSet first() {
        return canBeEmpty() ? CharSet.ALL : begin();
    }

    /// @return which characters a match that is not empty may begin with
    private CharSet begin() {
        return switch (this) {
            case One(CharSet set) -> set;
            case Row(List<RegexPart> parts) -> {
                CharSet set = CharSet.NONE;
                for (RegexPart part : parts) {
                    set = set.or(part.begin());
                    if (!part.canBeEmpty()) {
                        break;
                    }
                }
                yield set;
            }
            case Either(List<RegexPart> parts) ->
                parts.stream().map(RegexPart::begin).reduce(CharSet.NONE, CharSet::or);
            case Repeat repeat -> repeat.part.begin();
            case Atomic(RegexPart part) -> part.begin();
            case Look _, At _ -> CharSet.NONE;
        };
    }

    /// @return whether a match may take no character
    default boolean canBeEmpty() {
        return switch (this) {
            case One _ -> false;
            case Row(List<RegexPart> parts) -> parts.stream().allMatch(RegexPart::canBeEmpty);
            case Either(List<RegexPart> parts) -> parts.stream().anyMatch(RegexPart::canBeEmpty);
            case Repeat repeat -> repeat.min == 0 || repeat.part.canBeEmpty();
            case Atomic(RegexPart part) -> part.canBeEmpty();
            case Look _, At _ -> true;
        };
    }

    /// @return how many characters every match takes, or -1 where that varies
    default int fixedLength() {
        return switch (this) {
            case One _ -> 1;
            case Row(List<RegexPart> parts) -> {
                int sum = 0;
                for (RegexPart part : parts) {
                    int length = part.fixedLength();
                    if (length < 0) {
                        yield -1;
                    }
                    sum += length;
                }
                yield sum;
            }
            case Either(List<RegexPart> parts) -> {
                int length = parts.getFirst().fixedLength();
                yield parts.stream().allMatch(p -> p.fixedLength() == length) ? length : -1;
            }
            case Repeat repeat -> {
                int length = repeat.part.fixedLength();
                yield repeat.min == repeat.max && length >= 0 ? repeat.min * length : -1;
            }
            case Atomic(RegexPart part) -> part.fixedLength();
            case Look _, At _ -> 0;
        };
    }

    /// @return how many steps the part compiles to
    default long steps() {
        return switch (this) {
            case One _, At _ -> 1;
            case Row(List<RegexPart> parts) ->
                parts.stream().mapToLong(RegexPart::steps).sum();
            case Either(List<RegexPart> parts) ->
                1 + parts.stream().mapToLong(RegexPart::steps).sum();
            case Repeat repeat when repeat.part instanceof One -> 1;
            case Repeat repeat -> (repeat.max == UNLIMITED ? repeat.min + 1L : repeat.max) * (1 + repeat.part.steps());
            case Atomic(RegexPart part) -> 1 + part.steps();
            case Look look -> 1 + look.part.steps();
        };
    }
}
