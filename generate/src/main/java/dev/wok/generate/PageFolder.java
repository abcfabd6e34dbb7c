package dev.wok.generate;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Copies;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/// Full pages of a cache in files, one each, for engines to come: the same model's only. A page is found by
/// the key of the text that ends with it. Written beside its name and renamed; what is damaged is as good as
/// missing. Where files take more than they may, those go that were not used for longest, of whichever model.
/// Several processes may share a folder.
///
/* A file, in little-endian order: "WOKPAGE1", CRC-32C of all that follows, how many ids, how many bytes of contents, the
 * ids, the contents. Its name is the key in hexadecimal digits and ".page", in a folder whose name is the model's
 * fingerprint. A key is the SHA-256 of the key before it and the page's ids; before the first page it is empty.
 */
final class PageFolder {
    private static final long MAGIC = ByteBuffer.wrap("WOKPAGE1".getBytes(StandardCharsets.US_ASCII))
            .order(ByteOrder.LITTLE_ENDIAN)
            .getLong();
    private static final int CHECKED_FROM = 12;
    private static final int HEADER = CHECKED_FROM + 12;
    private static final String PAGE = ".page";
    private static final String PART = ".part";
    private static final Duration ABANDONED = Duration.ofHours(1);

    /// @param used when, as far as this process knows
    private record Entry(Path file, long bytes, Instant used) {}

    private static final Comparator<Entry> LONGEST_UNUSED =
            Comparator.comparing(Entry::used).thenComparing(Entry::file);

    private final Path own;
    private final long most;
    private final int pageTokens;
    private final int pageBytes;
    private final Progress progress;
    private final Map<Path, Entry> entries = new HashMap<>();
    private final TreeSet<Entry> byUse = new TreeSet<>(LONGEST_UNUSED);
    private long bytes;
    private boolean failed;

    /// @param fingerprint of whatever the contents of pages depend on
    /// @param pageTokens tokens of a page
    /// @param pageBytes bytes of its contents
    /// @throws BadInput where the folder cannot be made or read, or no page fits
    PageFolder(Engine.Disk disk, String fingerprint, int pageTokens, long pageBytes) {
        own = disk.folder().resolve(fingerprint);
        most = disk.bytes();
        progress = disk.progress();
        this.pageTokens = pageTokens;
        this.pageBytes = Math.toIntExact(pageBytes);
        if (size() > most) {
            throw new BadInput("the cache on disk may take %,d bytes, expected %,d or more: one page of %d tokens."
                    .formatted(most, size(), pageTokens));
        }
        try {
            Files.createDirectories(own);
        } catch (IOException e) {
            throw BadInput.writing(disk.folder(), e);
        }
        try (Stream<Path> all = Files.walk(disk.folder(), 2)) {
            for (Path file : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
                see(file);
            }
        } catch (IOException e) {
            throw BadInput.reading(disk.folder(), e);
        } catch (UncheckedIOException e) {
            throw new BadInput("%s could not be read: %s.".formatted(disk.folder(), e.getMessage()), e);
        }
    }

    private void see(Path file) throws IOException {
        String name = String.valueOf(file.getFileName());
        try {
            Instant changed = Files.getLastModifiedTime(file).toInstant();
            if (name.endsWith(PAGE)) {
                add(new Entry(file, Files.size(file), changed));
            } else if (name.endsWith(PAGE + PART)
                    && changed.isBefore(Instant.now().minus(ABANDONED))) {
                Files.deleteIfExists(file);
            }
        } catch (NoSuchFileException _) {
            // Another process has removed it.
            return;
        }
    }

    private void add(Entry entry) {
        remove(entry.file);
        entries.put(entry.file, entry);
        byUse.add(entry);
        bytes += entry.bytes;
    }

    private void remove(Path file) {
        Entry entry = entries.remove(file);
        if (entry != null) {
            byUse.remove(entry);
            bytes -= entry.bytes;
        }
    }

