package dev.wok.text;

import dev.wok.notice.Progress;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Makes small corpora for tests.
final class Sample {
    private Sample() {}

    static Corpus.Settings settings(Path... sources) {
        return new Corpus.Settings(List.of(sources), "text", List.of(), List.of(), 0, 0.1, 1);
    }

    static Corpus.Settings globs(List<String> include, List<String> exclude, Path... sources) {
        return new Corpus.Settings(List.of(sources), "text", include, exclude, 0, 0.1, 1);
    }

    static Corpus open(Path... sources) {
        return Corpus.open(settings(sources), Progress.silent());
    }

    /// @return all documents of both parts: name to text
    static Map<String, String> texts(Corpus corpus) {
        Map<String, String> texts = new TreeMap<>();
        corpus.train().forEach(document -> texts.put(document.name(), document.text()));
        corpus.heldOut().forEach(document -> texts.put(document.name(), document.text()));
        return texts;
    }

    static Path write(Path file, String text) throws IOException {
        return write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    static Path write(Path file, byte[] bytes) throws IOException {
        Files.createDirectories(file.getParent());
        return Files.write(file, bytes);
    }

    static Path zip(Path file, Map<String, String> texts) throws IOException {
        Map<String, byte[]> members = new LinkedHashMap<>();
        texts.forEach((name, text) -> members.put(name, text.getBytes(StandardCharsets.UTF_8)));
        return zipBytes(file, members);
    }

    static Path zipBytes(Path file, Map<String, byte[]> members) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
            for (Map.Entry<String, byte[]> member : members.entrySet()) {
                out.putNextEntry(new ZipEntry(member.getKey()));
                out.write(member.getValue());
                out.closeEntry();
            }
        }
        return file;
    }

    static Path gzip(Path file, String text) throws IOException {
        try (OutputStream out = new Fast(Files.newOutputStream(file))) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return file;
    }

    private static final class Fast extends GZIPOutputStream {
        Fast(OutputStream out) throws IOException {
            super(out, 1 << 16);
            def.setLevel(Deflater.BEST_SPEED);
        }
    }

    /// @return prose of about so many characters, in lines; some of it not ASCII
    static String prose(Random random, int characters) {
        StringBuilder text = new StringBuilder();
        while (text.length() < characters) {
            int words = 3 + random.nextInt(12);
            for (int w = 0; w < words; w++) {
                int letters = 1 + random.nextInt(9);
                for (int i = 0; i < letters; i++) {
                    text.append((char) ('a' + random.nextInt(26)));
                }
                text.append(random.nextInt(15) == 0 ? "ä " : random.nextInt(40) == 0 ? "\uD83D\uDE00 " : " ");
            }
            text.append('\n');
        }
        return text.toString();
    }
}
