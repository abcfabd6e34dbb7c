package dev.wok.tensor;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A GGUF file, mapped into memory: named tensors, many of them quantised, that are read where they lie,
/// and metadata.
///
/// Versions 2 and 3, little-endian. A model that was split over several files (`-00001-of-00003.gguf`)
/// is opened by its first one. Every length and offset is checked before it is used.
public final class Gguf implements AutoCloseable {
    private static final String SPLIT_NUMBER = "split.no";
    private static final String SPLIT_COUNT = "split.count";
    private static final String SPLIT_TENSORS = "split.tensors.count";
    private static final String SPLIT_NAME = "-%05d-of-%05d.gguf";
    private static final long MAX_PARTS = 0xFFFF;

    private static final Pattern LATER_PART = Pattern.compile(".*-(?!00001-)\\d{5}-of-\\d{5}\\.gguf");

    private record Stored(GgufType type, long[] shape, MemorySegment data) {}

    private final Path file;
    private final Arena arena;
    private final Map<String, Object> metadata;
    private final SequencedMap<String, Stored> tensors = new LinkedHashMap<>();

    private Gguf(Path file, Arena arena) {
        this.file = file;
        this.arena = arena;
        MemorySegment map = map(file, arena);
        GgufHeader header = GgufHeader.read(file, map);
        this.metadata = header.metadata();
        add(file, header, map);
        long parts = split(file, header, SPLIT_COUNT, 1);
        if (parts > 1) {
            addParts(header, parts);
        }
    }

    /// Finds the GGUF file that a path of a model stands for.
    ///
    /// @return the file itself, where it begins with GGUF or its name ends in .gguf; or the one model in
    ///     such files that a folder without config.json holds
    /// @throws BadInput where such a folder holds several
    public static Optional<Path> find(Path path) {
        try {
            if (Files.isRegularFile(path)) {
                return isNamed(path) || GgufHeader.begins(path) ? Optional.of(path) : Optional.empty();
            }
            return Files.isDirectory(path) && !Files.exists(path.resolve("config.json"))
                    ? onlyModel(path)
                    : Optional.empty();
        } catch (IOException e) {
            throw BadInput.reading(path, e);
        }
    }

    private static boolean isNamed(Path path) {
        return String.valueOf(path.getFileName()).endsWith(".gguf");
    }

    private static Optional<Path> onlyModel(Path folder) throws IOException {
        List<Path> models;
        try (Stream<Path> files = Files.list(folder)) {
            models = files.filter(Gguf::isNamed)
                    .filter(file -> !LATER_PART
                            .matcher(String.valueOf(file.getFileName()))
                            .matches())
                    .sorted()
                    .toList();
        }
        if (models.size() > 1) {
            throw new BadInput("%s holds %d models, %s among them; give one of the files."
                    .formatted(folder, models.size(), models.getFirst().getFileName()));
        }
        return models.stream().findFirst();
    }

    /// Maps a file, and the other parts where it is the first of several.
    ///
    /// @throws BadInput where a file is missing, or its header is truncated, malformed or lies about the
    ///     file, or a tensor is of a type that [GgufType] does not list
    public static Gguf open(Path file) {
        Arena arena = Arena.ofShared();
        try {
            return new Gguf(file, arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static MemorySegment map(Path file, Arena arena) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private void add(Path part, GgufHeader header, MemorySegment map) {
        header.tensors().forEach((name, entry) -> {
            MemorySegment data = map.asSlice(header.data() + entry.begin(), entry.bytes());
            if (tensors.putIfAbsent(name, new Stored(entry.type(), entry.shape(), data)) != null) {
                throw new BadInput("%s has the tensor %s, which another part of %s has too. Copy all parts again."
                        .formatted(part, name, file));
            }
        });
    }

    private void addParts(GgufHeader first, long count) {
        long number = split(file, first, SPLIT_NUMBER, 0);
        String name = String.valueOf(file.getFileName());
        String ending = SPLIT_NAME.formatted(number + 1, count);
        if (!name.endsWith(ending)) {
            throw new BadInput("%s is part %d of %d; to find the others, its name is expected to end in %s. Rename it."
                    .formatted(file, number + 1, count, ending));
        }
        String stem = name.substring(0, name.length() - ending.length());
        if (number != 0) {
            throw new BadInput("%s is part %d of %d; give the first, %s."
                    .formatted(file, number + 1, count, stem + SPLIT_NAME.formatted(1, count)));
        }
        for (long i = 1; i < count; i++) {
            Path part = file.resolveSibling(stem + SPLIT_NAME.formatted(i + 1, count));
            if (!Files.exists(part)) {
                throw new BadInput("there is no file %s, part %d of %d of %s. Put all parts into one folder."
                        .formatted(part, i + 1, count, file));
            }
            MemorySegment map = map(part, arena);
            GgufHeader header = GgufHeader.read(part, map);
            if (split(part, header, SPLIT_NUMBER, -1) != i || split(part, header, SPLIT_COUNT, -1) != count) {
                throw new BadInput("%s does not say that it is part %d of %d. Copy all parts again."
                        .formatted(part, i + 1, count));
            }
            add(part, header, map);
        }
        Object total = metadata.getOrDefault(SPLIT_TENSORS, (long) tensors.size());
        if (!total.equals((long) tensors.size())) {
            throw new BadInput("%s announces %s tensors, its %d parts have %d. Copy all parts again."
                    .formatted(file, GgufHeader.said(total), count, tensors.size()));
        }
    }

    private static long split(Path part, GgufHeader header, String key, long otherwise) {
        Object value = header.metadata().getOrDefault(key, otherwise);
        if (value instanceof Long number && number <= MAX_PARTS && (number >= 0 || number == otherwise)) {
            return number;
        }
        throw new BadInput("%s: %s is %s, expected a number from 0 to %d. Copy the file again from its source."
                .formatted(part, key, GgufHeader.said(value), MAX_PARTS));
    }

    /// @return the names of the tensors, in the order of the file
    public Set<String> names() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    /// @return the metadata, in the order of the file and unmodifiable: a [Long], [Double], [Boolean] or
    ///     [String], or a [java.util.List] of one of those; valid after [#close] too
    public Map<String, Object> metadata() {
        return metadata;
    }

    /// @return how a tensor's elements are stored
    /// @throws BadInput where there is none of that name
    public GgufType type(String name) {
        return stored(name).type;
    }

    /// @return a tensor's sizes; the elements of the last dimension are adjacent
    /// @throws BadInput where there is none of that name
    public long[] shape(String name) {
        return stored(name).shape.clone();
    }

    /// @return a tensor's bytes, over the mapped file: valid until [#close]
    /// @throws BadInput where there is none of that name
    public MemorySegment data(String name) {
        return stored(name).data;
    }

    private Stored stored(String name) {
        Stored stored = tensors.get(name);
        if (stored == null) {
            throw new BadInput("%s holds no tensor %s (it has %d others).".formatted(file, name, tensors.size()));
        }
        return stored;
    }

    @Override
    public void close() {
        arena.close();
    }
}
