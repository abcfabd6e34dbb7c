package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/// A checksum of encoded data, by which a resumed run knows that it goes on with the same.
record DataMark(String checksum) {
    private static final String FILE = "data.txt";

    static DataMark of(Stream<Example> examples) {
        MessageDigest digest = sha256();
        examples.forEach(example -> {
            byte[] bytes = new byte[5 * example.ids().length];
            for (int i = 0; i < example.ids().length; i++) {
                int id = example.ids()[i];
                for (int b = 0; b < 4; b++) {
                    bytes[5 * i + b] = (byte) (id >>> 8 * b);
                }
                bytes[5 * i + 4] = (byte) (example.learn()[i] ? 1 : 0);
            }
            digest.update(bytes);
            digest.update((byte) 0xFF);
        });
        return new DataMark(HexFormat.of().formatHex(digest.digest()));
    }

    /// @return the mark of a task's problems to train on, where they are counted
    static DataMark of(Task task) {
        MessageDigest digest = sha256();
        long size = task.size(Task.Split.TRAIN);
        for (long i = 0; size < Long.MAX_VALUE && i < size; i++) {
            Problem problem = task.problem(Task.Split.TRAIN, i, 0);
            for (String text :
                    List.of(problem.question(), problem.answer(), problem.data().toString())) {
                add(digest, text);
            }
        }
        return new DataMark(HexFormat.of().formatHex(digest.digest()));
    }

    /// Adds a text, apart from those before.
    static void add(MessageDigest digest, String text) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0xFF);
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    void save(Path folder) throws IOException {
        Files.writeString(folder.resolve(FILE), checksum + "\n", StandardCharsets.UTF_8);
    }

    /// @throws BadInput where the run began with other data
    void require(Path folder) throws IOException {
        String before =
                Files.readString(folder.resolve(FILE), StandardCharsets.UTF_8).strip();
        if (!before.equals(checksum)) {
            throw new BadInput(
                    "the data are not those that the run began with; give the same files, or begin a new run.");
        }
    }
}
