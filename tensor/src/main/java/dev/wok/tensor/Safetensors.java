package dev.wok.tensor;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Function;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// A safetensors file, mapped into memory: named tensors that are read where they lie.
///
/// ```
/// 0        8            8 + n                                   end of file
/// | n: u64 | JSON header | bytes of the tensors, without gaps   |
/// ```
///
/// The header maps names to `{"dtype", "shape", "data_offsets": [begin, end]}`, offsets counted from the end of the
/// header, and `__metadata__` to a map of strings. Every length and offset is checked before it is used.
public final class Safetensors implements AutoCloseable {
    private static final int LENGTH_BYTES = 8;
    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final String METADATA = "__metadata__";

    /// A tensor takes some fifteen tokens of JSON, and what it needs lies three deep.
    private static final StreamReadConstraints LIMITS = StreamReadConstraints.builder()
            .maxTokenCount(8_000_000)
            .maxNestingDepth(16)
            .build();

    private static final ObjectMapper JSON = JsonMapper.builder(
                    JsonFactory.builder().streamReadConstraints(LIMITS).build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private record Entry(String dtype, long[] shape, long begin, long end) {}

    private final Path file;
    private final Arena arena;
    private final MemorySegment data;
    private final SequencedMap<String, Entry> entries;
    private final Map<String, String> metadata;

    private Safetensors(
            Path file,
            Arena arena,
            MemorySegment data,
            SequencedMap<String, Entry> entries,
            Map<String, String> metadata) {
        this.file = file;
        this.arena = arena;
        this.data = data;
        this.entries = entries;
        this.metadata = metadata;
    }

    /// Maps a file.
    ///
    /// @throws BadInput where there is no such file or its header is truncated, malformed or lies about the file
    public static Safetensors open(Path file) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return read(file, arena, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            arena.close();
            throw BadInput.reading(file, e);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static Safetensors read(Path file, Arena arena, MemorySegment map) {
        if (map.byteSize() < LENGTH_BYTES) {
            throw broken(file, 0, "the file ends after %d bytes, before its header length".formatted(map.byteSize()));
        }
        long headerBytes = map.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
        if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES || headerBytes > map.byteSize() - LENGTH_BYTES) {
            throw broken(
                    file,
                    0,
                    "it announces a header of %s bytes, the file has %d"
                            .formatted(Long.toUnsignedString(headerBytes), map.byteSize()));
        }
        byte[] header = Copies.array(map.asSlice(LENGTH_BYTES, headerBytes));
        MemorySegment data = map.asSlice(LENGTH_BYTES + headerBytes);
        JsonNode root;
        try {
            root = JSON.readTree(header);
        } catch (JacksonException e) {
            throw broken(file, LENGTH_BYTES, "its header is not JSON of tensors, or names something twice");
        }
        if (!root.isObject()) {
            throw broken(file, LENGTH_BYTES, "its header is not a JSON object");
        }
        SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> property : root.properties()) {
            if (property.getKey().equals(METADATA)) {
                metadata.putAll(metadata(file, property.getValue()));
            } else {
                entries.put(property.getKey(), entry(file, property.getKey(), property.getValue(), data.byteSize()));
            }
        }
        requireNoGaps(file, entries, data.byteSize());
        return new Safetensors(file, arena, data, entries, metadata);
    }

    private static Map<String, String> metadata(Path file, JsonNode node) {
        Map<String, String> metadata = new LinkedHashMap<>();
        if (node.isNull()) {
            return metadata;
        }
        if (!node.isObject() || node.valueStream().anyMatch(value -> !value.isString())) {
            throw broken(file, LENGTH_BYTES, "its %s is no object of strings".formatted(METADATA));
        }
        node.properties().forEach(m -> metadata.put(m.getKey(), m.getValue().stringValue()));
        return metadata;
    }

