package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// All answers that a teacher gave, in the order in which they came: a line that says whose they are,
/// then a JSON object a line. A line that a kill left unfinished is cut off. For any number of
/// threads.
final class AskedFile implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int BLOCK = 1 << 16;

    /// Which answer.
    record Place(long problem, int sample) {}

    private record Line(long offset, int bytes) {}

    private final Path path;

    /* A channel would be closed for all threads by an interrupt of one. */
    private final RandomAccessFile file;

    private final Map<Place, Line> lines = new HashMap<>();
    private long end;

    private AskedFile(Path path, RandomAccessFile file) {
        this.path = path;
        this.file = file;
    }

    /// @param origin what the answers depend on, one line
    /// @throws BadInput where the file is of another origin, or damaged
    static AskedFile open(Path path, String origin) throws IOException {
        // Says better than the class below why it cannot be made.
        Files.newByteChannel(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)
                .close();
        RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw");
        try {
            AskedFile asked = new AskedFile(path, file);
            asked.index(origin);
            return asked;
        } catch (IOException | RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private void index(String origin) throws IOException {
        byte[] block = new byte[BLOCK];
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int number = 0;
        for (int read = file.read(block); read > 0; read = file.read(block)) {
            for (int i = 0; i < read; i++) {
                byte next = block[i];
                if (next != '\n') {
                    line.write(next);
                    continue;
                }
                String text = line.toString(StandardCharsets.UTF_8);
                int bytes = line.size();
                line.reset();
                number++;
                if (number == 1) {
                    requireOrigin(text, origin);
                } else {
                    lines.put(place(text, number), new Line(end, bytes));
                }
                end += bytes + 1;
            }
        }
        file.setLength(end);
        if (number == 0) {
            append(origin);
        }
    }

    private void requireOrigin(String found, String origin) {
        if (!found.equals(origin)) {
            throw new BadInput("%s holds answers of %s, asked for are those of %s; give another file, or remove it."
                    .formatted(path, found, origin));
        }
    }

    private Place place(String text, int number) {
        JsonNode node = parse(text, "%s, line %d".formatted(path, number));
        return new Place(node.path("problem").asLong(), node.path("sample").asInt());
    }

    private static JsonNode parse(String text, String where) {
        try {
            JsonNode node = JSON.readTree(text);
            boolean complete = node.path("problem").canConvertToLong()
                    && node.path("sample").canConvertToInt()
                    && node.path("text").isString()
                    && node.path("tokens").canConvertToInt()
                    && node.path("truncated").isBoolean();
            if (!complete) {
                throw new BadInput(
                        "%s is no answer, expected problem, sample, text, tokens and truncated; remove the line."
                                .formatted(where));
            }
            return node;
        } catch (JacksonException e) {
            throw BadInput.notJson(where, e);
        }
    }

    /// @return whether there is no answer yet
    synchronized boolean isEmpty() {
        return lines.isEmpty();
    }

    synchronized boolean has(Place place) {
        return lines.containsKey(place);
    }

    synchronized Completion get(Place place) throws IOException {
        Line line = Objects.requireNonNull(lines.get(place), "an answer that was not asked for");
        byte[] bytes = new byte[line.bytes];
        try {
            file.seek(line.offset);
            file.readFully(bytes);
        } catch (EOFException e) {
            throw new IOException("the file was cut off meanwhile", e);
        }
        JsonNode node = parse(new String(bytes, StandardCharsets.UTF_8), path.toString());
        return new Completion(
                node.path("text").asString(),
                node.path("tokens").asInt(),
                node.path("truncated").asBoolean());
    }

    /// Writes an answer at once.
    ///
    /// @throws BadInput where it cannot be written
    synchronized void add(Place place, Completion completion) {
        SequencedMap<String, Object> line = new LinkedHashMap<>();
        line.put("problem", place.problem);
        line.put("sample", place.sample);
        line.put("text", completion.text());
        line.put("tokens", completion.tokens());
        line.put("truncated", completion.truncated());
        long offset = end;
        try {
            append(JSON.writeValueAsString(line));
        } catch (IOException e) {
            throw BadInput.writing(path, e);
        }
        lines.put(place, new Line(offset, (int) (end - offset - 1)));
    }

    private void append(String text) throws IOException {
        byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
        file.seek(end);
        file.write(bytes);
        end += bytes.length;
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
