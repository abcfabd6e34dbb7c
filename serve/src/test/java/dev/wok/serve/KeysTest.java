package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeysTest {
    private static final String HASH = "0".repeat(64);
    private static final long MINUTE = 60_000_000_000L;

    @TempDir
    Path folder;

    private String refusal(String lines) throws IOException {
        Path file = Files.writeString(folder.resolve("damaged"), lines);
        BadInput refused = assertThrows(BadInput.class, () -> new Keys(file, Progress.silent()));
        return String.valueOf(refused.getMessage()).replace(file.toString(), "FILE");
    }

    @Test
    void aKeyIsShownOnceAndFound() throws IOException {
        Path file = folder.resolve("keys");
        String alice = Keys.add(file, "alice", Keys.Limits.none());
        Files.writeString(file, Files.readString(file) + "\n# a remark\n");
        String bob = Keys.add(
                file, "bob@example.com", new Keys.Limits(OptionalInt.of(60), OptionalInt.empty(), OptionalInt.of(4)));
        assertTrue(alice.matches("wok-[A-Za-z0-9_-]{43}"), alice);
        String written = Files.readString(file);
        assertFalse(written.contains(alice.substring(4)), written);
        assertTrue(
                written.matches("alice [0-9a-f]{64}\n\n# a remark\nbob@example.com [0-9a-f]{64} requests=60 texts=4\n"),
                written);
        if (FileSystems.getDefault().supportedFileAttributeViews().contains("posix")) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        }
        Keys keys = new Keys(file, Progress.silent());
        assertEquals("alice", keys.find(alice).orElseThrow().name());
        assertEquals("bob@example.com", keys.find(bob).orElseThrow().name());
        assertTrue(keys.find("").isEmpty());
        assertTrue(keys.find(alice + "x").isEmpty());
    }

    @Test
    void namesAreNewAndPlain() {
        Path file = folder.resolve("keys");
        Keys.add(file, "alice", Keys.Limits.none());
        assertEquals(
                "%s has a key alice already; remove its line, or choose another name.".formatted(file),
                assertThrows(BadInput.class, () -> Keys.add(file, "alice", Keys.Limits.none()))
                        .getMessage());
        assertEquals(
                "the key's name 'a b': expected 1 to 64 letters, digits, '.', '_', '-' or '@'.",
                assertThrows(BadInput.class, () -> Keys.add(file, "a b", Keys.Limits.none()))
                        .getMessage());
        assertEquals(
                "a key's limit texts=0: expected 1 or more.",
                assertThrows(
                                BadInput.class,
                                () -> new Keys.Limits(OptionalInt.empty(), OptionalInt.empty(), OptionalInt.of(0)))
                        .getMessage());
        Path nowhere = folder.resolve("missing").resolve("keys");
        assertTrue(String.valueOf(assertThrows(BadInput.class, () -> Keys.add(nowhere, "x", Keys.Limits.none()))
                        .getMessage())
                .startsWith(nowhere + " could not be written"));
    }

    @Test
    void whatIsWrongInTheFileIsNamed() throws IOException {
        assertEquals(
                "FILE has no key, so nobody could ask anything; add one with wok serve --new-key NAME.",
                refusal("# nothing\n\n"));
        String line = "expected a name, the 64 hexadecimal digits of a SHA-256, and limits such as requests=60.";
        assertEquals("FILE, line 2: " + line, refusal("a " + HASH + "\nb\n"));
        assertEquals("FILE, line 1: " + line, refusal("a " + HASH + "0"));
        assertEquals("FILE, line 1: " + line, refusal("a/b " + HASH));
        assertEquals("FILE, line 2: the name a is there twice.", refusal("a " + HASH + "\na " + HASH));
        String limit = "expected requests=N or tokens=N (in a minute) or texts=N (at once), N 1 or more.";
        for (String bad :
                new String[] {"request=5", "tokens=0", "tokens=-1", "texts", "texts=99999999999", "texts=x"}) {
            assertEquals("FILE, line 1: %s: %s".formatted(bad, limit), refusal("a " + HASH + " " + bad));
        }
        Path file = folder.resolve("latin");
        Files.write(file, "ä".getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(
                file + " is not UTF-8, expected a line a key.",
                assertThrows(BadInput.class, () -> new Keys(file, Progress.silent()))
                        .getMessage());
        Path missing = folder.resolve("missing");
        assertEquals(
                "there is no file %s.".formatted(missing),
                assertThrows(BadInput.class, () -> new Keys(missing, Progress.silent()))
                        .getMessage());
    }

    @Test
    void aChangedFileIsReadAgain() throws IOException {
        Path file = folder.resolve("keys");
        Keys.Limits one = new Keys.Limits(OptionalInt.of(1), OptionalInt.empty(), OptionalInt.empty());
        String alice = Keys.add(file, "alice", one);
        Keys keys = new Keys(file, Progress.silent());
        keys.find(alice).orElseThrow().request(System.nanoTime());
        String bob = Keys.add(file, "bob", Keys.Limits.none());
        assertTrue(keys.find(bob).isEmpty());
        keys.refresh();
        assertTrue(keys.find(bob).isPresent());
        Key known = keys.find(alice).orElseThrow();
        assertThrows(Refusal.class, () -> known.request(System.nanoTime()), "what was used is known on");

        String before = Files.readString(file);
        Files.writeString(file, "damaged");
        keys.refresh();
        assertTrue(keys.find(bob).isPresent());
        Files.writeString(file, before.lines().findFirst().orElseThrow());
        Files.setLastModifiedTime(file, FileTime.from(Instant.EPOCH));
        keys.refresh();
        assertTrue(keys.find(bob).isEmpty());
        assertTrue(keys.find(alice).isPresent());
        Files.delete(file);
        keys.refresh();
        assertTrue(keys.find(alice).isPresent());
    }

    @Test
    void limitsAreForAMinuteAndComeBackEvenly() {
        Key key = new Key(
                "k", new byte[32], new Keys.Limits(OptionalInt.of(6), OptionalInt.of(600), OptionalInt.of(3)), 0);
        for (int i = 0; i < 6; i++) {
            key.request(0);
        }
        Refusal requests = assertThrows(Refusal.class, () -> key.request(0));
        assertEquals("the key k may have 6 requests a minute; try again in 10 s.", requests.message());
        assertEquals("requests", requests.type());
        assertEquals("rate_limit_exceeded", requests.code());
        assertEquals(429, requests.status());
        assertEquals(OptionalInt.of(10), requests.retrySeconds());
        key.request(MINUTE / 6);
        assertThrows(Refusal.class, () -> key.request(MINUTE / 6));

        key.begin(2, 0);
        key.begin(1, 0);
        assertEquals(
                "the key k may have 3 texts at once; try again in 1 s.",
                assertThrows(Refusal.class, () -> key.begin(1, 0)).message());
        key.end(1);
        key.begin(1, 0);
        key.end(3);

        key.used(599, 0);
        key.begin(1, 0);
        key.used(101, 0);
        Refusal tokens = assertThrows(Refusal.class, () -> key.begin(1, 0));
        assertEquals("the key k may have 600 tokens a minute; try again in 10 s.", tokens.message());
        assertEquals("tokens", tokens.type());
        key.begin(1, MINUTE / 6);
    }
}
