package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The numbers that schemas allow, each kind computed once.
final class Numbers {
    private record Kind(boolean integer, Range range) {}

    private final Map<Kind, Shape> shapes = new HashMap<>();
    private final Budget budget;

    Numbers(Budget budget) {
        this.budget = budget;
    }

    /// @param types whether integers alone, or all numbers
    /// @return the shape, or nothing where no number is allowed
    Optional<Shape> shape(String place, Set<Type> types, Range given) {
        boolean integer = !types.contains(Type.FRACTION);
        if (given.isEmpty()) {
            return Optional.empty();
        }
        Range near = NumberText.near(given);
        Range range = integer ? near.whole() : near;
        if (range.isEmpty()) {
            return Optional.empty();
        }
        Shape shape;
        try {
            shape = shapes.computeIfAbsent(
                    new Kind(integer, range),
                    kind -> new ScalarShape(budget.spend(NumberText.of(kind.integer, kind.range))));
        } catch (Excess e) {
            throw new BadInput("%s has bounds that are too many together with all others.".formatted(place), e);
        }
        if (shape.height() == Node.ENDLESS) {
            throw new BadInput(
                    "%s has bounds that no number of at most %d digits satisfies (at most %d where it is an integer)."
                            .formatted(place, NumberText.DIGITS, NumberText.WHOLE_DIGITS));
        }
        return Optional.of(shape);
    }
}
