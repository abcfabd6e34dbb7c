package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenShardsTest {
    @TempDir
    Path folder;

    /// Letters as ids, spread over the vocabulary.
    static ShardWriter.Encoding letters(int vocabulary) {
        int step = (vocabulary - 2) / 128;
        return new ShardWriter.Encoding(
                text -> text.chars().map(c -> 2 + c % 128 * step).toArray(),
                OptionalInt.of(0),
                OptionalInt.of(1),
                vocabulary);
    }

    static List<Corpus.Document> documents(Random random, int count, int longest) {
        List<Corpus.Document> documents = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int length = random.nextInt(longest + 1);
            documents.add(
                    new Corpus.Document("d" + i, Sample.prose(random, length).substring(0, length)));
        }
        return documents;
    }

    static TokenShards shards(Path file, List<Corpus.Document> documents, ShardWriter.Encoding encoding, int threads) {
        ShardWriter.write(file, encoding, documents.stream(), -1, 77, threads, Progress.silent());
        return TokenShards.open(file);
    }

    @ParameterizedTest
    @CsvSource({"300, 0", "65536, 1", "65537, 300", "200000, 300"})
    void roundTrip(int vocabulary, int count) {
        ShardWriter.Encoding encoding = letters(vocabulary);
        List<Corpus.Document> documents = documents(new Random(vocabulary), count, 2000);
        Path file = folder.resolve("a.tokens");
        try (TokenShards shards = shards(file, documents, encoding, 2)) {
            assertEquals(count, shards.documents());
            assertEquals(77, shards.fingerprint());
            assertEquals(vocabulary, shards.vocabulary());
            long at = 0;
            long bytes = 0;
            for (int d = 0; d < count; d++) {
                String text = documents.get(d).text();
                assertEquals(at, shards.start(d));
                assertEquals(0, shards.token(at));
                assertEquals(d, shards.documentOf(at++));
                for (int id : encoding.encode().apply(text)) {
                    assertEquals(id, shards.token(at++));
                }
                assertEquals(d, shards.documentOf(at));
                assertEquals(1, shards.token(at++));
                long documentBytes = text.getBytes(StandardCharsets.UTF_8).length;
                assertEquals(documentBytes, shards.bytes(d));
                bytes += documentBytes;
            }
            assertEquals(at, shards.tokens());
            assertEquals(at, shards.start(count));
            assertEquals(bytes, shards.bytes());
            long end = at;
            assertThrows(IndexOutOfBoundsException.class, () -> shards.token(end));
            assertThrows(IndexOutOfBoundsException.class, () -> shards.token(-1));
        }
        assertFalse(Files.exists(folder.resolve("a.tokens.part")));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8})
    void threadsDoNotChangeTheFile(int threads) throws IOException {
        List<Corpus.Document> documents = documents(new Random(5), 400, 5000);
        shards(folder.resolve("one"), documents, letters(1000), 2).close();
        shards(folder.resolve("many"), documents, letters(1000), threads).close();
        assertEquals(-1, Files.mismatch(folder.resolve("one"), folder.resolve("many")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"deepseek_v3_tiny", "qwen2_tiny"})
    void corpusComesBackThroughATokenizer(String name) throws IOException {
        Random random = new Random(6);
        for (int i = 0; i < 60; i++) {
            Sample.write(folder.resolve("in/f%d.txt".formatted(i)), Sample.prose(random, 1 + random.nextInt(5000)));
        }
        Tokenizer tokenizer = Tokenizer.load(Fixtures.folder(name));
        Path file = folder.resolve("a.tokens");
        try (Corpus corpus = Sample.open(folder.resolve("in"))) {
            TokenShards.write(
                    file, tokenizer, corpus.train(), corpus.trainBytes(), corpus.fingerprint(), 2, Progress.silent());
            try (TokenShards shards = TokenShards.open(file)) {
                assertEquals(corpus.fingerprint(), shards.fingerprint());
                assertEquals(corpus.trainBytes(), shards.bytes());
                assertEquals(tokenizer.size(), shards.vocabulary());
                List<Corpus.Document> documents = corpus.train().toList();
                assertEquals(documents.size(), shards.documents());
                int eos = tokenizer.eosId().orElseThrow();
                for (int d = 0; d < documents.size(); d++) {
                    int[] ids = LongStream.range(shards.start(d), shards.start(d + 1L))
                            .mapToInt(shards::token)
                            .toArray();
                    assertEquals(tokenizer.bosId().orElse(eos), ids[0]);
                    assertEquals(eos, ids[ids.length - 1]);
                    int[] inner = Arrays.copyOfRange(ids, 1, ids.length - 1);
                    assertEquals(documents.get(d).text(), tokenizer.decode(inner, false));
                }
            }
        }
    }

    @Test
    void documentsWithoutTokensAreLeftOut() {
        ShardWriter.Encoding bare =
                new ShardWriter.Encoding(text -> text.chars().toArray(), OptionalInt.empty(), OptionalInt.empty(), 256);
        List<Corpus.Document> documents =
                List.of(new Corpus.Document("a", ""), new Corpus.Document("b", "xy"), new Corpus.Document("c", ""));
        try (TokenShards shards = shards(folder.resolve("a"), documents, bare, 1)) {
            assertEquals(1, shards.documents());
            assertEquals(2, shards.tokens());
        }
    }

    @Test
    void idBeyondTheTokenizerIsRefusedAndNothingLeft() {
        ShardWriter.Encoding lying =
                new ShardWriter.Encoding(text -> new int[] {70}, OptionalInt.empty(), OptionalInt.empty(), 70);
        Path file = folder.resolve("a");
        assertThrows(IllegalArgumentException.class, () -> shards(file, documents(new Random(1), 3, 9), lying, 1));
        assertArrayEquals(new Path[0], list());
    }

    @Test
    void failingStreamLeavesNothing() {
        Stream<Corpus.Document> documents = documents(new Random(1), 100, 5000).stream()
                .peek(document -> {
                    if (document.name().equals("d90")) {
                        throw new BadInput("the source is gone.");
                    }
                });
        Path file = folder.resolve("a");
        String refusal =
                Refusal.of(() -> ShardWriter.write(file, letters(1000), documents, -1, 0, 2, Progress.silent()));
        assertEquals("the source is gone.", refusal);
        assertArrayEquals(new Path[0], list());
    }

    @Test
    void fullDiskIsSaidAndNothingLeft() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full), "no device that is always full here");
        Path file = folder.resolve("a");
        Files.createSymbolicLink(folder.resolve("a.part"), full);
        String refusal = Refusal.of(() -> shards(file, documents(new Random(1), 400, 9000), letters(100_000), 2));
        assertTrue(refusal.startsWith("the disk is full: " + file), refusal);
        assertArrayEquals(new Path[0], list());
    }

    @Test
    void missingFolderIsSaid() {
        Path file = folder.resolve("none/a");
        String refusal = Refusal.of(() -> shards(file, documents(new Random(1), 3, 9), letters(1000), 1));
        assertTrue(refusal.startsWith(file + " could not be written"), refusal);
    }

    private Path[] list() {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toArray(Path[]::new);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void missingFile() {
        Path file = folder.resolve("none");
        String refusal = Refusal.of(() -> TokenShards.open(file));
        assertEquals("there is no file %s.".formatted(file), refusal);
    }

    @Test
    void truncatedFileIsRefused() throws IOException {
        Path file = folder.resolve("a");
        shards(file, documents(new Random(2), 30, 100), letters(1000), 1).close();
        byte[] bytes = Files.readAllBytes(file);
        for (int length = 0; length < bytes.length; length += 1 + length / 7) {
            Files.write(file, Arrays.copyOf(bytes, length));
            String refusal = Refusal.of(() -> TokenShards.open(file));
            assertTrue(refusal.startsWith(file + " is no intact file of token shards: at byte "), refusal);
        }
        Files.write(file, Arrays.copyOf(bytes, bytes.length + 8));
        assertThrows(BadInput.class, () -> TokenShards.open(file));
    }

    /// @param offset where a lie stands
    /// @param value the lie
    @ParameterizedTest
    @CsvSource({
        "0, 5, 0, does not begin with WOKTOKEN",
        "8, 2, 8, its version is 2",
        "12, 3, 12, ids of 3 bytes",
        "12, 4, 12, ids of 4 bytes for a vocabulary of 1000",
        "16, 0, 12, a vocabulary of 0",
        "24, -1, 24, negative",
        "24, 9223372036854775807, 24, no file can hold",
        "32, 9223372036854775807, 24, no file can hold",
        "32, 2305843009213693952, 24, no file can hold",
        "40, 1, 0, text byte",
        "40, 99999999, 32, text bytes do not make",
    })
    void lyingHeaderIsRefused(int offset, long value, int said, String what) throws IOException {
        Path file = folder.resolve("a");
        shards(file, documents(new Random(3), 30, 100), letters(1000), 1).close();
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        if (offset == 8 || offset == 12) {
            bytes.putInt(offset, (int) value);
        } else {
            bytes.putLong(offset, value);
        }
        Files.write(file, bytes.array());
        String line = Refusal.of(() -> TokenShards.open(file));
        assertTrue(line.contains(what), line);
        assertTrue(line.contains("at byte " + (said == 0 ? "" : said + ",")), line);
    }

    @Test
    void damagedTableOrIdIsRefused() throws IOException {
        Path file = folder.resolve("a");
        long start;
        try (TokenShards shards = shards(file, documents(new Random(4), 30, 100), letters(1000), 1)) {
            start = (ShardLayout.HEADER_BYTES + 2 * shards.tokens() + 7) / 8 * 8;
        }
        byte[] good = Files.readAllBytes(file);
        for (long lie : new long[] {-1, 0, 1L << 40}) {
            ByteBuffer bytes = ByteBuffer.wrap(good.clone()).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putLong((int) start + 8 * 5, lie);
            Files.write(file, bytes.array());
            String line = Refusal.of(() -> TokenShards.open(file));
            assertTrue(line.contains("at byte " + (start + 8 * 5) + ", document 5 begins at token " + lie), line);
        }
        ByteBuffer bytes = ByteBuffer.wrap(good.clone()).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putShort(ShardLayout.HEADER_BYTES + 2 * 7, (short) 1000);
        Files.write(file, bytes.array());
        try (TokenShards shards = TokenShards.open(file)) {
            String line = Refusal.of(() -> shards.token(7));
            assertTrue(line.contains("at byte 78, id 1000 is beyond the vocabulary of 1000"), line);
        }
    }
}
