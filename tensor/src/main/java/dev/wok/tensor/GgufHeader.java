package dev.wok.tensor;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// What stands before the tensors of one GGUF file.
///
/// ```
/// "GGUF" | version: u32 | tensors: u64 | values: u64
/// per value:  | key: string | type: u32 | value
/// per tensor: | name: string | dimensions: u32 | sizes: u64 each | type: u32 | offset: u64
/// zeros up to a multiple of the alignment | bytes of the tensors
/// ```
///
/// A string is its length as u64 and its UTF-8; an array is its elements' type as u32, their number as
/// u64 and the elements. Offsets are counted from the end of the zeros. Sizes begin with that of the
/// dimension whose elements are adjacent. All numbers are little-endian.
///
/// @param metadata by key, in the order of the file: [Long], [Double], [Boolean], [String] or a [List]
///     of those
/// @param tensors by name, in the order of the file
/// @param data where the bytes of the tensors begin
record GgufHeader(SequencedMap<String, Object> metadata, SequencedMap<String, Entry> tensors, long data) {
    /// @param shape in row order: the last dimension's elements are adjacent
    /// @param begin counted from where the bytes of the tensors begin
    record Entry(GgufType type, long[] shape, long begin, long bytes) {}

    private static final byte[] MAGIC = "GGUF".getBytes(StandardCharsets.US_ASCII);
    private static final List<Integer> VERSIONS = List.of(2, 3);
    private static final String ALIGNMENT = "general.alignment";
    private static final long DEFAULT_ALIGNMENT = 32;
    private static final int MAX_DIMENSIONS = 4;
    /// A key of no letters, a type, a value of one byte.
    private static final long LEAST_VALUE_BYTES = GgufCursor.STRING_LENGTH_BYTES + 4 + 1;
    /// A name of no letters, one dimension, a type, an offset.
    private static final long LEAST_TENSOR_BYTES = GgufCursor.STRING_LENGTH_BYTES + 4 + 8 + 4 + 8;

