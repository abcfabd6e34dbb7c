package dev.wok.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BadInputTest {
    @TempDir
    Path folder;

    @Test
    void readingSaysWhatIsWrong() {
        Path path = Path.of("data.txt");
        IOException cause = new NoSuchFileException("data.txt");
        assertEquals("there is no file data.txt.", BadInput.reading(path, cause).getMessage());
        assertSame(cause, BadInput.reading(path, cause).getCause());
        assertEquals(
                "data.txt may not be read by this user; change its permissions.",
                BadInput.reading(path, new AccessDeniedException("data.txt")).getMessage());
        assertEquals(
                "data.txt could not be read: Input/output error.",
                BadInput.reading(path, new IOException("Input/output error")).getMessage());
        assertEquals(
                "data.txt could not be read: IOException.",
                BadInput.reading(path, new IOException()).getMessage());
    }

    @Test
    void writingSaysWhatIsWrongAndCleansUp() throws IOException {
        Path path = Path.of("out");
        Path partial = Files.writeString(folder.resolve("out.part"), "half");
        assertEquals(
                "the disk is full: out was not written, nothing half-written is left. Free some space and run again.",
                BadInput.writing(path, new IOException("No space left on device"), partial, folder.resolve("absent"))
                        .getMessage());
        assertFalse(Files.exists(partial));
        for (String full : List.of("Disk quota exceeded", "There is not enough space on the disk")) {
            assertInstanceOf(DiskFull.class, BadInput.writing(path, new FileSystemException("out", null, full)));
        }
        assertEquals(
                "out may not be written by this user; choose another folder.",
                BadInput.writing(path, new AccessDeniedException("out")).getMessage());
        assertEquals(
                "out could not be written: File too large.",
                BadInput.writing(path, new IOException("File too large")).getMessage());
    }

    @Test
    void whatTheSystemSaysInWords() {
        Path path = Path.of("out");
        assertEquals(
                "out could not be written: a file of that name is in its place.",
                BadInput.writing(path, new FileAlreadyExistsException("out")).getMessage());
        assertEquals(
                "out could not be written: nothing can be made there.",
                BadInput.writing(path, new NoSuchFileException("out")).getMessage());
        assertEquals(
                "out could not be written: Not a directory.",
                BadInput.writing(path, new FileSystemException("out", null, "Not a directory"))
                        .getMessage());
    }

    @Test
    void aParsersWordsWithoutItsPlaces() {
        assertEquals(
                "a.json is not JSON: Unexpected end-of-input: expected close marker for Object.",
                BadInput.notJson(
                                "a.json",
                                new IllegalStateException(
                                        "Unexpected end-of-input: expected close marker for Object (start marker at [Source: REDACTED])\n at [no location]"))
                        .getMessage());
    }

    /// Names in files may hold anything: a line end, a colour for the terminal, a megabyte.
    @Test
    void aMessageIsOneLine() {
        assertEquals("tensor a [31mb is odd", new BadInput("tensor a\n\u001b[31mb is odd").getMessage());
        String cut = String.valueOf(new BadInput("x".repeat(5000) + ": do this.").getMessage());
        assertEquals(1005, cut.length());
        assertTrue(cut.endsWith("x: do this."), cut);
    }

    /// What cannot be removed is remembered, and does not hide the first failure.
    @Test
    void aPartThatStaysIsSuppressed() throws IOException {
        Path filled = Files.createDirectory(folder.resolve("filled"));
        Files.writeString(filled.resolve("file"), "x");
        IOException cause = new IOException("Input/output error");
        assertEquals(
                "out could not be written: Input/output error.",
                BadInput.writing(Path.of("out"), cause, filled).getMessage());
        assertEquals(1, cause.getSuppressed().length);
    }
}
