package dev.wok.bench;

import java.util.ArrayList;
import java.util.List;

/// Finds places for labels beside their points, such that none lies on another, on a point or outside of the frame.
final class LabelPlaces {
    private static final double GAP = 8;
    private static final double STEP = 6;
    private static final int STEPS = 60;

    /// A rectangle.
    record Box(double x, double y, double width, double height) {
        boolean meets(Box other) {
            return x < other.x + other.width
                    && other.x < x + width
                    && y < other.y + other.height
                    && other.y < y + height;
        }

        boolean holds(Box other) {
            return other.x >= x
                    && other.y >= y
                    && other.x + other.width <= x + width
                    && other.y + other.height <= y + height;
        }
    }

    private final Box frame;
    private final List<Box> taken = new ArrayList<>();

    LabelPlaces(Box frame) {
        this.frame = frame;
    }

    /// Keeps labels away from what is drawn there.
    void block(Box box) {
        taken.add(box);
    }

    /// @param x of the point
    /// @param y of the point
    /// @return the nearest free place, which is taken now
    Box place(double x, double y, double width, double height) {
        for (int step = 0; step < STEPS; step++) {
            double away = GAP + step * STEP;
            for (Box box : around(x, y, away, width, height)) {
                if (frame.holds(box) && taken.stream().noneMatch(box::meets)) {
                    taken.add(box);
                    return box;
                }
            }
        }
        Box last = around(x, y, GAP, width, height).getFirst();
        taken.add(last);
        return last;
    }

    /// Right, left, a little lower and higher there, below, above, and between those.
    private static List<Box> around(double x, double y, double away, double width, double height) {
        double right = x + away;
        double left = x - away - width;
        double under = y + away;
        double over = y - away - height;
        return List.of(
                new Box(right, y - height / 2, width, height),
                new Box(left, y - height / 2, width, height),
                new Box(left, y - 2, width, height),
                new Box(right, y - 2, width, height),
                new Box(left, y + 2 - height, width, height),
                new Box(right, y + 2 - height, width, height),
                new Box(x - width / 2, under, width, height),
                new Box(x - width / 2, over, width, height),
                new Box(x + GAP, under, width, height),
                new Box(x - GAP - width, under, width, height),
                new Box(x + GAP, over, width, height),
                new Box(x - GAP - width, over, width, height));
    }
}
