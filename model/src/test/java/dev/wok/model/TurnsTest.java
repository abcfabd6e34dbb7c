package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.fabric.Timeline;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class TurnsTest {
    private final List<String> done = Collections.synchronizedList(new ArrayList<>());

    private void run(Consumer<Turn> first, Consumer<Turn> second) {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            Turns.run(Timeline.off(), other, first, second);
        }
    }

    private void does(Turn turn, String... what) {
        for (String each : what) {
            done.add(each);
            turn.hand();
        }
    }

    @Test
    void passesAlternate() {
        run(turn -> does(turn, "a1", "a2", "a3", "a4"), turn -> does(turn, "b1", "b2"));
        assertEquals(List.of("a1", "b1", "a2", "b2", "a3", "a4"), done);
    }

    @Test
    void theSecondFollows() {
        run(
                turn -> {
                    turn.follow();
                    does(turn, "a1", "a2", "a3");
                    turn.lead();
                    does(turn, "a4", "a5");
                },
                turn -> {
                    does(turn, "b1");
                    turn.follow();
                    does(turn, "b2", "b3");
                    turn.follow();
                    turn.lead();
                });
        assertEquals(List.of("a1", "b1", "a2", "a3", "a4", "b2", "a5", "b3"), done);
    }

    @Test
    void theSecondFollowsAtLastWhereTheFirstHasEnded() {
        run(turn -> does(turn, "a1", "a2"), turn -> {
            turn.follow();
            does(turn, "b1");
        });
        assertEquals(List.of("a1", "a2", "b1"), done);
    }

    @Test
    void aFailureEndsBoth() {
        String first = Thrown.message(
                IllegalStateException.class,
                () -> run(
                        turn -> {
                            does(turn, "a1");
                            throw new IllegalStateException("first");
                        },
                        turn -> does(turn, "b1", "b2")));
        assertEquals("first", first);
        assertEquals(List.of("a1", "b1"), done);
        done.clear();
        String second = Thrown.message(
                AssertionError.class,
                () -> run(turn -> does(turn, "a1", "a2", "a3"), turn -> {
                    does(turn, "b1");
                    throw new AssertionError("second");
                }));
        assertEquals("second", second);
        assertEquals(List.of("a1", "b1", "a2"), done);
    }
}
