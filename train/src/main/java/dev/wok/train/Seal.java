package dev.wok.train;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Checksums (CRC-32C) beside what they are of, so that a run does not go on from something damaged.
final class Seal {
    private static final String CHECK = "check";
    private static final int BUFFER = 1 << 20;

    private Seal() {}

    /// @return JSON of the values and their checksum
    static byte[] json(Map<String, ?> values) {
        ObjectNode root = Logs.JSON.valueToTree(values);
        root.put(CHECK, sum(Logs.JSON.writeValueAsBytes(root)));
        return Logs.JSON.writeValueAsBytes(root);
    }

    /// @return what [#json] wrote
    /// @throws BadInput where its checksum is another; the caller says what to do
    static JsonNode read(Path file) throws IOException {
        JsonNode root = Logs.JSON.readTree(Files.readAllBytes(file));
        if (root instanceof ObjectNode object) {
            String check = object.path(CHECK).asString("");
            object.remove(CHECK);
            if (sum(Logs.JSON.writeValueAsBytes(object)).equals(check)) {
                return object;
            }
        }
        throw new BadInput("%s is damaged: its checksum is not that of its contents".formatted(file));
    }

    /// @return the checksums of all files in a folder, by their path there
    static SequencedMap<String, String> files(Path folder) throws IOException {
        SequencedMap<String, String> sums = new LinkedHashMap<>();
        try (Stream<Path> paths = Files.walk(folder)) {
            List<Path> files = paths.filter(Files::isRegularFile).sorted().toList();
            for (Path file : files) {
                sums.put(folder.relativize(file).toString().replace(File.separatorChar, '/'), sum(file));
            }
        }
        return sums;
    }

    /// @param sums as [#files] gave them
    /// @return the first file that is missing or damaged
    static Optional<String> broken(Path folder, JsonNode sums, Progress progress) throws IOException {
        try (Progress.Task task = progress.start("checking " + folder.getFileName(), sums.size(), "files")) {
            for (Map.Entry<String, JsonNode> entry : sums.properties()) {
                Path file = folder.resolve(entry.getKey());
                if (!Files.isRegularFile(file)
                        || !sum(file).equals(entry.getValue().asString(""))) {
                    return Optional.of(entry.getKey());
                }
                task.advance(1);
            }
        }
        return Optional.empty();
    }

    static String sum(byte[] bytes) {
        CRC32C sum = new CRC32C();
        sum.update(bytes);
        return "%08x".formatted(sum.getValue());
    }

    private static String sum(Path file) throws IOException {
        CRC32C sum = new CRC32C();
        byte[] buffer = new byte[BUFFER];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                sum.update(buffer, 0, n);
            }
        }
        return "%08x".formatted(sum.getValue());
    }
}
