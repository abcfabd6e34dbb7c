package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.bench.LabelPlaces.Box;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LabelPlacesTest {

    @Test
    void labelsOfPointsInOnePlaceDoNotMeet() {
        Box frame = new Box(0, 0, 600, 400);
        LabelPlaces places = new LabelPlaces(frame);
        List<Box> placed = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            Box box = places.place(590 - i, 200, 100, 16);
            assertTrue(frame.holds(box));
            for (Box other : placed) {
                assertFalse(box.meets(other));
            }
            placed.add(box);
        }
    }
}
