package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class DeskTest {
    private final Desk desk = new Desk(silent(), silent());

    private static PrintStream silent() {
        return new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
    }

    private String failure() {
        return desk.failure().orElseThrow().toString();
    }

    @Test
    void whatExplainsMostIsTold() {
        desk.begin(1);
        assertFalse(desk.receive(new Message.Ended(1, 3, "c", 1, "")));
        assertEquals("rank 3 on c ended: exit code 1", failure());
        assertFalse(desk.receive(new Message.Ended(1, 0, "a", 1, "wok: rank 0 has waited 20 s in sums for rank 2.")));
        assertFalse(desk.receive(new Message.Ended(1, 1, "b", 1, "wok: rank 1: rank 0 has left the group.")));
        assertEquals("rank 0 on a ended: rank 0 has waited 20 s in sums for rank 2", failure());
        assertFalse(desk.receive(new Message.Ended(1, 2, "c", 137, "something that it said long before")));
        assertEquals("rank 2 on c was killed (signal 9)", failure());
    }

    @Test
    void whatATryBeforeSaysIsNotHeard() {
        desk.begin(2);
        assertFalse(desk.receive(new Message.Ended(1, 0, "a", 137, "")));
        assertTrue(desk.failure().isEmpty());
    }
}
