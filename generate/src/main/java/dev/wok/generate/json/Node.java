package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The values that are allowed at one place: those of any of its shapes.
final class Node {
    /// How deep values nest at most.
    static final int LEVELS = 64;

    /// The height where there is no finite value.
    static final int ENDLESS = Integer.MAX_VALUE;

    private final String place;
    private final List<Shape> shapes = new ArrayList<>();
    private int[] heights = {};
    private int height = ENDLESS;

    /// @param place where the schema says so, for people
    Node(String place) {
        this.place = place;
    }

    String place() {
        return place;
    }

    List<Shape> shapes() {
        return shapes;
    }

    /// @return how many levels of nesting its flattest value has
    int height() {
        return height;
    }

    /// Computes the height from those of other nodes as they are known by now.
    ///
    /// @return whether it changed
    boolean settle() {
        heights = shapes.stream().mapToInt(Shape::height).toArray();
        int least = Arrays.stream(heights).min().orElse(ENDLESS);
        boolean changed = least != height;
        height = least;
        return changed;
    }

    static int above(int height) {
        return height == ENDLESS ? ENDLESS : height + 1;
    }

    /// Adds the stacks after a value's first byte.
    void start(int b, int room, Stack below, Steps out) {
        for (int i = 0; i < heights.length; i++) {
            if (heights[i] <= room) {
                shapes.get(i).start(b, room, below, out);
            }
        }
    }
}
