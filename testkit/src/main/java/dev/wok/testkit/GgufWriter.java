package dev.wok.testkit;

import dev.wok.tensor.GgufType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Writes intact GGUF files. What is given again takes the earlier one's place.
public final class GgufWriter {
    private static final int ALIGNMENT = 32;
    private static final int U32 = 4;
    private static final int I32 = 5;
    private static final int F32 = 6;
    private static final int BOOL = 7;
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    private record Entry(GgufType type, long[] shape, byte[] bytes) {}

    private final SequencedMap<String, byte[]> values = new LinkedHashMap<>();
    private final SequencedMap<String, Entry> tensors = new LinkedHashMap<>();

    private GgufWriter value(String key, int type, byte[]... parts) {
        values.put(key, join(ints(type), join(parts)));
        return this;
    }

    public GgufWriter text(String key, String text) {
        return value(key, STRING, string(text));
    }

    public GgufWriter whole(String key, long number) {
        return value(key, U32, ints((int) number));
    }

    public GgufWriter number(String key, double number) {
        return value(key, F32, ints(Float.floatToRawIntBits((float) number)));
    }

    public GgufWriter flag(String key, boolean flag) {
        return value(key, BOOL, new byte[] {(byte) (flag ? 1 : 0)});
    }

    public GgufWriter texts(String key, List<String> texts) {
        byte[][] parts = texts.stream().map(GgufWriter::string).toArray(byte[][]::new);
        return value(key, ARRAY, ints(STRING), longs(texts.size()), join(parts));
    }

    public GgufWriter wholes(String key, List<Integer> numbers) {
        byte[] elements = ints(numbers.stream().mapToInt(i -> i).toArray());
        return value(key, ARRAY, ints(I32), longs(numbers.size()), elements);
    }

    /// @param shape in row order: the last dimension's elements are adjacent
    public GgufWriter tensor(String name, GgufType type, byte[] bytes, long... shape) {
        tensors.put(name, new Entry(type, shape, bytes));
        return this;
    }

    /// Leaves out a value or a tensor.
    public GgufWriter without(String name) {
        values.remove(name);
        tensors.remove(name);
        return this;
    }

    public Path write(Path file) throws IOException {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        header.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        header.writeBytes(join(ints(3), longs(tensors.size(), values.size())));
        values.forEach((key, value) -> header.writeBytes(join(string(key), value)));
        for (Map.Entry<String, Entry> named : tensors.entrySet()) {
            Entry entry = named.getValue();
            long[] sizes = new long[entry.shape.length];
            for (int i = 0; i < sizes.length; i++) {
                sizes[i] = entry.shape[sizes.length - 1 - i];
            }
            header.writeBytes(join(string(named.getKey()), ints(sizes.length), longs(sizes)));
            header.writeBytes(join(ints(entry.type.id()), longs(data.size())));
            data.writeBytes(entry.bytes);
            pad(data);
        }
        pad(header);
        return Files.write(file, join(header.toByteArray(), data.toByteArray()));
    }

    private static void pad(ByteArrayOutputStream out) {
        out.writeBytes(new byte[Math.floorMod(-out.size(), ALIGNMENT)]);
    }

    private static byte[] ints(int... numbers) {
        ByteBuffer buffer = ByteBuffer.allocate(numbers.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int number : numbers) {
            buffer.putInt(number);
        }
        return buffer.array();
    }

    private static byte[] longs(long... numbers) {
        ByteBuffer buffer = ByteBuffer.allocate(numbers.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (long number : numbers) {
            buffer.putLong(number);
        }
        return buffer.array();
    }

    private static byte[] string(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return join(longs(utf8.length), utf8);
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
