package dev.wok.tensor;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// Writes GGUF files by the description of the format, and says whatever it is told to say.
final class GgufWriter {
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    private final ByteArrayOutputStream values = new ByteArrayOutputStream();
    private final ByteArrayOutputStream tensors = new ByteArrayOutputStream();
    private final ByteArrayOutputStream data = new ByteArrayOutputStream();
    private String magic = "GGUF";
    private int version = 3;
    private int alignment = 32;
    private long valueCount;
    private long tensorCount;

    static byte[] little(long number, int bytes) {
        byte[] all = ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(number)
                .array();
        return Arrays.copyOf(all, bytes);
    }

    static byte[] string(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return join(little(utf8.length, 8), utf8);
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    GgufWriter magic(String word) {
        magic = word;
        return this;
    }

    GgufWriter version(int number) {
        version = number;
        return this;
    }

    /// Pads by this many bytes, and says nothing of it.
    GgufWriter alignment(int bytes) {
        alignment = bytes;
        return this;
    }

    GgufWriter counts(long ofTensors, long ofValues) {
        tensorCount = ofTensors;
        valueCount = ofValues;
        return this;
    }

    GgufWriter value(String key, int type, byte... bytes) {
        values.writeBytes(join(string(key), little(type, 4), bytes));
        valueCount++;
        return this;
    }

    GgufWriter value(String key, String text) {
        return value(key, STRING, string(text));
    }

    GgufWriter u32(String key, long number) {
        return value(key, 4, little(number, 4));
    }

    GgufWriter u16(String key, long number) {
        return value(key, 2, little(number, 2));
    }

    GgufWriter array(String key, int type, long count, byte... elements) {
        return value(key, ARRAY, join(little(type, 4), little(count, 8), elements));
    }

    GgufWriter strings(String key, List<String> texts) {
        byte[][] parts = texts.stream().map(GgufWriter::string).toArray(byte[][]::new);
        return array(key, STRING, texts.size(), join(parts));
    }

    /// Describes a tensor and adds no bytes.
    ///
    /// @param sizes as the file has them, the size of the dimension with adjacent elements first
    GgufWriter tensor(String name, int type, long offset, long... sizes) {
        tensors.writeBytes(join(string(name), little(sizes.length, 4)));
        for (long size : sizes) {
            tensors.writeBytes(little(size, 8));
        }
        tensors.writeBytes(join(little(type, 4), little(offset, 8)));
        tensorCount++;
        return this;
    }

    GgufWriter data(byte... bytes) {
        data.writeBytes(bytes);
        return this;
    }

    /// A tensor whose bytes follow the earlier ones.
    GgufWriter tensor(String name, GgufType type, byte[] bytes, long... sizes) {
        data.writeBytes(new byte[Math.floorMod(-data.size(), alignment)]);
        tensor(name, type.id(), data.size(), sizes);
        return data(bytes);
    }

    byte[] header() {
        return join(
                magic.getBytes(StandardCharsets.US_ASCII),
                little(version, 4),
                little(tensorCount, 8),
                little(valueCount, 8),
                values.toByteArray(),
                tensors.toByteArray());
    }

    byte[] bytes() {
        byte[] header = header();
        return join(header, new byte[Math.floorMod(-header.length, alignment)], data.toByteArray());
    }

    Path write(Path file) throws IOException {
        return Files.write(file, bytes());
    }
}