    /// @return whether a file begins as GGUF files do
    static boolean begins(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return Arrays.equals(in.readNBytes(MAGIC.length), MAGIC);
        }
    }

    /// @param map the whole file
    static GgufHeader read(Path file, MemorySegment map) {
        GgufCursor in = new GgufCursor(file, map);
        requireVersion(file, in);
        long tensorCount = in.count(LEAST_TENSOR_BYTES, "tensors");
        long valueCount = in.count(LEAST_VALUE_BYTES, "metadata values");
        SequencedMap<String, Object> metadata = new LinkedHashMap<>();
        for (long i = 0; i < valueCount; i++) {
            String key = in.name("the key of a metadata value");
            if (metadata.containsKey(key)) {
                throw in.broken("its metadata has the key %s twice".formatted(key));
            }
            metadata.put(key, value(in, key));
        }
        long alignment = alignment(in, metadata);
        SequencedMap<String, Entry> tensors = new LinkedHashMap<>();
        for (long i = 0; i < tensorCount; i++) {
            String name = in.name("the name of a tensor");
            if (tensors.containsKey(name)) {
                throw in.broken("it has the tensor %s twice".formatted(name));
            }
            tensors.put(name, entry(file, in, name, alignment));
        }
        long end = in.at();
        long data = end + Math.floorMod(-end, alignment);
        long dataBytes = Math.max(0, map.byteSize() - data);
        tensors.forEach((name, entry) -> requireWithin(in, name, entry, dataBytes));
        requireApart(in, tensors);
        return new GgufHeader(
                Collections.unmodifiableSequencedMap(metadata), Collections.unmodifiableSequencedMap(tensors), data);
    }

    private static void requireVersion(Path file, GgufCursor in) {
        byte[] magic = Copies.array(in.next(MAGIC.length, "the word GGUF"));
        if (!Arrays.equals(magic, MAGIC)) {
            throw new BadInput("%s is no GGUF file: it begins with the bytes %02x %02x %02x %02x, not with GGUF."
                    .formatted(file, magic[0], magic[1], magic[2], magic[3]));
        }
        int version = in.u32("the version");
        if (version != 0 && (version & 0xFFFF) == 0) {
            throw new BadInput(
                    "%s is a big-endian GGUF file; supported are little-endian ones. Convert the model again."
                            .formatted(file));
        }
        if (!VERSIONS.contains(version)) {
            throw new BadInput("%s is of GGUF version %s; supported are 2 and 3. Convert the model again."
                    .formatted(file, Integer.toUnsignedString(version)));
        }
    }

    private static Object value(GgufCursor in, String key) {
        int id = in.u32("the type of " + key);
        return switch (id) {
            case GgufValue.STRING -> in.string(key);
            case GgufValue.ARRAY -> array(in, key);
            default -> {
                GgufValue type = type(in, key, id);
                long place = in.at();
                MemorySegment value = in.next(type.bytes(), key);
                requireValid(in, place, key, type, value);
                yield type.get(value, 0);
            }
        };
    }

    private static GgufValue type(GgufCursor in, String key, int id) {
        for (GgufValue type : GgufValue.values()) {
            if (type.id() == id) {
                return type;
            }
        }
        throw in.broken("%s is of the type %s, expected one from 0 to 12".formatted(key, Integer.toUnsignedString(id)));
    }

    private static List<Object> array(GgufCursor in, String key) {
        int id = in.u32("the element type of " + key);
        if (id == GgufValue.ARRAY) {
            throw in.broken("%s is an array of arrays; supported are arrays of numbers and strings".formatted(key));
        }
        if (id == GgufValue.STRING) {
            Object[] strings = new Object[(int) in.count(GgufCursor.STRING_LENGTH_BYTES, "strings of " + key)];
            String what = "a string of " + key;
            for (int i = 0; i < strings.length; i++) {
                strings[i] = in.string(what);
            }
            return Collections.unmodifiableList(Arrays.asList(strings));
        }
        GgufValue type = type(in, key, id);
        long count = in.count(type.bytes(), "elements of " + key);
        long place = in.at();
        MemorySegment values = MemorySegment.ofArray(Copies.array(in.next(count * type.bytes(), key)));
        requireValid(in, place, key, type, values);
        return new GgufValue.Values(type, values);
    }

    private static void requireValid(GgufCursor in, long place, String key, GgufValue type, MemorySegment values) {
        for (long at = 0; at < values.byteSize(); at += type.bytes()) {
            if (!type.isValid(values, at)) {
                throw in.broken(
                        place + at,
                        type == GgufValue.BOOL
                                ? "%s is a truth value of %d, expected 0 or 1"
                                        .formatted(key, values.get(ValueLayout.JAVA_BYTE, at) & 0xFF)
                                : "%s is a number beyond 63 bits".formatted(key));
            }
        }
    }

    private static long alignment(GgufCursor in, Map<String, Object> metadata) {
        Object value = metadata.getOrDefault(ALIGNMENT, DEFAULT_ALIGNMENT);
        if (value instanceof Long alignment
                && alignment > 0
                && alignment <= Integer.MAX_VALUE
                && (Long.bitCount(alignment) == 1 || alignment % 8 == 0)) {
            return alignment;
        }
        throw in.broken("%s is %s, expected a multiple of 8 or a power of two".formatted(ALIGNMENT, said(value)));
    }

    /// @return a metadata value for a message
    static String said(Object value) {
        return value instanceof List<?> list ? "a list of " + list.size() : value.toString();
    }

    private static Entry entry(Path file, GgufCursor in, String name, long alignment) {
        int dimensions = in.u32("the number of dimensions of " + name);
        if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
            throw in.broken("the tensor %s has %s dimensions, expected 1 to %d"
                    .formatted(name, Integer.toUnsignedString(dimensions), MAX_DIMENSIONS));
        }
        long[] shape = new long[dimensions];
        for (int i = dimensions - 1; i >= 0; i--) {
            shape[i] = in.u64("a size of " + name);
            if (shape[i] <= 0) {
                throw in.broken("the tensor %s has the size %s, expected 1 or more"
                        .formatted(name, Long.toUnsignedString(shape[i])));
            }
        }
        int id = in.u32("the type of " + name);
        GgufType type = GgufType.of(id)
                .orElseThrow(() -> new BadInput("%s: tensor %s is stored as %s; supported are %s."
                        .formatted(file, name, GgufType.nameOf(id), GgufType.names())));
        long offset = in.u64("the offset of " + name);
        if (offset < 0 || offset % alignment != 0) {
            throw in.broken("the tensor %s lies at data byte %s, which is no multiple of the alignment %d"
                    .formatted(name, Long.toUnsignedString(offset), alignment));
        }
        long bytes = bytes(type, shape)
                .orElseThrow(() -> in.broken("the tensor %s is %s of %s, which is no number of whole blocks of %d"
                        .formatted(name, Shape.text(shape), type, type.blockElements())));
        return new Entry(type, shape, offset, bytes);
    }

    private static Optional<Long> bytes(GgufType type, long[] shape) {
        if (shape[shape.length - 1] % type.blockElements() != 0) {
            return Optional.empty();
        }
        try {
            long blocks = Shape.elements(shape) / type.blockElements();
            return Optional.of(Math.multiplyExact(blocks, type.blockBytes()));
        } catch (ArithmeticException e) {
            return Optional.empty();
        }
    }

    private static void requireWithin(GgufCursor in, String name, Entry entry, long dataBytes) {
        if (entry.begin > dataBytes - entry.bytes) {
            throw in.broken("the tensor %s, %s of %s, takes %d bytes from data byte %d on, the file has %d data bytes"
                    .formatted(name, Shape.text(entry.shape), entry.type, entry.bytes, entry.begin, dataBytes));
        }
    }

    private static void requireApart(GgufCursor in, SequencedMap<String, Entry> tensors) {
        long end = 0;
        String before = "";
        for (Map.Entry<String, Entry> tensor : tensors.entrySet().stream()
                .sorted(Comparator.comparingLong(named -> named.getValue().begin))
                .toList()) {
            if (tensor.getValue().begin < end) {
                throw in.broken("the tensors %s and %s overlap".formatted(before, tensor.getKey()));
            }
            end = tensor.getValue().begin + tensor.getValue().bytes;
            before = tensor.getKey();
        }
    }
}
