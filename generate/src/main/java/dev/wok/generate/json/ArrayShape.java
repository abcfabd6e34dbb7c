package dev.wok.generate.json;

import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Arrays.
///
/// @param first the elements at the beginning, one after the other
/// @param rest all further elements
/// @param max [#MANY] where it is not bounded
record ArrayShape(List<Node> first, Node rest, int min, int max) implements Shape {
    static final int MANY = Integer.MAX_VALUE;

    Node element(int index) {
        return index < first.size() ? first.get(index) : rest;
    }

    @Override
    public int height() {
        int height = 0;
        for (int i = 0; i < Math.min(min, first.size() + 1); i++) {
            height = Math.max(height, element(i).height());
        }
        return min > max ? Node.ENDLESS : Node.above(height);
    }

    @Override
    public Stream<Node> inner() {
        return Stream.concat(first.stream(), Stream.of(rest));
    }

    @Override
    public Stream<Node> needed() {
        return inner().limit(min);
    }

    /// Ends where an element needs more levels than there are.
    private int max(int room) {
        for (int i = 0; i <= first.size() && i < max; i++) {
            if (element(i).height() >= room) {
                return i;
            }
        }
        return max;
    }

    @Override
    public void start(int b, int room, Stack below, Steps out) {
        if (b == '[') {
            int fits = max(room);
            ArrayShape shape = fits == max ? this : new ArrayShape(first, rest, min, fits);
            out.add(below.push(new ArrayFrame(shape, room, ArrayFrame.Place.BRACKET, 0, Space.NONE)));
        }
    }

    /// @return the count, or one after which all goes on alike
    int counted(int count) {
        return max == MANY ? Math.min(count, Math.max(min, first.size())) : count;
    }

    /// @param within how many elements may follow at most
    /// @return a count with which all goes on alike for so many elements
    int countForMask(int count, int within) {
        if (count > first.size() && count < min - within) {
            return first.size();
        }
        int enough = Math.max(min, first.size());
        return count > enough && max - count > within ? enough : count;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ArrayShape shape
                && first == shape.first
                && rest == shape.rest
                && min == shape.min
                && max == shape.max;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(first) + 31 * System.identityHashCode(rest) + 961 * min + max;
    }
}
