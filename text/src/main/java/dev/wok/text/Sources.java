package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/// The entries of a corpus: what lies in the files, folders and archives that the user named, in a fixed order (by
/// source, then by path). Owns the open archives.
final class Sources implements AutoCloseable {
    private static final Pattern REFUSED = Pattern.compile(".*\\.(tar|tgz|tar\\.gz|tbz2?|bz2|xz|zst|7z|rar|parquet)");

    private final Globs globs;
    private final List<ZipFile> archives = new ArrayList<>();
    private final List<Entry> entries = new ArrayList<>();
    private int skipped;
    private @Nullable String firstSkipped;

    private Sources(Globs globs) {
        this.globs = globs;
    }

    /// Lists what lies in the sources.
    ///
    /// @throws BadInput where a source is missing, unreadable, a corrupt archive or of a kind that is not read, or
    ///     where the globs leave nothing
    static Sources list(List<Path> sources, Globs globs) {
        if (sources.isEmpty()) {
            throw new BadInput("no corpus was given: name files, folders, .zip, .gz or .jsonl files.");
        }
        Sources listed = new Sources(globs);
        try {
            for (Path source : sources) {
                listed.add(source);
            }
            listed.requireSomething(sources);
        } catch (IOException | RuntimeException e) {
            listed.close();
            throw e instanceof BadInput refusal
                    ? refusal
                    : new BadInput("%s could not be read: %s.".formatted(sources, e), e);
        }
        return listed;
    }

    List<Entry> entries() {
        return entries;
    }

    /// @return how many files the globs and the default rules left out
    int skipped() {
        return skipped;
    }

    private void requireSomething(List<Path> sources) {
        if (!entries.isEmpty()) {
            return;
        }
        String where = sources.size() == 1 ? sources.getFirst().toString() : sources.toString();
        if (firstSkipped == null) {
            throw new BadInput("the corpus %s is empty: it holds no files.".formatted(where));
        }
        List<String> unmatched = globs.unmatched();
        throw new BadInput(
                unmatched.isEmpty()
                        ? "the corpus %s is empty: all of its %d files are hidden, binary or excluded (for example %s)."
                                .formatted(where, skipped, firstSkipped)
                        : "the include globs %s match none of the %d files in %s (for example %s)."
                                .formatted(unmatched, skipped, where, firstSkipped));
    }

    private void add(Path source) throws IOException {
        if (Files.isDirectory(source)) {
            addFolder(source);
        } else if (Files.isRegularFile(source)) {
            addNamed(source);
        } else if (Files.exists(source)) {
            throw new BadInput("%s is neither a file nor a folder; a corpus is read twice, so pipes cannot be used."
                    .formatted(source));
        } else {
            throw new BadInput("there is no file or folder %s.".formatted(source));
        }
    }

    private void addNamed(Path file) throws IOException {
        String name = fileName(file);
        String lower = name.toLowerCase(Locale.ROOT);
        if (REFUSED.matcher(lower).matches()) {
            throw new BadInput(
                    "%s is of a kind that is not read: unpack or convert it, then give the folder or a .jsonl file."
                            .formatted(file));
        }
        if (lower.endsWith(".zip") || lower.endsWith(".jar")) {
            addArchive(file);
        } else {
            entries.add(entry(file, name, Files.size(file)));
        }
    }

    private void addFolder(Path named) throws IOException {
        Path folder = Files.isSymbolicLink(named) ? named.toRealPath() : named;
        List<Path> files = new ArrayList<>();
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (attributes.isRegularFile() || attributes.isSymbolicLink() && Files.isRegularFile(file)) {
                    files.add(file);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) {
                throw BadInput.reading(file, e);
            }
        });
        files.sort(Comparator.comparing(file -> relative(folder, file)));
        for (Path file : files) {
            String path = relative(folder, file);
            if (path.toLowerCase(Locale.ROOT).endsWith(".zip")) {
                if (globs.opens(path)) {
                    addArchive(file);
                } else {
                    skip(path);
                }
            } else if (takes(path)) {
                entries.add(entry(file, path, Files.size(file)));
            }
        }
    }

    private void addArchive(Path file) {
        List<ZipEntry> members = new ArrayList<>();
        Set<String> names = new HashSet<>();
        ZipFile zip;
        long packedBytes = 0;
        try {
            long fileBytes = Files.size(file);
            zip = open(file);
            archives.add(zip);
            for (ZipEntry member : Collections.list(zip.entries())) {
                packedBytes += Math.max(member.getCompressedSize(), 0);
                if (member.isDirectory() || !takes(member.getName())) {
                    continue;
                }
                if (names.add(member.getName())) {
                    members.add(member);
                } else {
                    skip(member.getName());
                }
            }
            if (packedBytes > fileBytes) {
                throw new IOException("its entries overlap");
            }
        } catch (IOException e) {
            if (!Files.isReadable(file)) {
                throw BadInput.reading(file, new AccessDeniedException(file.toString()));
            }
            throw new BadInput(
                    "%s is no intact zip file (%s). Copy it again from its source.".formatted(file, e.getMessage()), e);
        }
        members.sort(Comparator.comparing(ZipEntry::getName));
        for (ZipEntry member : members) {
            String lower = member.getName().toLowerCase(Locale.ROOT);
            boolean gzip = lower.endsWith(".gz");
            entries.add(new Entry(
                    file,
                    zip,
                    member.getName(),
                    member.getName(),
                    gzip,
                    isJsonl(lower),
                    member.getCompressedSize(),
                    gzip ? -1 : member.getSize()));
        }
    }

    /// Names that are not UTF-8 and do not say so are those of the first PCs, as the format has it.
    private static ZipFile open(Path file) throws IOException {
        try {
            return new ZipFile(file.toFile());
        } catch (ZipException e) {
            if (!String.valueOf(e.getMessage()).contains("entry name")) {
                throw e;
            }
            return new ZipFile(file.toFile(), Charset.forName("IBM437"));
        }
    }

    private static Entry entry(Path file, String name, long bytes) {
        String lower = name.toLowerCase(Locale.ROOT);
        boolean gzip = lower.endsWith(".gz");
        return new Entry(file, null, "", name, gzip, isJsonl(lower), bytes, gzip ? -1 : bytes);
    }

    private static boolean isJsonl(String lower) {
        String plain = lower.endsWith(".gz") ? lower.substring(0, lower.length() - ".gz".length()) : lower;
        return plain.endsWith(".jsonl") || plain.endsWith(".ndjson");
    }

    private void skip(String path) {
        skipped++;
        if (firstSkipped == null) {
            firstSkipped = path;
        }
    }

    private boolean takes(String path) {
        boolean takes = globs.takes(path);
        if (!takes) {
            skip(path);
        }
        return takes;
    }

    private static String relative(Path folder, Path file) {
        return folder.relativize(file).toString().replace(File.separatorChar, '/');
    }

    private static String fileName(Path file) {
        Path name = file.getFileName();
        return name == null ? file.toString() : name.toString();
    }

    @Override
    public void close() {
        for (ZipFile zip : archives) {
            try {
                zip.close();
            } catch (IOException e) {
                // The archive was only read: nothing can be lost, and there is nothing the caller could do.
                continue;
            }
        }
    }
}
