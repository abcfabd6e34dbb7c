package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Copies;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PageFolderTest {
    private static final int TOKENS = 3;
    private static final int BYTES = 5;
    private static final int FILE = 24 + 4 * TOKENS + BYTES;
    private static final int[] IDS = {4, 5, 6};

    @TempDir
    private Path folder;

    private final RecordingProgress progress = new RecordingProgress();

    private PageFolder open(String fingerprint, long bytes) {
        return new PageFolder(new Engine.Disk(folder, bytes, progress), fingerprint, TOKENS, BYTES);
    }

    private static MemorySegment contents(int first) {
        return MemorySegment.ofArray(new byte[] {(byte) first, 1, 2, 3, 4});
    }

    private static byte[] found(PageFolder pages, String key, int... ids) {
        return pages.find(key, ids).map(Copies::array).orElse(new byte[0]);
    }

    @Test
    void whatOneKeepsTheNextFinds() {
        String key = PageFolder.key("", IDS);
        open("a", 1000).keep(key, IDS, () -> contents(9));
        PageFolder next = open("a", 1000);
        assertArrayEquals(new byte[] {9, 1, 2, 3, 4}, found(next, key, IDS));
        assertEquals(Optional.empty(), next.find(PageFolder.key(key, IDS), IDS));
        assertEquals(Optional.empty(), open("b", 1000).find(key, IDS));
        assertEquals(List.of(), progress.lines());
    }

    @Test
    void aKeyIsOfTheWholeTextBefore() {
        String first = PageFolder.key("", IDS);
        assertEquals(64, first.length());
        assertNotEquals(first, PageFolder.key("", new int[] {4, 5, 7}));
        assertNotEquals(PageFolder.key(first, IDS), PageFolder.key(PageFolder.key("", new int[] {4, 5, 7}), IDS));
        assertEquals(PageFolder.key(first, IDS), PageFolder.key(first, IDS));
    }

    /// Every byte that is another, and every length.
    @Test
    void whatIsDamagedIsMissing() throws IOException {
        String key = PageFolder.key("", IDS);
        open("a", 1000).keep(key, IDS, () -> contents(9));
        Path file = open("a", 1000).files().getFirst();
        byte[] whole = Files.readAllBytes(file);
        assertEquals(FILE, whole.length);
        for (int i = 0; i < 2 * whole.length; i++) {
            byte[] damaged = i < whole.length ? whole.clone() : Arrays.copyOf(whole, i - whole.length);
            if (i < whole.length) {
                damaged[i] ^= (byte) (1 << i % 8);
            }
            Files.write(file, damaged);
            assertEquals(Optional.empty(), open("a", 1000).find(key, IDS), "byte " + i);
            assertEquals(i + 1, progress.lines().size());
            assertTrue(
                    progress.lines().getLast().endsWith("is damaged and was removed; what it held is computed again."));
            assertTrue(Files.notExists(file));
        }
    }

    @Test
    void otherIdsUnderAKeyAreNotTaken() {
        String key = PageFolder.key("", IDS);
        open("a", 1000).keep(key, IDS, () -> contents(9));
        assertEquals(Optional.empty(), open("a", 1000).find(key, new int[] {4, 5, 7}));
    }

    @Test
    void whatWasNotUsedForLongestGoes() throws IOException {
        PageFolder pages = open("a", 3 * FILE);
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int[] ids = {i, 0, 0};
            keys.add(PageFolder.key("", ids));
            MemorySegment page = contents(i);
            pages.keep(keys.get(i), ids, () -> page);
            Files.setLastModifiedTime(
                    folder.resolve("a").resolve(keys.get(i) + ".page"),
                    FileTime.from(Instant.now().minus(Duration.ofMinutes(10 - i))));
        }
        PageFolder later = open("b", 3 * FILE);
        PageFolder own = open("a", 3 * FILE);
        assertEquals(BYTES, found(own, keys.get(0), 0, 0, 0).length);
        own.keep(PageFolder.key("", IDS), IDS, () -> contents(7));
        assertEquals(3, own.files().size());
        assertEquals(0, found(own, keys.get(1), 1, 0, 0).length);
        assertEquals(BYTES, found(own, keys.get(0), 0, 0, 0).length);
        // The other one believes in a file that is gone, and makes room for its own from all models' files.
        later.keep(PageFolder.key("", IDS), IDS, () -> contents(7));
        assertEquals(1, later.files().size());
        assertEquals(List.of(), progress.lines());
    }

    @Test
    void whatWasLeftHalfWrittenGoesAfterAWhile() throws IOException {
        Path own = Files.createDirectories(folder.resolve("a"));
        Path old = Files.writeString(own.resolve("x.1.page.part"), "x");
        Path young = Files.writeString(own.resolve("y.1.page.part"), "x");
        Path other = Files.writeString(own.resolve("notes.txt"), "x");
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofHours(2))));
        assertEquals(List.of(), open("a", 1000).files());
        assertTrue(Files.notExists(old) && Files.exists(young) && Files.exists(other));
    }

    @Test
    void onePageFitsAtLeast() {
        assertEquals(
                "the cache on disk may take 40 bytes, expected 41 or more: one page of 3 tokens.",
                Thrown.message(BadInput.class, () -> open("a", FILE - 1)));
        PageFolder pages = open("a", FILE);
        for (int i = 0; i < 3; i++) {
            int[] ids = {i, 0, 0};
            pages.keep(PageFolder.key("", ids), ids, () -> contents(7));
            assertEquals(1, pages.files().size());
        }
    }

    @Test
    void aDiskThatTakesNothingIsSaidOnce() throws IOException {
        PageFolder pages = open("a", 1000);
        Files.delete(folder.resolve("a"));
        Files.writeString(folder.resolve("a"), "a file");
        pages.keep(PageFolder.key("", IDS), IDS, () -> contents(1));
        pages.keep(PageFolder.key("", IDS), IDS, () -> contents(1));
        assertEquals(1, progress.lines().size());
        assertTrue(progress.lines().getFirst().startsWith("nothing more is kept for later runs: "));
        assertTrue(Thrown.message(BadInput.class, () -> open("a", 1000)).contains("could not be written"));
    }
}