    /// @param before the key of the page before, empty for the first
    /// @return the key of a page
    static String key(String before, int[] ids) {
        ByteBuffer buffer = ByteBuffer.allocate(before.length() / 2 + Integer.BYTES * ids.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(HexFormat.of().parseHex(before));
        buffer.asIntBuffer().put(ids);
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(buffer.array()));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /// @return the contents of a page, where they are kept and whole
    Optional<MemorySegment> find(String key, int[] ids) {
        Path file = file(key);
        if (!entries.containsKey(file)) {
            return Optional.empty();
        }
        try {
            Optional<MemorySegment> contents = read(file, ids);
            if (contents.isEmpty()) {
                progress.say("%s is damaged and was removed; what it held is computed again.".formatted(file));
                Files.deleteIfExists(file);
                remove(file);
                return contents;
            }
            Instant now = Instant.now();
            Files.setLastModifiedTime(file, FileTime.from(now));
            add(new Entry(file, size(), now));
            return contents;
        } catch (IOException _) {
            // Another process has removed it.
            remove(file);
            return Optional.empty();
        }
    }

    private Optional<MemorySegment> read(Path file, int[] ids) throws IOException {
        if (Files.size(file) != size()) {
            return Optional.empty();
        }
        ByteBuffer buffer = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        boolean whole = buffer.limit() == size()
                && buffer.getLong() == MAGIC
                && buffer.getInt() == check(buffer)
                && buffer.getInt() == pageTokens
                && buffer.getLong() == pageBytes;
        for (int i = 0; whole && i < ids.length; i++) {
            whole = buffer.getInt() == ids[i];
        }
        return whole ? Optional.of(MemorySegment.ofBuffer(buffer).asReadOnly()) : Optional.empty();
    }

    private static int check(ByteBuffer buffer) {
        CRC32C crc = new CRC32C();
        crc.update(buffer.array(), CHECKED_FROM, buffer.capacity() - CHECKED_FROM);
        return (int) crc.getValue();
    }

    private int size() {
        return HEADER + Integer.BYTES * pageTokens + pageBytes;
    }

    private Path file(String key) {
        return own.resolve(key + PAGE);
    }

    /// Keeps a page, where it is not kept yet. Where that fails, it is said once, and nothing more is kept.
    ///
    /// @param contents asked for where it is kept
    void keep(String key, int[] ids, Supplier<MemorySegment> contents) {
        Path file = file(key);
        if (failed || entries.containsKey(file)) {
            return;
        }
        ByteBuffer buffer = ByteBuffer.allocate(size()).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(0, MAGIC);
        buffer.position(CHECKED_FROM);
        buffer.putInt(pageTokens).putLong(pageBytes);
        Arrays.stream(ids).forEach(buffer::putInt);
        Copies.bytes(contents.get(), 0, buffer.array(), buffer.position(), pageBytes);
        buffer.putInt(CHECKED_FROM - Integer.BYTES, check(buffer));
        Path part = file.resolveSibling(
                "%s.%d%s".formatted(key, ProcessHandle.current().pid(), PAGE + PART));
        try {
            makeRoom();
            Files.write(part, buffer.array());
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            add(new Entry(file, size(), Instant.now()));
        } catch (IOException e) {
            failed = true;
            String why = BadInput.writing(file, e, part).getMessage();
            progress.say("nothing more is kept for later runs: " + why);
        }
    }

    private void makeRoom() throws IOException {
        while (bytes + size() > most && !byUse.isEmpty()) {
            Entry entry = byUse.getFirst();
            Files.deleteIfExists(entry.file);
            remove(entry.file);
        }
    }

    // ---------------------------------------------------------------------------------------------- for tests

    /// @return the files of this model's pages
    List<Path> files() {
        return entries.keySet().stream()
                .filter(file -> file.startsWith(own))
                .sorted()
                .toList();
    }
}
