package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.Progress;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class DisplayTest {
    private static final String CLEAR = "\r\u001b[K";

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final AtomicLong nanos = new AtomicLong();

    @Test
    void aTerminalShowsOneLineThatIsRedrawn() {
        Display display = display(Map.of("WOK_TTY", "1", "COLUMNS", "120", "NO_COLOR", "1"));
        try (Progress.Task task = display.start("training", 100, "steps")) {
            seconds(10);
            task.advance(25);
            assertTrue(
                    said().endsWith(CLEAR + "training  " + "█".repeat(6) + "░".repeat(18)
                            + "   25 %  2.50 steps/s  30 s left"),
                    said());
            seconds(10);
            task.detail("loss 3.21");
            assertTrue(said().endsWith("25 %  1.25 steps/s  1 min 00 s left  loss 3.21"), said());
        }
        assertTrue(said().endsWith(CLEAR + "training: 25 steps in 20 s, 1.25 steps/s, loss 3.21\n"), said());
        assertEquals(1, said().chars().filter(c -> c == '\n').count());
    }

    @Test
    void colourIsUsedUnlessUnwelcome() {
        Display display = display(Map.of("WOK_TTY", "1"));
        display.start("training", 2, "steps").close();
        assertTrue(said().contains("\u001b[32m"), said());
    }

    @Test
    void aBarIsRedrawnAtMostTenTimesASecond() {
        Display display = display(Map.of("WOK_TTY", "1"));
        Progress.Task task = display.start("reading", 1000, "bytes");
        for (int i = 0; i < 1000; i++) {
            nanos.addAndGet(1_000_000);
            task.advance(1);
        }
        assertEquals(11, said().split(CLEAR.replace("[", "\\["), -1).length - 1);
    }

    @Test
    void aNarrowTerminalGetsAShorterLine() {
        Display display = display(Map.of("WOK_TTY", "1", "COLUMNS", "30"));
        Progress.Task task = display.start("training the tokenizer", 4, "pairs");
        seconds(1);
        task.advance(1);
        String line = said().substring(said().lastIndexOf(CLEAR) + CLEAR.length());
        assertEquals("training the tokenizer   25 %", line);
    }

    @Test
    void theInnermostTaskIsShownAndTheOuterOneComesBack() {
        Display display = display(Map.of("WOK_TTY", "1", "COLUMNS", "120"));
        Progress.Task outer = display.start("training", 10, "steps");
        Progress.Task inner = display.start("evaluating", 10, "batches");
        seconds(1);
        outer.advance(1);
        assertTrue(shown().startsWith("evaluating"), said());
        inner.close();
        assertTrue(shown().startsWith("training"), said());
        outer.close();
        assertEquals("", shown().replaceFirst("^training: .*\n", ""));
    }

    @Test
    void aLogGetsALineEveryTenSecondsAndOneAtTheEnd() {
        Display display = display(Map.of("WOK_TTY", "0", "COLUMNS", "40"));
        try (Progress.Task task = display.start("writing", 100_000_000, "bytes")) {
            for (int i = 0; i < 25; i++) {
                seconds(1);
                task.advance(1_000_000);
            }
        }
        assertEquals("""
                writing:  10 %  1.0 MB/s  1 min 30 s left
                writing:  20 %  1.0 MB/s  1 min 20 s left
                writing: 25.0 MB in 25 s, 1.0 MB/s
                """, said());
    }

    @Test
    void anUnknownTotalIsCounted() {
        Display display = display(Map.of());
        Progress.Task task = display.start("reading", -1, "files");
        seconds(10);
        task.advance(12_340);
        assertEquals("reading: 12,340 files  1,234 files/s\n", said());
    }

    @Test
    void aShortTaskLeavesNothingBehind() {
        Display display = display(Map.of());
        try (Progress.Task task = display.start("loading", 1, "files")) {
            task.advance(1);
        }
        assertEquals("", said());
    }

    @Test
    void aLineSaidInBetweenStaysAboveTheBar() {
        Display display = display(Map.of("WOK_TTY", "1"));
        Progress.Task task = display.start("reading", 10, "files");
        display.say("dropped 3 files");
        assertTrue(said().contains(CLEAR + "dropped 3 files\n" + CLEAR + "reading"), said());
        task.close();
    }

    @Test
    void closingTwiceIsHarmless() {
        Display display = display(Map.of());
        Progress.Task task = display.start("reading", 10, "files");
        seconds(2);
        task.close();
        task.close();
        assertEquals("reading: 0 files in 2.0 s\n", said());
        assertFalse(said().contains("\u001b"));
    }

    private Display display(Map<String, String> environment) {
        Console console = new Console(
                InputStream.nullInputStream(),
                new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                environment);
        return new Display(console, nanos::get);
    }

    private void seconds(long seconds) {
        nanos.addAndGet(seconds * 1_000_000_000L);
    }

    private String said() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private String shown() {
        return said().substring(said().lastIndexOf(CLEAR) + CLEAR.length());
    }
}
