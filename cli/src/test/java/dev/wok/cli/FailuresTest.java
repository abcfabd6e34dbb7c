package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FailuresTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Wok wok = new Wok();
    private final Failures failures;

    FailuresTest() {
        Console console = new Console(
                InputStream.nullInputStream(),
                new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of());
        failures = new Failures(console, new Display(console), wok, new String[] {"train", "--steps", "3"});
    }

    @Test
    void badInputIsOneLineAndTwo() {
        assertEquals(2, failures.report(new BadInput("there is no file x.\nSay which.", new IOException("x"))));
        assertEquals("wok: there is no file x. Say which.\n", said());
    }

    /// Nothing that was given is wrong, so the same may go another time.
    @Test
    void aFullDiskIsOneLineAndOne() {
        assertEquals(1, failures.report(BadInput.writing(Path.of("x"), new IOException("No space left on device"))));
        assertTrue(
                said().startsWith("wok: the disk is full: x was not written")
                        && said().lines().count() == 1,
                said());
    }

    @Test
    void aFailureIsOneLineAndItsDetailsLieInAFile() throws IOException {
        assertEquals(1, failures.report(new IllegalStateException("the workspace is full")));
        String line = said().strip();
        String begins = "wok: wok train failed: the workspace is full (IllegalStateException). Details: ";
        assertTrue(line.startsWith(begins), line);
        Path log = Path.of(line.substring(begins.length()));
        String details = Files.readString(log);
        Files.delete(log);
        assertTrue(details.startsWith("wok train --steps 3\n"), details);
        assertTrue(details.contains("java.lang.IllegalStateException: the workspace is full"), details);
        assertTrue(details.contains("/dev.wok.cli.FailuresTest"), details);
    }

    @Test
    void theDetailsComeAtOnceWhereAskedFor() {
        wok.stacktrace = true;
        assertEquals(1, failures.report(new IllegalStateException()));
        assertTrue(said().startsWith("wok: wok train failed: IllegalStateException. Details:\n"), said());
        assertTrue(said().contains("\tat "), said());
    }

    @Test
    void lackOfMemoryComesWithAdvice() {
        assertEquals(1, failures.report(new OutOfMemoryError("Java heap space")));
        assertEquals(1, said().lines().count());
        assertTrue(said().startsWith("wok: out of memory (Java heap space). "), said());
        assertTrue(said().contains("WOK_JAVA_OPTIONS=-Xmx"), said());
    }

    private String said() {
        return err.toString(StandardCharsets.UTF_8);
    }
}
