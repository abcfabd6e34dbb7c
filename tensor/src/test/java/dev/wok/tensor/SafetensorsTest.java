package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
    @TempDir
    Path folder;

    private static String refusal(Executable code) {
        return String.valueOf(assertThrows(BadInput.class, code).getMessage());
    }

    private static SequencedMap<String, Tensor> tensors() {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        for (DType dtype : DType.values()) {
            Tensor tensor = Tensor.allocate(Arena.ofAuto(), dtype, 2, 3);
            for (int i = 0; i < 6; i++) {
                tensor.set(i, i - 2);
            }
            tensors.put("layer." + dtype, tensor);
        }
        tensors.put("scalar", Tensor.of(MemorySegment.ofArray(new float[] {2.5f}), DType.F32));
        tensors.put("empty", Tensor.allocate(Arena.ofAuto(), DType.F32, 0, 4));
        tensors.put("größe \"x\"", Tensor.of(1, 2, 3));
        return tensors;
    }

    @Test
    void whatIsWrittenIsRead() {
        Path file = folder.resolve("model.safetensors");
        SequencedMap<String, Tensor> tensors = tensors();
        Safetensors.write(file, tensors, Map.of("format", "pt"));
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.names()));
            assertEquals(Map.of("format", "pt"), read.metadata());
            tensors.forEach((name, tensor) -> {
                Tensor again = read.tensor(name);
                assertEquals(tensor.toString(), again.toString());
                assertEquals(-1, tensor.memory().asSlice(0, tensor.bytes()).mismatch(again.memory()));
            });
            assertEquals(file + " holds no tensor layer.9 (it has 12 others).", refusal(() -> read.tensor("layer.9")));
            Tensor mapped = read.tensor("layer.F32");
            assertThrows(RuntimeException.class, () -> mapped.set(0, 1), "the file must not change");
        }
        assertFalse(Files.exists(folder.resolve("model.safetensors.part")));
    }

    /// The bytes as the format describes them, written by hand.
    @Test
    void readsTheFormat() throws IOException {
        Path file = write(
                "{\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[4,8]},"
                        + "\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}  ",
                7,
                0,
                0,
                0,
                0x80,
                0x3f,
                0,
                0xc0);
        try (Safetensors read = Safetensors.open(file)) {
            assertArrayEquals(new int[] {7}, read.tensor("a").toInts());
            assertArrayEquals(new float[] {1, -2}, read.tensor("b").toFloats());
            assertEquals(Map.of("k", "v"), read.metadata());
        }
    }

    @Test
    void writesTheFormat() throws IOException {
        Path file = folder.resolve("x");
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("a", Tensor.of(1f));
        Safetensors.write(file, tensors, Map.of());
        byte[] bytes = Files.readAllBytes(file);
        int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        assertEquals(0, length % 8);
        assertEquals(
                "{\"__metadata__\":{},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                new String(bytes, 8, length, StandardCharsets.UTF_8).strip());
        assertArrayEquals(new byte[] {0, 0, (byte) 0x80, 0x3f}, Arrays.copyOfRange(bytes, 8 + length, bytes.length));
    }

    private Path write(String header, int... data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return write(json.length, json, data);
    }

    private Path write(long length, byte[] header, int... data) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header);
        for (int b : data) {
            bytes.put((byte) b);
        }
        return Files.write(folder.resolve("lie.safetensors"), bytes.array());
    }

    private void requireRefused(String header, String reason, int... data) throws IOException {
        Path file = write(header, data);
        String message = refusal(() -> {
            try (Safetensors read = Safetensors.open(file)) {
                read.names().forEach(read::tensor);
            }
        });
        assertTrue(message.startsWith(file.toString()), message);
        assertTrue(message.contains(reason), message);
        assertFalse(message.contains("\n"), message);
    }

    private static String tensor(String name, String shape, long begin, long end) {
        return "\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%d,%d]}".formatted(name, shape, begin, end);
    }

    @Test
    void lyingHeadersAreRefused() throws IOException {
        int[] four = new int[4];
        int[] eight = new int[8];
        requireRefused("", "header of 0 bytes");
        requireRefused("[]", "not a JSON object");
        requireRefused("null  ", "not a JSON object");
        requireRefused("   ", "not a JSON object");
        requireRefused("{\"a\":", "not JSON");
        requireRefused("{} {}", "not JSON");
        requireRefused("[".repeat(5000), "not JSON");
        requireRefused("{\"a\":" + "9".repeat(5000) + "}", "not JSON");
        requireRefused("{\"a\":{}}", "tensor a lacks dtype, shape or data_offsets");
        requireRefused("{\"a\":7}", "tensor a lacks");
        requireRefused("{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", "tensor a lacks", four);
        requireRefused("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", "tensor a lacks", four);
        requireRefused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "tensor a lacks", four);
        requireRefused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", "tensor a lacks", four);
        for (String size : new String[] {"-1", "1.5", "1e0", "\"1\"", "null", "9223372036854775808"}) {
            requireRefused("{" + tensor("a", "[" + size + "]", 0, 4) + "}", "no whole number", four);
        }
        requireRefused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", "no whole number", four);
        requireRefused("{" + tensor("a", "[1]", 4, 0) + "}", "claims bytes 4..0 of 4", four);
        requireRefused("{" + tensor("a", "[2]", 0, 8) + "}", "claims bytes 0..8 of 4", four);
        requireRefused("{" + tensor("a", "[1]", 0, Long.MAX_VALUE) + "}", "claims bytes", four);
        requireRefused("{" + tensor("a", "[2]", 0, 4) + "}", "is [2] of F32 but claims 4 bytes", four);
        requireRefused("{" + tensor("a", "[4294967296,4294967296]", 0, 4) + "}", "claims 4 bytes", four);
        requireRefused("{" + tensor("a", "[4611686018427387904]", 0, 0) + "}", "claims 0 bytes");
        requireRefused("{" + tensor("a", "[1]", 0, 4) + "}", "end at data byte 4, the file has 8", eight);
        requireRefused("{" + tensor("a", "[1]", 4, 8) + "}", "leave a gap at data byte 0", eight);
        requireRefused("{" + tensor("a", "[1]", 0, 4) + "," + tensor("b", "[1]", 0, 4) + "}", "overlap", four);
        requireRefused(
                "{" + tensor("a", "[1]", 0, 4) + "," + tensor("a", "[1]", 0, 4) + "}", "names something twice", four);
        requireRefused(
                "{" + tensor("a", "[1]", 0, 4) + "," + tensor("a", "[1]", 4, 8) + "}", "names something twice", eight);
        requireRefused(
                "{\"a\":{\"dtype\":\"F8_E5M2\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                "tensor a is stored as F8_E5M2; supported are F32, F16, BF16, F8_E4M3, F64, I64, I32, I8 and U8",
                four);
    }

    @Test
    void lyingLengthsAreRefused() throws IOException {
        byte[] header = "{}".getBytes(StandardCharsets.UTF_8);
        for (long length : new long[] {0, 1, 3, 1 << 20, 1L << 62, -1, Long.MIN_VALUE}) {
            Path file = write(length, header);
            String message = refusal(() -> Safetensors.open(file));
            assertTrue(
                    message.contains(
                            "announces a header of " + Long.toUnsignedString(length) + " bytes, the file has 10"),
                    message);
        }
        for (int size = 0; size < 8; size++) {
            Path file = Files.write(folder.resolve("short"), new byte[size]);
            String message = refusal(() -> Safetensors.open(file));
            assertTrue(message.contains("ends after %d bytes".formatted(size)), message);
        }
        Path notUtf8 = write(4, new byte[] {'{', '"', (byte) 0xff, '"'});
        assertTrue(refusal(() -> Safetensors.open(notUtf8)).contains("not JSON"));
    }

    /// Any damage is a refusal or a correct read: never another exception, never an element that cannot be read.
    @Test
    void damagedFilesAreRefusedOrRead() throws IOException {
        Path intact = folder.resolve("intact");
        Safetensors.write(intact, tensors(), Map.of("format", "pt"));
        byte[] bytes = Files.readAllBytes(intact);
        Path file = folder.resolve("damaged");
        int refused = 0;
        for (int i = 0; i < 3000; i++) {
            Files.write(file, damage(bytes, new Rng(11).split(i)));
            try (Safetensors read = Safetensors.open(file)) {
                for (String name : read.names()) {
                    Tensor tensor = read.tensor(name);
                    for (long at = 0; at < tensor.elements(); at++) {
                        tensor.get(at);
                    }
                }
            } catch (BadInput e) {
                refused++;
            }
        }
        assertTrue(refused > 1500 && refused < 3000, refused + " of 3000 refused");
    }

    private static byte[] damage(byte[] intact, Rng rng) {
        int header =
                8 + (int) ByteBuffer.wrap(intact).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return switch (rng.below(0, 4)) {
            case 0 -> Arrays.copyOf(intact, rng.below(1, intact.length));
            case 1 -> Arrays.copyOf(intact, intact.length + 1 + rng.below(1, 20));
            case 2 -> {
                byte[] flipped = intact.clone();
                for (int i = 0; i <= rng.below(1, 3); i++) {
                    flipped[rng.below(2 + i, header)] ^= (byte) (1 << rng.below(9 + i, 8));
                }
                yield flipped;
            }
            default -> {
                byte[] replaced = intact.clone();
                byte[] digits = "0123456789-[]{},\":.e".getBytes(StandardCharsets.US_ASCII);
                for (int i = 0; i <= rng.below(1, 3); i++) {
                    replaced[8 + rng.below(2 + i, header - 8)] = digits[rng.below(9 + i, digits.length)];
                }
                yield replaced;
            }
        };
    }

    @Test
    void absentFilesAndFoldersAreRefused() {
        Path absent = folder.resolve("absent");
        assertEquals("there is no file " + absent + ".", refusal(() -> Safetensors.open(absent)));
        assertTrue(refusal(() -> Safetensors.open(folder)).startsWith(folder + " "));
    }

    /// `/dev/full` refuses every write as a full disk does.
    private Path withHeader(String header) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(json.length).put(json);
        return Files.write(folder.resolve("made.safetensors"), bytes.array());
    }

    @Test
    void metadataIsAnObjectOfStringsOrNothing() throws IOException {
        for (String header : List.of("{\"__metadata__\":7}", "{\"__metadata__\":{\"a\":{\"b\":1}}}")) {
            Path file = withHeader(header);
            assertTrue(refusal(() -> Safetensors.open(file)).contains("its __metadata__ is no object of strings"));
        }
        try (Safetensors read = Safetensors.open(withHeader("{\"__metadata__\":null}"))) {
            assertEquals(Map.of(), read.metadata());
        }
        SequencedMap<String, Tensor> taken = new LinkedHashMap<>();
        taken.put("__metadata__", Tensor.of(1f));
        assertThrows(
                IllegalArgumentException.class,
                () -> Safetensors.write(folder.resolve("taken.safetensors"), taken, Map.of()));
    }

    /// A header of millions of small values would take gigabytes as a tree.
    @Test
    void aHeaderThatIsNoHeaderIsRefusedBeforeItIsBuilt() throws IOException {
        Path many = withHeader("{\"a\":[" + "1,".repeat(8_000_000) + "1]}");
        assertTrue(refusal(() -> Safetensors.open(many)).contains("its header is not JSON of tensors"));
        Path deep = withHeader("{\"a\":" + "[".repeat(20) + "]".repeat(20) + "}");
        assertTrue(refusal(() -> Safetensors.open(deep)).contains("its header is not JSON of tensors"));
        String entry = "\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]";
        try (Safetensors read = Safetensors.open(withHeader("{\"a\":{" + entry + ",\"extra\":{\"x\":[1]}}}"))) {
            assertEquals(Set.of("a"), read.names());
        }
    }

    @Test
    void anyLayoutIsWrittenThroughACopy() {
        Path file = folder.resolve("copied.safetensors");
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        Tensor wide = Tensor.allocate(Arena.ofAuto(), DType.F64, 3, 4);
        for (int i = 0; i < 12; i++) {
            wide.set(i, i);
        }
        tensors.put("view", wide.slice(1, 1, 3));
        tensors.put("empty", wide.slice(0, 0, 0));
        Safetensors.write(file, tensors, DType.F32, (from, to) -> to.copyFrom(from), Map.of());
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals("F32[3, 2]", read.tensor("view").toString());
            assertArrayEquals(
                    new float[] {1, 2, 5, 6, 9, 10}, read.tensor("view").toFloats());
            assertEquals(0, read.tensor("empty").elements());
        }
    }

    @Test
    void aFullDiskLeavesNothing() throws IOException {
        Path full = Path.of("/dev/full");
        org.junit.jupiter.api.Assumptions.assumeTrue(Files.exists(full), "this system has no /dev/full");
        Path file = folder.resolve("model.safetensors");
        Files.createSymbolicLink(folder.resolve("model.safetensors.part"), full);
        assertEquals(
                "the disk is full: " + file
                        + " was not written, nothing half-written is left. Free some space and run again.",
                refusal(() -> Safetensors.write(file, tensors(), Map.of())));
        try (var left = Files.list(folder)) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void anUnwritablePlaceIsRefused() throws IOException {
        Path notFolder = Files.writeString(folder.resolve("file"), "x");
        Path file = notFolder.resolve("model.safetensors");
        assertTrue(
                refusal(() -> Safetensors.write(file, tensors(), Map.of())).startsWith(file + " could not be written"));
        Path nowhere = folder.resolve("nowhere").resolve("model.safetensors");
        assertTrue(
                refusal(() -> Safetensors.write(nowhere, tensors(), Map.of())).startsWith(nowhere + " could not be"));
    }

    @Test
    void anOldFileSurvivesAFailedWrite() {
        Path file = folder.resolve("model.safetensors");
        SequencedMap<String, Tensor> old = new LinkedHashMap<>();
        old.put("a", Tensor.of(5f));
        Safetensors.write(file, old, Map.of());
        SequencedMap<String, Tensor> gaps = new LinkedHashMap<>();
        gaps.put("view", Tensor.of(1f, 2f, 3f, 4f).reshape(2, 2).slice(1, 0, 1));
        assertThrows(IllegalArgumentException.class, () -> Safetensors.write(file, gaps, Map.of()));
        try (Safetensors read = Safetensors.open(file)) {
            assertArrayEquals(new float[] {5}, read.tensor("a").toFloats());
        }
    }
}
