package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusTest {
    @TempDir
    Path folder;

    private static Map<String, String> proseFiles(int files, long seed) {
        Random random = new Random(seed);
        Map<String, String> texts = new TreeMap<>();
        for (int i = 0; i < files; i++) {
            texts.put("d%d/f%03d.txt".formatted(i % 5, i), Sample.prose(random, 50 + random.nextInt(3000)));
        }
        return texts;
    }

    private static Path folderOf(Path folder, Map<String, String> texts) throws IOException {
        for (Map.Entry<String, String> text : texts.entrySet()) {
            Sample.write(folder.resolve(text.getKey()), text.getValue());
        }
        return folder;
    }

    @Test
    void folderZipGzipAndJsonlHoldTheSameTexts() throws IOException {
        Map<String, String> texts = proseFiles(40, 1);
        Path tree = folderOf(folder.resolve("tree"), texts);
        Path zip = Sample.zip(folder.resolve("a.zip"), texts);
        StringBuilder lines = new StringBuilder();
        texts.values()
                .forEach(text -> lines.append("{\"id\": 7, \"text\": \"")
                        .append(text.replace("\n", "\\n"))
                        .append("\"}\n\n"));
        Path jsonl = Sample.write(folder.resolve("a.jsonl"), lines.toString());
        Path jsonlGz = Sample.gzip(folder.resolve("b.jsonl.gz"), lines.toString());
        Path nested =
                Sample.zipBytes(folder.resolve("nested.zip"), Map.of("in/b.jsonl.gz", Files.readAllBytes(jsonlGz)));
        Set<String> expected = new HashSet<>(texts.values());
        for (Path source : List.of(tree, zip, jsonl, jsonlGz, nested)) {
            try (Corpus corpus = Sample.open(source)) {
                Map<String, String> read = Sample.texts(corpus);
                assertEquals(40, read.size(), source.toString());
                assertEquals(expected, new HashSet<>(read.values()), source.toString());
                assertEquals(40, corpus.documents());
                long bytes = expected.stream()
                        .mapToLong(text -> text.getBytes(StandardCharsets.UTF_8).length)
                        .sum();
                assertEquals(bytes, corpus.trainBytes() + corpus.heldOutBytes());
            }
        }
        try (Corpus corpus = Sample.open(tree)) {
            assertEquals(texts, Sample.texts(corpus));
        }
        try (Corpus mixed = Sample.open(tree, zip, jsonl, jsonlGz, nested)) {
            assertEquals(40, mixed.documents());
            String drops = mixed.summary().get(1);
            assertTrue(drops.startsWith("dropped: 160 duplicates ("), drops);
        }
    }

    @Test
    void aLinkToAFolderIsTheFolder() throws IOException {
        Map<String, String> texts = proseFiles(40, 3);
        Path tree = folderOf(folder.resolve("tree"), texts);
        try (Corpus corpus = Sample.open(Files.createSymbolicLink(folder.resolve("link"), tree))) {
            assertEquals(texts, Sample.texts(corpus));
        }
    }

    @Test
    void archivesInAFolderAreHiddenAndExcludedLikeFiles() throws IOException {
        Map<String, String> texts = proseFiles(40, 4);
        Path tree = folderOf(folder.resolve("tree"), texts);
        Files.createDirectory(tree.resolve(".git"));
        Sample.zip(tree.resolve(".git/a.zip"), proseFiles(2, 5));
        Sample.write(tree.resolve("broken.zip"), "no zip at all");
        Corpus.Settings settings = new Corpus.Settings(List.of(tree), "text", List.of(), List.of("broken*"), 0, 0.1, 1);
        try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
            assertEquals(texts, Sample.texts(corpus));
            assertTrue(
                    corpus.summary().contains("left out by name: 2 files"),
                    corpus.summary().toString());
        }
    }

    /// As Windows packs files whose names have umlauts; and with two files of one name, which Java cannot tell apart.
    @Test
    void archivesWithOldNamesAndDoubleNamesAreRead() throws IOException {
        Path zip = folder.resolve("old.zip");
        Map<String, String> texts = proseFiles(40, 6);
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip), Charset.forName("IBM437"))) {
            for (Map.Entry<String, String> text : texts.entrySet()) {
                out.putNextEntry(new ZipEntry("für_" + text.getKey()));
                out.write(text.getValue().getBytes(StandardCharsets.UTF_8));
            }
        }
        // The last two names become one.
        byte[] bytes = Files.readAllBytes(zip);
        String latin = new String(bytes, StandardCharsets.ISO_8859_1).replace("d0/f010", "d1/f011");
        Files.write(zip, latin.getBytes(StandardCharsets.ISO_8859_1));
        try (Corpus corpus = Sample.open(zip)) {
            assertEquals(39, Sample.texts(corpus).size());
            assertTrue(Sample.texts(corpus).containsKey("für_d0/f000.txt"));
        }
    }

    @Test
    void gzippedTextAndNamedFileAreRead() throws IOException {
        Random random = new Random(2);
        Path gz = Sample.gzip(folder.resolve("a.txt.gz"), Sample.prose(random, 5000));
        Path odd = Sample.write(folder.resolve(".hidden.bin"), Sample.prose(random, 5000));
        try (Corpus corpus = Sample.open(gz, odd)) {
            Set<String> names = Sample.texts(corpus).keySet().stream()
                    .map(name -> name.replaceAll(" \\[.*", ""))
                    .collect(Collectors.toSet());
            assertEquals(Set.of("a.txt.gz", ".hidden.bin"), names);
        }
    }

    @Test
    void summarySaysWhatWasDropped() throws IOException {
        Path tree = folderOf(folder.resolve("tree"), proseFiles(40, 3));
        Sample.write(tree.resolve("latin1.txt"), "caf\u00e9 au lait".getBytes(StandardCharsets.ISO_8859_1));
        Sample.write(tree.resolve("binary.txt"), new byte[] {'a', 0, 'b', 'c'});
        Sample.write(tree.resolve("empty.txt"), " \n\n");
        Sample.write(tree.resolve("nothing.txt"), "");
        Sample.write(tree.resolve("table.txt"), "{ 1, 2, 3 },\n".repeat(20));
        Sample.write(tree.resolve("gen.go"), "// Code generated by x. DO NOT EDIT.\npackage x\n");
        Sample.write(tree.resolve("twice.txt"), Files.readAllBytes(tree.resolve("d0/f000.txt")));
        Sample.write(tree.resolve(".git/config"), "hidden");
        Sample.write(tree.resolve("logo.png"), "no text");
        try (Corpus corpus = Sample.open(tree)) {
            assertEquals(40, corpus.documents());
            List<String> summary = corpus.summary();
            assertTrue(summary.get(0).startsWith("47 files, "), summary.toString());
            String drops = summary.get(1).replaceAll(" \\([^)]*\\)", "");
            assertEquals("dropped: 1 duplicates, 1 tables, 1 generated, 1 empty, 1 not UTF-8, 1 binary", drops);
            assertTrue(summary.contains("left out by name: 2 files"), summary.toString());
            assertTrue(
                    summary.getLast().matches("\\d+ documents to train on \\(.* kB\\), \\d+ held out \\(.*B\\)"),
                    summary.toString());
        }
    }

    @Test
    void recurringLicencesGoAndLoneOnesStay() throws IOException {
        String licence = "/*\n * Copyright (c) %d X.\n * Licensed to you.\n */\n\n";
        Map<String, String> bodies = proseFiles(30, 4);
        Path tree = folder.resolve("tree");
        int year = 1990;
        for (Map.Entry<String, String> body : bodies.entrySet()) {
            Sample.write(tree.resolve(body.getKey()), "\uFEFF" + licence.formatted(year++) + body.getValue());
        }
        String lone = "// Copyright by somebody else\nclass A {}\n";
        Sample.write(tree.resolve("lone.txt"), lone);
        Sample.write(tree.resolve("plain.txt"), bodies.getOrDefault("d0/f000.txt", ""));
        Sample.write(tree.resolve("only.txt"), licence.formatted(2020));
        try (Corpus corpus = Sample.open(tree)) {
            Map<String, String> texts = Sample.texts(corpus);
            Map<String, String> expected = new TreeMap<>(bodies);
            expected.put("lone.txt", lone);
            assertEquals(expected, texts);
            List<String> summary = corpus.summary();
            assertTrue(summary.get(1).startsWith("dropped: 1 duplicates"), summary.toString());
            assertTrue(summary.get(1).contains("1 empty"), summary.toString());
            assertTrue(summary.get(2).startsWith("stripped licence headers from 30 documents ("), summary.toString());
        }
    }

    @Test
    void licenceThatOpensTooFewDocumentsStays() throws IOException {
        Path tree = folderOf(folder.resolve("tree"), proseFiles(30, 5));
        Sample.write(tree.resolve("a.txt"), "// Copyright X\nfirst\n");
        Sample.write(tree.resolve("b.txt"), "// Copyright X\nsecond\n");
        try (Corpus corpus = Sample.open(tree)) {
            assertEquals("// Copyright X\nfirst\n", Sample.texts(corpus).get("a.txt"));
        }
        assertEquals(3, Cleaning.threshold(32));
        assertEquals(5, Cleaning.threshold(50));
        assertEquals(10, Cleaning.threshold(15_000));
    }

    @Test
    void splitDoesNotMoveWhenDocumentsAreAdded() throws IOException {
        Map<String, String> texts = proseFiles(300, 6);
        Path few = folderOf(folder.resolve("few"), texts);
        Path more = folderOf(folder.resolve("more"), proseFiles(200, 7));
        Corpus.Settings one = new Corpus.Settings(List.of(few), "text", List.of(), List.of(), 0, 0.1, 42);
        Corpus.Settings both = new Corpus.Settings(List.of(more, few), "text", List.of(), List.of(), 0, 0.1, 42);
        Corpus.Settings other = new Corpus.Settings(List.of(few), "text", List.of(), List.of(), 0, 0.1, 43);
        Set<String> small = heldOut(one);
        Set<String> large = heldOut(both);
        large.retainAll(new HashSet<>(texts.values()));
        assertEquals(small, large);
        assertTrue(small.size() > 12 && small.size() < 54, small.size() + " of 300 held out at a share of 0.1");
        assertNotEquals(small, heldOut(other));
        assertEquals(small, heldOut(one));
    }

    private static Set<String> heldOut(Corpus.Settings settings) {
        try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
            Set<String> held = texts(corpus.heldOut());
            Set<String> train = texts(corpus.train());
            assertEquals(corpus.documents(), held.size() + (long) train.size());
            assertFalse(held.isEmpty());
            assertFalse(held.stream().anyMatch(train::contains));
            return held;
        }
    }

    private static Set<String> texts(Stream<Corpus.Document> documents) {
        return documents.map(Corpus.Document::text).collect(Collectors.toCollection(HashSet::new));
    }

    @Test
    void noShareHoldsOutNothing() throws IOException {
        Path tree = folderOf(folder.resolve("tree"), proseFiles(5, 8));
        Corpus.Settings settings = new Corpus.Settings(List.of(tree), "text", List.of(), List.of(), 0, 0, 1);
        try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
            assertEquals(5, corpus.train().count());
            assertEquals(0, corpus.heldOut().count());
            assertEquals(0, corpus.heldOutBytes());
        }
    }

    @Test
    void oneBigFileIsCutAtLinesAndSplit() throws IOException {
        for (int characters : new int[] {3_000, 100_000, 3_000_000}) {
            String text = Sample.prose(new Random(9), characters);
            Path file = Sample.write(folder.resolve("big%d.txt".formatted(characters)), text);
            Path gz = Sample.gzip(folder.resolve("big%d.txt.gz".formatted(characters)), text);
            for (Path source : List.of(file, gz)) {
                try (Corpus corpus = Sample.open(source)) {
                    assertTrue(corpus.heldOutBytes() > 0);
                    assertTrue(corpus.trainBytes() > corpus.heldOutBytes());
                    List<Corpus.Document> pieces =
                            new ArrayList<>(corpus.train().toList());
                    pieces.addAll(corpus.heldOut().toList());
                    pieces.sort((a, b) -> Integer.compare(number(a.name()), number(b.name())));
                    assertEquals(
                            text, pieces.stream().map(Corpus.Document::text).collect(Collectors.joining()));
                    for (Corpus.Document piece : pieces) {
                        assertTrue(piece.text().endsWith("\n"));
                        assertTrue(piece.text().getBytes(StandardCharsets.UTF_8).length <= Corpus.LONGEST_DOCUMENT);
                    }
                }
            }
        }
    }

    private static int number(String name) {
        int bracket = name.indexOf('[');
        return bracket < 0 ? 1 : Integer.parseInt(name.substring(bracket + 1, name.length() - 1));
    }

    @Test
    void textWithoutLinesIsCutBetweenCharacters() throws IOException {
        String text = Sample.prose(new Random(10), 40_000).replace("\n", "\u20AC\uD83D\uDE00");
        try (Corpus corpus = Sample.open(Sample.write(folder.resolve("a.txt"), text))) {
            List<Corpus.Document> pieces = new ArrayList<>(corpus.train().toList());
            pieces.addAll(corpus.heldOut().toList());
            pieces.sort((a, b) -> Integer.compare(number(a.name()), number(b.name())));
            assertTrue(pieces.size() > 15, pieces.size() + " pieces");
            assertEquals(text, pieces.stream().map(Corpus.Document::text).collect(Collectors.joining()));
        }
    }

    @Test
    void twoSmallDocumentsAreOneEach() throws IOException {
        Path tree = folderOf(folder.resolve("tree"), Map.of("a.txt", "one text\n", "b.txt", "another\n"));
        for (long seed = 0; seed < 20; seed++) {
            for (double share : new double[] {0.001, 0.5, 0.999}) {
                Corpus.Settings settings =
                        new Corpus.Settings(List.of(tree), "text", List.of(), List.of(), 0, share, seed);
                assertEquals(1, heldOut(settings).size());
            }
        }
    }

    @Test
    void limitTakesASampleFromEverywhere() throws IOException {
        Map<String, String> texts = proseFiles(300, 11);
        Path tree = folderOf(folder.resolve("tree"), texts);
        Corpus.Settings settings = new Corpus.Settings(List.of(tree), "text", List.of(), List.of(), 100_000, 0.1, 1);
        try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
            long bytes = corpus.trainBytes() + corpus.heldOutBytes();
            assertTrue(bytes <= 100_000 && bytes > 90_000, bytes + " bytes");
            Set<String> folders = Sample.texts(corpus).keySet().stream()
                    .map(name -> name.substring(0, 2))
                    .collect(Collectors.toSet());
            assertEquals(Set.of("d0", "d1", "d2", "d3", "d4"), folders);
            assertTrue(
                    corpus.summary().stream().anyMatch(line -> line.matches("sampled \\d+ of 300 documents .*")),
                    corpus.summary().toString());
        }
    }

    @Test
    void streamsAreShuffledAndRepeatable() throws IOException {
        Path tree = folderOf(folder.resolve("tree"), proseFiles(100, 12));
        try (Corpus corpus = Sample.open(tree);
                Corpus again = Sample.open(tree)) {
            List<String> names = corpus.train().map(Corpus.Document::name).toList();
            assertEquals(names, corpus.train().map(Corpus.Document::name).toList());
            assertEquals(names, again.train().map(Corpus.Document::name).toList());
            assertNotEquals(names.stream().sorted().toList(), names);
            assertEquals(corpus.fingerprint(), again.fingerprint());
            List<String> first =
                    corpus.train().limit(3).map(Corpus.Document::name).toList();
            assertEquals(names.subList(0, 3), first);
        }
        Sample.write(tree.resolve("d0/f000.txt"), "something else");
        long before;
        try (Corpus corpus = Sample.open(tree)) {
            before = corpus.fingerprint();
        }
        Sample.write(tree.resolve("d0/f000.txt"), "something more");
        try (Corpus corpus = Sample.open(tree)) {
            assertNotEquals(before, corpus.fingerprint());
        }
    }

    @Test
    void longStreamIsReadInRunsAndComplete() throws IOException {
        Random random = new Random(13);
        StringBuilder lines = new StringBuilder();
        Set<String> expected = new HashSet<>();
        String filler = Sample.prose(random, 200_000);
        for (int i = 0; i < 50; i++) {
            String text = i + " " + filler;
            expected.add(text);
            lines.append("{\"body\":\"").append(text.replace("\n", "\\n")).append("\"}\n");
        }
        Path gz = Sample.gzip(folder.resolve("big.jsonl.gz"), lines.toString());
        Path small = folderOf(folder.resolve("tree"), proseFiles(30, 14));
        Corpus.Settings settings = new Corpus.Settings(List.of(gz, small), "body", List.of(), List.of(), 0, 0.05, 1);
        try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
            assertTrue(corpus.trainBytes() > 8 << 20);
            List<String> names = corpus.train().map(Corpus.Document::name).toList();
            assertEquals(names.size(), new HashSet<>(names).size());
            Set<String> read = new HashSet<>(Sample.texts(corpus).values());
            assertTrue(read.containsAll(expected));
            assertEquals(80, read.size());
        }
    }

    @Test
    void includeAndExcludeChoose() throws IOException {
        Map<String, String> texts = new LinkedHashMap<>();
        for (int i = 0; i < 10; i++) {
            texts.put("src/a%d.java".formatted(i), "class A%d {}\n".formatted(i));
            texts.put("test/a%d.java".formatted(i), "class T%d {}\n".formatted(i));
            texts.put("src/a%d.md".formatted(i), "text %d\n".formatted(i));
        }
        Path tree = folderOf(folder.resolve("tree"), texts);
        Path zip = Sample.zip(folder.resolve("a.zip"), texts);
        for (Path source : List.of(tree, zip)) {
            Corpus.Settings settings = Sample.globs(List.of("*.java", "*.kt"), List.of("test"), source);
            try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
                assertEquals(10, corpus.documents());
                assertTrue(Sample.texts(corpus).keySet().stream().allMatch(name -> name.matches("src/a\\d.java")));
                assertTrue(corpus.summary().contains("the include glob *.kt matched no file"));
            }
        }
    }

    @Test
    void gzipSizeIsThatOfTheConcatenation() throws IOException {
        String text = Sample.prose(new Random(15), 50_000);
        int middle = text.indexOf('\n', 20_000) + 1;
        List<Corpus.Document> documents = List.of(
                new Corpus.Document("a", text.substring(0, middle)), new Corpus.Document("b", text.substring(middle)));
        double bits = Corpus.gzipBitsPerByte(documents.stream());
        assertEquals(bits, Corpus.gzipBitsPerByte(Stream.of(new Corpus.Document("a", text))));
        assertTrue(bits > 3 && bits < 6, bits + " bits per byte of random letters");
        // gzip(1) of the bytes 'a' × 100,000 at level 9 is 133 bytes, without a name in its header.
        String constant = "a".repeat(100_000);
        assertEquals(
                8.0 * 133 / 100_000,
                Corpus.gzipBitsPerByte(Stream.of(new Corpus.Document("a", constant))),
                8.0 * 8 / 100_000);
        assertEquals(0, Corpus.gzipBitsPerByte(Stream.of()));
    }
}
