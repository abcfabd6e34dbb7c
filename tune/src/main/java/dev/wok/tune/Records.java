package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.MappingIterator;
import tools.jackson.databind.ObjectMapper;

/// The records of data sets, one after another: lines of `.jsonl`, the items of a `.json` array, rows
/// of `.parquet`.
final class Records {
    /// Takes records.
    interface Sink {
        /// @param where such as `data.jsonl: line 3`
        /// @param fields by name: text, numbers, truth values, lists, maps by name, or null
        void take(String where, Map<String, @Nullable Object> fields);
    }

    static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(Records.LONGEST_LINE)
                    .build())
            .build());
    private static final TypeReference<Map<String, @Nullable Object>> FIELDS = new TypeReference<>() {};

    private static final String DATA = "data";
    private static final int LONGEST_LINE = 64 << 20;
    private static final List<String> ENDINGS = List.of(".jsonl", ".json", ".parquet");

    private Records() {}

    /// @return data sets as a run remembers them
    /// @throws BadInput where there is none
    static Map<String, List<String>> inputs(List<Path> data) {
        if (data.isEmpty()) {
            throw new BadInput("no data are given; name a .jsonl, .json or .parquet file, or a folder of such.");
        }
        return Map.of(
                DATA,
                files(data).stream()
                        .map(file -> file.toAbsolutePath().toString())
                        .toList());
    }

    /// @param inputs what a run remembers
    static List<Path> paths(Map<String, List<String>> inputs) {
        return inputs.getOrDefault(DATA, List.of()).stream().map(Path::of).toList();
    }

    /// Reads all records of files, and of the files in folders by name.
    ///
    /// @throws BadInput where a file is none of these or damaged
    static void read(List<Path> paths, Progress progress, Sink sink) {
        List<Path> files = files(paths);
        long total = files.stream().mapToLong(Records::size).sum();
        try (Progress.Task task = progress.start("reading the data", total, "bytes")) {
            for (Path file : files) {
                switch (ending(file)) {
                    case ".jsonl" -> lines(file, sink);
                    case ".json" -> items(file, sink);
                    default -> ParquetRows.read(file, sink);
                }
                task.advance(size(file));
            }
        }
    }

    /// @return the files among these paths, those of a folder by their names
    static List<Path> files(List<Path> paths) {
        List<Path> files = new ArrayList<>();
        for (Path path : paths) {
            if (!Files.isDirectory(path)) {
                if (!isRead(path)) {
                    throw new BadInput("%s is no .jsonl, .json or .parquet file.".formatted(path));
                }
                size(path);
                files.add(path);
                continue;
            }
            try (Stream<Path> inside = Files.walk(path)) {
                List<Path> found = inside.filter(Records::isRead)
                        .filter(Files::isRegularFile)
                        .sorted()
                        .toList();
                if (found.isEmpty()) {
                    throw new BadInput("the folder %s holds no .jsonl, .json or .parquet file.".formatted(path));
                }
                files.addAll(found);
            } catch (IOException e) {
                throw BadInput.reading(path, e);
            }
        }
        return files;
    }

    private static boolean isRead(Path file) {
        return ENDINGS.contains(ending(file));
    }

    private static String ending(Path file) {
        String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
        return name.substring(Math.max(0, name.lastIndexOf('.')));
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static void lines(Path file, Sink sink) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            long number = 0;
            for (byte[] line = line(in, file, 1); line.length > 0; line = line(in, file, number + 1)) {
                number++;
                if (isBlank(line)) {
                    continue;
                }
                String where = "%s: line %d".formatted(file, number);
                try {
                    sink.take(where, fields(where, JSON.readValue(line, Object.class)));
                } catch (JacksonException e) {
                    throw BadInput.notJson(where, e);
                }
            }
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    /// @return a line with its end; nothing at the file's end
    private static byte[] line(InputStream in, Path file, long number) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = in.read(); b >= 0; b = in.read()) {
            line.write(b);
            if (b == '\n') {
                break;
            }
            if (line.size() > LONGEST_LINE) {
                throw new BadInput("%s: line %d is longer than %d MB; a .jsonl file has one object per line."
                        .formatted(file, number, LONGEST_LINE >> 20));
            }
        }
        return line.toByteArray();
    }

    private static boolean isBlank(byte[] line) {
        for (byte b : line) {
            if (b != ' ' && b != '\t' && b != '\r' && b != '\n') {
                return false;
            }
        }
        return true;
    }

    private static void items(Path file, Sink sink) {
        try (InputStream in = Files.newInputStream(file);
                MappingIterator<Object> items = JSON.readerFor(Object.class).readValues(in)) {
            for (long number = 1; items.hasNextValue(); number++) {
                String where = "%s: record %d".formatted(file, number);
                sink.take(where, fields(where, items.nextValue()));
            }
        } catch (JacksonException e) {
            throw BadInput.notJson(file, e);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static Map<String, @Nullable Object> fields(String where, Object value) {
        if (!(value instanceof Map<?, ?>)) {
            throw new BadInput("%s is no JSON object; expected one such as {\"messages\": [...]}.".formatted(where));
        }
        return JSON.convertValue(value, FIELDS);
    }
}
