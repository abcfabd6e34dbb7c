package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusRefusalTest {
    @TempDir
    Path folder;

    private static String refusal(Corpus.Settings settings) {
        String line = Refusal.of(() -> Corpus.open(settings, Progress.silent()).close());
        assertFalse(line.contains("\n"), line);
        return line;
    }

    private static String refusal(Path... sources) {
        return refusal(Sample.settings(sources));
    }

    private static void assertContains(String line, Object... parts) {
        for (Object part : parts) {
            assertTrue(line.contains(part.toString()), line);
        }
    }

    @Test
    void missingSource() {
        Path missing = folder.resolve("nowhere");
        assertEquals("there is no file or folder %s.".formatted(missing), refusal(missing));
        assertContains(refusal(new Path[0]), "no corpus was given");
    }

    @Test
    void unreadableFile() throws IOException {
        Path file = Sample.write(folder.resolve("a.txt"), "text");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
        assumeFalse(Files.isReadable(file), "the superuser may read everything");
        assertContains(refusal(file), file, "may not be read");
    }

    @Test
    void emptyCorpora() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertContains(refusal(empty), empty, "is empty", "holds no files");
        Path hidden = folder.resolve("h");
        Sample.write(hidden.resolve(".git/x"), "text");
        assertContains(refusal(hidden), "all of its 1 files are hidden, binary or excluded", ".git/x");
        Path blank = Sample.write(folder.resolve("blank.txt"), "  \n");
        assertContains(refusal(blank), blank, "1 file, 3 bytes", "no text after cleaning", "1 empty (3 bytes)");
        assertContains(refusal(Sample.write(folder.resolve("none.txt"), "")), "1 file, 0 bytes");
        assertContains(refusal(Sample.zip(folder.resolve("none.zip"), Map.of())), "holds no files");
    }

    @Test
    void tooSmallToHoldOut() throws IOException {
        Path file = Sample.write(folder.resolve("a.txt"), "A few words.\n");
        assertContains(refusal(file), "too small to hold out a part", "13 bytes", "at least 2 documents");
    }

    @Test
    void settingsOutOfRange() {
        assertContains(
                Refusal.of(() -> new Corpus.Settings(List.of(folder), "text", List.of(), List.of(), 0, 1, 1)),
                "held-out share is 1.0");
        assertContains(
                Refusal.of(() -> new Corpus.Settings(List.of(folder), "text", List.of(), List.of(), -1, 0, 1)),
                "limited to -1 bytes");
    }

    @Test
    void globsThatMatchNothing() throws IOException {
        Sample.write(folder.resolve("tree/src/a.txt"), "text");
        Sample.write(folder.resolve("tree/src/b.txt"), "text");
        String line = refusal(Sample.globs(List.of("*.java"), List.of(), folder.resolve("tree")));
        assertContains(line, "[*.java] match none of the 2 files", "for example src/a.txt");
        assertContains(refusal(Sample.globs(List.of(), List.of("src"), folder.resolve("tree"))), "excluded");
    }

    @Test
    void otherArchives() throws IOException {
        for (String name : List.of("a.tar.gz", "a.tgz", "a.tar", "a.7z", "a.parquet")) {
            Path file = Sample.write(folder.resolve(name), "x");
            assertContains(refusal(file), file, "unpack or convert it");
        }
    }

    private Path archive() throws IOException {
        Map<String, String> texts = new TreeMap<>();
        Random random = new Random(1);
        for (int i = 0; i < 30; i++) {
            texts.put("f%02d.txt".formatted(i), Sample.prose(random, 3000));
        }
        return Sample.zip(folder.resolve("good.zip"), texts);
    }

    @Test
    void truncatedZip() throws IOException {
        byte[] bytes = Files.readAllBytes(archive());
        for (int length : new int[] {bytes.length - 1, bytes.length - 500, bytes.length / 2, 10, 0}) {
            Path file = Sample.write(folder.resolve("cut.zip"), Arrays.copyOf(bytes, length));
            assertContains(refusal(file), file, "is no intact zip file");
        }
    }

    /// Whatever byte is wrong, the corpus opens or refuses with one line; in the data of an entry it always
    /// refuses.
    @Test
    void damagedZip() throws IOException {
        byte[] bytes = Files.readAllBytes(archive());
        int data = 30 + "f00.txt".length() + 10;
        for (int at : new int[] {data, data + 100, data + 700, bytes.length / 2}) {
            byte[] damaged = bytes.clone();
            damaged[at] ^= 0x55;
            Path file = Sample.write(folder.resolve("bad.zip"), damaged);
            assertContains(refusal(file), file, "is corrupt: its entry f", "cannot be unpacked");
        }
        Random random = new Random(2);
        int refused = 0;
        for (int i = 0; i < 200; i++) {
            byte[] damaged = bytes.clone();
            damaged[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            Path file = Sample.write(folder.resolve("bad.zip"), damaged);
            try (Corpus corpus = Sample.open(file)) {
                assertTrue(Sample.texts(corpus).size() >= 29);
            } catch (BadInput e) {
                refused++;
            }
        }
        assertTrue(refused > 100, refused + " refused");
    }

    @Test
    void truncatedAndDamagedGzip() throws IOException {
        byte[] bytes = Files.readAllBytes(Sample.gzip(folder.resolve("a.txt.gz"), Sample.prose(new Random(3), 50_000)));
        Path cut = Sample.write(folder.resolve("cut.txt.gz"), Arrays.copyOf(bytes, bytes.length / 2));
        assertContains(refusal(cut), cut, "is truncated");
        Path noHeader = Sample.write(folder.resolve("not.txt.gz"), "plain text");
        assertContains(refusal(noHeader), noHeader, "is no intact gzip file");
        byte[] damaged = bytes.clone();
        damaged[bytes.length - 6] ^= 1;
        Path trailer = Sample.write(folder.resolve("bad.txt.gz"), damaged);
        assertContains(refusal(trailer), trailer, "is no intact gzip file");
    }

    @Test
    void jsonlLines() throws IOException {
        String good = "{\"text\": \"a line\", \"id\": 1}\n";
        Path file = folder.resolve("a.jsonl");
        Sample.write(file, good + "{\"text\": \n");
        assertContains(refusal(file), file, "line 2 is not JSON");
        Sample.write(file, good + good + "{\"content\": \"x\", \"id\": 1}\n");
        assertContains(refusal(file), file, "line 3 has no field 'text'; its fields are [content, id]");
        Sample.write(file, good + "[1, 2]\n");
        assertContains(refusal(file), "line 2 is no JSON object but an array");
        Sample.write(file, good + "\n{\"text\": 7}\n");
        assertContains(refusal(file), "field 'text' of line 3 holds a number");
        Path zip = Sample.zip(folder.resolve("a.zip"), Map.of("in/a.jsonl", "nonsense"));
        assertContains(refusal(zip), zip, "in/a.jsonl", "line 1 is not JSON");
    }

    @Test
    void jsonlLinesThatAreNotTextAreDropped() throws IOException {
        Path file = folder.resolve("a.jsonl");
        try (OutputStream out = Files.newOutputStream(file)) {
            for (int i = 0; i < 30; i++) {
                out.write("{\"text\": \"line %d\"}\n".formatted(i).getBytes(StandardCharsets.UTF_8));
            }
            out.write("{\"text\": \"caf\u00e9\"}\n".getBytes(StandardCharsets.ISO_8859_1));
            out.write("{\"text\": \"half \\ud83d\"}\n{\"text\": null}\n{\"text\": \"\"}\n"
                    .getBytes(StandardCharsets.UTF_8));
        }
        try (Corpus corpus = Sample.open(file)) {
            assertEquals(30, corpus.documents());
            assertContains(corpus.summary().get(1), "2 empty", "2 not UTF-8");
        }
    }

    @Test
    void bombsAreDroppedAndCounted() throws IOException {
        byte[] block = ("a".repeat(70_000) + "\n").repeat(100).getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(packed)) {
            out.write(block);
        }
        ByteArrayOutputStream members = new ByteArrayOutputStream();
        for (long bytes = 0; bytes <= Entry.BOMB_BYTES; bytes += block.length) {
            packed.writeTo(members);
        }
        Path gz = Sample.write(folder.resolve("bomb.txt.gz"), members.toByteArray());
        Map<String, byte[]> texts = new TreeMap<>(Map.of("in/bomb.txt.gz", members.toByteArray()));
        Random random = new Random(4);
        for (int i = 0; i < 25; i++) {
            texts.put("f%d.txt".formatted(i), Sample.prose(random, 500).getBytes(StandardCharsets.UTF_8));
        }
        try (Corpus corpus = Sample.open(gz, Sample.zipBytes(folder.resolve("bomb.zip"), texts))) {
            assertEquals(25, corpus.documents());
            assertContains(corpus.summary().get(1), "2 too large when unpacked");
        }
    }

    @Test
    void changedSourceIsNoticed() throws IOException {
        Path tree = folder.resolve("tree");
        for (int i = 0; i < 30; i++) {
            Sample.write(tree.resolve("f%d.txt".formatted(i)), "text number %d\n".formatted(i));
        }
        try (Corpus corpus = Sample.open(tree)) {
            for (int i = 0; i < 30; i++) {
                Sample.write(tree.resolve("f%d.txt".formatted(i)), "longer text number %d\n".formatted(i));
            }
            String line = Refusal.of(() -> Sample.texts(corpus));
            assertContains(line, "has changed since the corpus was opened");
        }
        try (Corpus corpus = Sample.open(tree)) {
            for (int i = 0; i < 30; i++) {
                Files.delete(tree.resolve("f%d.txt".formatted(i)));
            }
            assertContains(Refusal.of(() -> Sample.texts(corpus)), "there is no file " + tree);
        }
    }
}