    private static void requireNoGaps(Path file, SequencedMap<String, Entry> entries, long dataBytes) {
        List<Entry> inOrder = new ArrayList<>(entries.values());
        inOrder.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long end = 0;
        for (Entry entry : inOrder) {
            if (entry.begin != end) {
                throw broken(file, LENGTH_BYTES, "its tensors overlap or leave a gap at data byte %d".formatted(end));
            }
            end = entry.end;
        }
        if (end != dataBytes) {
            throw broken(
                    file,
                    LENGTH_BYTES,
                    "its tensors end at data byte %d, the file has %d data bytes".formatted(end, dataBytes));
        }
    }

    private static Entry entry(Path file, String name, JsonNode node, long dataBytes) {
        JsonNode shapeNode = node.path("shape");
        JsonNode offsets = node.path("data_offsets");
        if (!node.path("dtype").isString() || !shapeNode.isArray() || !offsets.isArray() || offsets.size() != 2) {
            throw broken(file, LENGTH_BYTES, "tensor %s lacks dtype, shape or data_offsets".formatted(name));
        }
        long[] shape = new long[shapeNode.size()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = whole(file, name, shapeNode.get(i));
        }
        long begin = whole(file, name, offsets.get(0));
        long end = whole(file, name, offsets.get(1));
        if (begin > end || end > dataBytes) {
            throw broken(
                    file, LENGTH_BYTES, "tensor %s claims bytes %d..%d of %d".formatted(name, begin, end, dataBytes));
        }
        return new Entry(node.path("dtype").asString(), shape, begin, end);
    }

    private static long whole(Path file, String name, JsonNode node) {
        if (!node.isIntegralNumber() || !node.canConvertToLong() || node.asLong() < 0) {
            throw broken(
                    file,
                    LENGTH_BYTES,
                    "tensor %s has a size or offset that is no whole number: %s".formatted(name, node));
        }
        return node.asLong();
    }

    private static BadInput broken(Path file, long offset, String what) {
        return new BadInput("%s is no intact safetensors file: at byte %d, %s. Copy it again from its source."
                .formatted(file, offset, what));
    }

