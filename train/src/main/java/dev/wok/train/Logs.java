package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// The run's records that grow by a line: metrics, evaluations, samples. A checkpoint notes how long they were, and a
/// resumed run cuts them back to that.
public final class Logs implements AutoCloseable {
    /// Reads and writes the lines.
    public static final ObjectMapper JSON = new ObjectMapper();

    /// Lengths in bytes.
    public record Lengths(long metrics, long evaluations, long samples) {
        /// Those of a run that has not begun.
        public static final Lengths EMPTY = new Lengths(0, 0, 0);
    }

    private final Log metrics;
    private final Log evaluations;
    private final Log samples;

    private Logs(Log metrics, Log evaluations, Log samples) {
        this.metrics = metrics;
        this.evaluations = evaluations;
        this.samples = samples;
    }

    /// Opens the records cut back to these lengths.
    public static Logs open(Path folder, Lengths lengths) {
        return new Logs(
                Log.open(folder.resolve("metrics.jsonl"), lengths.metrics),
                Log.open(folder.resolve("evaluations.jsonl"), lengths.evaluations),
                Log.open(folder.resolve("samples.jsonl"), lengths.samples));
    }

    /// @return the last line of the metrics
    static JsonNode lastMetric(Path folder) {
        Path file = folder.resolve("metrics.jsonl");
        try (Stream<String> lines = Files.lines(file)) {
            return JSON.readTree(lines.reduce("{}", (_, line) -> line));
        } catch (IOException | UncheckedIOException | JacksonException e) {
            throw damaged(file, e);
        }
    }

    private static BadInput damaged(Path file, Exception cause) {
        return new BadInput("%s is damaged; the run cannot be resumed without it.".formatted(file), cause);
    }

    /// @return what was recorded of all steps so far
    public List<SequencedMap<String, Object>> metrics() {
        return metrics.lines();
    }

    /// @return what was measured so far
    public List<SequencedMap<String, Object>> evaluations() {
        return evaluations.lines();
    }

    /// Adds what a step found.
    public void metric(Map<String, ?> values) {
        metrics.append(values);
    }

    /// Adds what was measured on held-out data.
    public void evaluation(Map<String, ?> values) {
        evaluations.append(values);
    }

    /// Adds a text that the model wrote.
    public void sample(Map<String, ?> values) {
        samples.append(values);
    }

    /// Forces what was written to the disk.
    public Lengths force() {
        return new Lengths(metrics.force(), evaluations.force(), samples.force());
    }

    @Override
    public void close() {
        metrics.close();
        evaluations.close();
        samples.close();
    }

    private record Log(Path file, FileChannel channel) {
        static Log open(Path file, long length) {
            try {
                if (length > 0 && (!Files.exists(file) || Files.size(file) < length)) {
                    throw new BadInput(
                            "%s is shorter than the checkpoint says (%d bytes); the run cannot be resumed without it."
                                    .formatted(file, length));
                }
                FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                channel.truncate(length);
                channel.position(length);
                return new Log(file, channel);
            } catch (IOException e) {
                throw BadInput.writing(file, e);
            }
        }

        List<SequencedMap<String, Object>> lines() {
            try (Stream<String> lines = Files.lines(file)) {
                return lines.map(line -> (SequencedMap<String, Object>)
                                JSON.readValue(line, new TypeReference<LinkedHashMap<String, Object>>() {}))
                        .toList();
            } catch (IOException | UncheckedIOException | JacksonException e) {
                throw damaged(file, e);
            }
        }

        void append(Map<String, ?> values) {
            byte[] line = (JSON.writeValueAsString(values) + "\n").getBytes(StandardCharsets.UTF_8);
            try {
                long whole = channel.position();
                try {
                    Durable.writeFully(channel, ByteBuffer.wrap(line));
                } catch (IOException e) {
                    channel.truncate(whole);
                    throw e;
                }
            } catch (IOException e) {
                throw BadInput.writing(file, e);
            }
        }

        long force() {
            try {
                channel.force(true);
                return channel.position();
            } catch (IOException e) {
                throw BadInput.writing(file, e);
            }
        }

        void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw BadInput.writing(file, e);
            }
        }
    }
}
