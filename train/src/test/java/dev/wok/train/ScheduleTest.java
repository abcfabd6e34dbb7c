package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;

class ScheduleTest {
    private static final Schedule COSINE = new Schedule(1, 0.1, 0.1, 0.4, true);

    @Test
    void risesStaysAndFalls() {
        assertEquals(0.5, COSINE.rate(0.05), 1e-12);
        assertEquals(1, COSINE.rate(0.1));
        assertEquals(1, COSINE.rate(0.6));
        assertEquals(0.55, COSINE.rate(0.8), 1e-12);
        assertEquals(0.1, COSINE.rate(1), 1e-12);
        assertEquals(0.55, new Schedule(1, 0.1, 0, 0.4, false).rate(0.8), 1e-12);
        assertEquals(1, new Schedule(1, 0.1, 0, 0, true).rate(1));
    }

    @Test
    void theFirstStepLearns() {
        Settings.Batches limits = Settings.of("nano", Map.of("steps", "200")).batches();
        assertTrue(COSINE.rate(Schedule.progress(limits, 0, 0)) > 0);
        assertEquals(1, Schedule.progress(limits, 199, 0));
        Settings.Batches minutes = Settings.of("nano", Map.of("minutes", "5")).batches();
        assertTrue(COSINE.rate(Schedule.progress(minutes, 0, 0)) > 0);
    }

    @Test
    void timeMovesProgressWhereItIsAheadAfterAQuarter() {
        Settings.Batches limits =
                Settings.of("nano", Map.of("steps", "200", "minutes", "1")).batches();
        assertEquals(0.5, Schedule.progress(limits, 0, 30));
        assertEquals(0.75, Schedule.progress(limits, 149, 30));
        assertEquals(1, Schedule.progress(limits, 0, 100));
        assertEquals(0.005, Schedule.progress(limits, 0, 14.9), 1e-12);
        assertEquals(0.25, Schedule.progress(limits, 0, 15));
    }

    @Test
    void timeAloneMovesProgressFromTheStart() {
        Settings.Batches limits = Settings.of("nano", Map.of("minutes", "1")).batches();
        assertEquals(0.05, Schedule.progress(limits, 7, 3), 1e-12);
    }
}