    /// @return the names, in the order of the header
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    /// @return the strings stored under `__metadata__`
    Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    /// @return the tensor, over the mapped file: valid until [#close]
    /// @throws BadInput where there is none of that name, its type is not supported, or its length contradicts its
    ///     shape
    public Tensor tensor(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new BadInput("%s holds no tensor %s (it has %d others).".formatted(file, name, entries.size()));
        }
        DType dtype;
        try {
            dtype = DType.valueOf(entry.dtype);
        } catch (IllegalArgumentException e) {
            throw new BadInput(
                    "%s: tensor %s is stored as %s; supported are F32, F16, BF16, F8_E4M3, F64, I64, I32, I8 and U8."
                            .formatted(file, name, entry.dtype));
        }
        long bytes;
        try {
            bytes = Math.multiplyExact(Shape.elements(entry.shape), dtype.bytes());
        } catch (ArithmeticException e) {
            bytes = -1;
        }
        if (bytes != entry.end - entry.begin) {
            throw broken(
                    file,
                    LENGTH_BYTES,
                    "tensor %s is %s of %s but claims %d bytes"
                            .formatted(name, Shape.text(entry.shape), entry.dtype, entry.end - entry.begin));
        }
        return Tensor.of(data.asSlice(entry.begin, bytes), dtype, entry.shape);
    }

    @Override
    public void close() {
        arena.close();
    }

    /// Writes contiguous host tensors as they are: see the other one.
    public static void write(Path file, SequencedMap<String, Tensor> tensors, Map<String, String> metadata) {
        for (Map.Entry<String, Tensor> named : tensors.entrySet()) {
            if (!named.getValue().isContiguous()) {
                throw new IllegalArgumentException("tensor %s is a view with gaps".formatted(named.getKey()));
            }
        }
        write(file, header(tensors, Tensor::dtype, metadata), channel -> {
            for (Tensor tensor : tensors.values()) {
                writeFully(channel, tensor.memory().asSlice(0, tensor.bytes()));
            }
        });
    }

    /// Writes tensors of any device and layout, one after the other through a copy in host memory. The file is written
    /// beside its final name first, then renamed, so that it is complete or absent.
    ///
    /// @param tensors by name, in the order in which they shall lie
    /// @param dtype in which they are stored
    /// @param download copies its first into its second, a contiguous host tensor of that type
    /// @param metadata strings for `__metadata__`; transformers expects `format` = `pt`
    /// @throws BadInput where the disk is full or the folder cannot be written
    public static void write(
            Path file,
            SequencedMap<String, Tensor> tensors,
            DType dtype,
            BiConsumer<Tensor, Tensor> download,
            Map<String, String> metadata) {
        write(file, header(tensors, _ -> dtype, metadata), channel -> {
            for (Tensor tensor : tensors.values()) {
                try (Arena arena = Arena.ofShared()) {
                    Tensor host = Tensor.allocate(arena, dtype, tensor.shape());
                    download.accept(tensor, host);
                    writeFully(channel, host.memory().asSlice(0, host.bytes()));
                }
            }
        });
    }

    private static ByteBuffer header(
            SequencedMap<String, Tensor> tensors, Function<Tensor, DType> stored, Map<String, String> metadata) {
        SequencedMap<String, SafetensorsDraft.Entry> entries = new LinkedHashMap<>();
        tensors.forEach(
                (name, tensor) -> entries.put(name, new SafetensorsDraft.Entry(stored.apply(tensor), tensor.shape())));
        return header(entries, metadata, LENGTH_BYTES);
    }

    /// @param alignment what its length is a multiple of, and what tensors of such sizes begin at multiples of
    /// @return all that lies before the tensors
    static ByteBuffer header(
            SequencedMap<String, SafetensorsDraft.Entry> tensors, Map<String, String> metadata, int alignment) {
        ObjectNode root = JSON.createObjectNode();
        metadata.forEach(root.putObject(METADATA)::put);
        long position = 0;
        if (tensors.containsKey(METADATA)) {
            throw new IllegalArgumentException("a tensor cannot be named " + METADATA);
        }
        for (Map.Entry<String, SafetensorsDraft.Entry> named : tensors.entrySet()) {
            SafetensorsDraft.Entry entry = named.getValue();
            ObjectNode node = root.putObject(named.getKey());
            node.put("dtype", entry.dtype().name());
            ArrayNode shape = node.putArray("shape");
            for (long size : entry.shape()) {
                shape.add(size);
            }
            node.putArray("data_offsets").add(position).add(position + entry.bytes());
            position += entry.bytes();
        }
        byte[] json = JSON.writeValueAsBytes(root);
        int padding = Math.floorMod(-LENGTH_BYTES - json.length, alignment);
        return ByteBuffer.allocate(LENGTH_BYTES + json.length + padding)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length + padding)
                .put(json)
                .put(" ".repeat(padding).getBytes(StandardCharsets.US_ASCII))
                .flip();
    }

    private interface Content {
        void writeTo(FileChannel channel) throws IOException;
    }

    private static void write(Path file, ByteBuffer header, Content content) {
        Path beside = file.resolveSibling(file.getFileName() + ".part");
        try {
            try (FileChannel channel = FileChannel.open(
                    beside,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                writeFully(channel, header);
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw BadInput.writing(file, e, beside);
        }
    }

    private static void writeFully(FileChannel channel, MemorySegment segment) throws IOException {
        long chunk = 1L << 28;
        for (long from = 0; from < segment.byteSize(); from += chunk) {
            MemorySegment part = segment.asSlice(from, Math.min(chunk, segment.byteSize() - from));
            writeFully(channel, part.isNative() ? part.asByteBuffer() : ByteBuffer.wrap(Copies.array(part)));
        }
    }

    static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
