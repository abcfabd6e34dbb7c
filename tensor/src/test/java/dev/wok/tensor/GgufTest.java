package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class GgufTest {
    private static final int U8 = 0;
    private static final int U32 = 4;
    private static final int BOOL = 7;
    private static final int STRING = 8;
    private static final int ARRAY = 9;
    private static final int U64 = 10;

    @TempDir
    Path folder;

    static Path golden() {
        try {
            return Path.of(Objects.requireNonNull(GgufTest.class.getResource("/gguf/types.gguf"))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String refusal(Executable code) {
        return String.valueOf(assertThrows(BadInput.class, code).getMessage());
    }

    /// The file that another program wrote: see `README.md` beside it.
    @Test
    void readsEveryValueAndTensor() {
        try (Gguf read = Gguf.open(golden())) {
            Map<String, Object> metadata = read.metadata();
            assertEquals(18, metadata.size());
            assertEquals("test", metadata.get("general.architecture"));
            assertEquals(64L, metadata.get("general.alignment"));
            assertEquals(200L, metadata.get("one.UINT8"));
            assertEquals(-100L, metadata.get("one.INT8"));
            assertEquals(60_000L, metadata.get("one.UINT16"));
            assertEquals(-30_000L, metadata.get("one.INT16"));
            assertEquals(4_000_000_000L, metadata.get("one.UINT32"));
            assertEquals(-2_000_000_000L, metadata.get("one.INT32"));
            assertEquals(9_000_000_000_000_000_000L, metadata.get("one.UINT64"));
            assertEquals(-9_000_000_000_000_000_000L, metadata.get("one.INT64"));
            assertEquals((double) 0.1f, metadata.get("one.FLOAT32"));
            assertEquals(0.1, metadata.get("one.FLOAT64"));
            assertEquals(true, metadata.get("one.BOOL"));
            assertEquals("Größe 字 😀", metadata.get("one.STRING"));
            assertEquals(List.of(1L, -2L, 3L), metadata.get("many.INT32"));
            assertEquals(List.of(0.5, -0.25), metadata.get("many.FLOAT32"));
            assertEquals(List.of(true, false), metadata.get("many.BOOL"));
            assertEquals(List.of("a", "", "é"), metadata.get("many.STRING"));
            assertEquals(2 * GgufType.values().length, read.names().size());
            for (GgufType type : GgufType.values()) {
                assertEquals(type, read.type(type.name()));
                assertEquals(GgufType.F32, read.type(type + ".expected"));
                long columns = type.blockElements() == 256 ? 512 : 128;
                assertArrayEquals(new long[] {3, columns}, read.shape(type.name()));
                assertArrayEquals(new long[] {3, columns}, read.shape(type + ".expected"));
                assertEquals(
                        3 * columns / type.blockElements() * type.blockBytes(),
                        read.data(type.name()).byteSize());
            }
            assertEquals(golden() + " holds no tensor Q4_1 (it has 16 others).", refusal(() -> read.type("Q4_1")));
            assertThrows(BadInput.class, () -> read.shape("Q4_1"));
            assertThrows(BadInput.class, () -> read.data("Q4_1"));
        }
    }

    /// The bytes as the format describes them, written by hand.
    @Test
    void readsTheFormat() throws IOException {
        for (int version : new int[] {2, 3}) {
            Path file = new GgufWriter()
                    .version(version)
                    .value("k", "v")
                    .tensor("b", GgufType.F32, GgufWriter.little(0x3f800000, 4), 1)
                    .tensor("a", GgufType.BF16, new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0x40}, 3, 1, 1)
                    .write(folder.resolve("x.gguf"));
            try (Gguf read = Gguf.open(file)) {
                assertEquals(Map.of("k", "v"), read.metadata());
                assertEquals(List.of("b", "a"), List.copyOf(read.names()));
                assertArrayEquals(new long[] {1, 1, 3}, read.shape("a"));
                assertArrayEquals(
                        new float[] {0, 1, 2},
                        Tensor.of(read.data("a"), DType.BF16, read.shape("a")).toFloats());
                assertArrayEquals(
                        new float[] {1}, Tensor.of(read.data("b"), DType.F32, 1).toFloats());
            }
        }
    }

    @Test
    void shapesAreInRowOrder() throws IOException {
        Path file = new GgufWriter()
                .tensor("w", GgufType.F32, new byte[4 * 24], 4, 3, 2)
                .write(folder.resolve("x.gguf"));
        try (Gguf read = Gguf.open(file)) {
            assertArrayEquals(new long[] {2, 3, 4}, read.shape("w"));
            read.shape("w")[0] = 7;
            assertArrayEquals(new long[] {2, 3, 4}, read.shape("w"));
        }
    }

    @Test
    void takesOtherAlignments() throws IOException {
        for (int alignment : new int[] {1, 2, 4, 8, 24, 64, 4096}) {
            Path file = new GgufWriter()
                    .alignment(alignment)
                    .u32("general.alignment", alignment)
                    .tensor("a", GgufType.F16, new byte[] {0, 0x3c}, 1)
                    .tensor("b", GgufType.F16, new byte[] {0, 0x40}, 1)
                    .write(folder.resolve("x.gguf"));
            try (Gguf read = Gguf.open(file)) {
                assertEquals(1, Tensor.of(read.data("a"), DType.F16, 1).get(0));
                assertEquals(2, Tensor.of(read.data("b"), DType.F16, 1).get(0));
            }
        }
    }

    @Test
    void aFileWithoutTensorsHasMetadata() throws IOException {
        byte[] header = new GgufWriter().value("k", "v").header();
        try (Gguf read = Gguf.open(Files.write(folder.resolve("x.gguf"), header))) {
            assertEquals(0, read.names().size());
            assertEquals("v", read.metadata().get("k"));
        }
    }

    @Test
    void nothingCanBeChangedAndMetadataOutlivesTheFile() {
        Gguf read = Gguf.open(golden());
        MemorySegment data = read.data("F32");
        assertTrue(data.isReadOnly());
        assertThrows(UnsupportedOperationException.class, () -> read.metadata().remove("one.BOOL"));
        assertThrows(UnsupportedOperationException.class, () -> read.names().remove("F32"));
        for (String key : List.of("many.INT32", "many.STRING")) {
            assertThrows(
                    UnsupportedOperationException.class,
                    () -> ((List<?>) Objects.requireNonNull(read.metadata().get(key))).removeFirst());
        }
        read.close();
        assertThrows(IllegalStateException.class, () -> data.get(ValueLayout.JAVA_BYTE, 0));
        assertEquals(List.of(1L, -2L, 3L), read.metadata().get("many.INT32"));
    }

    private void requireRefused(GgufWriter writer, String reason) throws IOException {
        requireRefused(writer.bytes(), reason);
    }

    private void requireRefused(byte[] bytes, String reason) throws IOException {
        Path file = Files.write(folder.resolve("lie.gguf"), bytes);
        String message = refusal(() -> Gguf.open(file).close());
        assertTrue(message.startsWith(file.toString()), message);
        assertTrue(message.contains(reason), message);
        assertFalse(message.contains("\n"), message);
    }

    private static GgufWriter writer() {
        return new GgufWriter();
    }

    @Test
    void otherFilesAndVersionsAreRefused() throws IOException {
        requireRefused(new byte[0], "at byte 0, the word GGUF takes 4 bytes and 0 are left of the file");
        requireRefused(new byte[] {'G', 'G'}, "the word GGUF takes 4 bytes and 2 are left");
        requireRefused(writer().magic("GGML"), "begins with the bytes 47 47 4d 4c, not with GGUF");
        requireRefused(writer().version(1), "is of GGUF version 1; supported are 2 and 3");
        requireRefused(writer().version(4), "is of GGUF version 4; supported are 2 and 3");
        requireRefused(writer().version(-1), "is of GGUF version 4294967295");
        requireRefused(writer().version(0), "is of GGUF version 0");
        requireRefused(writer().version(0x03000000), "is a big-endian GGUF file");
        Path absent = folder.resolve("absent");
        assertEquals("there is no file " + absent + ".", refusal(() -> Gguf.open(absent)));
        assertTrue(refusal(() -> Gguf.open(folder)).startsWith(folder + " "));
    }

    @Test
    void lyingCountsAreRefusedBeforeAnythingIsMade() throws IOException {
        byte[] nothing = new byte[100];
        for (long count : new long[] {1 << 20, 1L << 40, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
            String said = Long.toUnsignedString(count);
            requireRefused(
                    writer().data(nothing).counts(count, 0), "announces %s tensors of at least 32".formatted(said));
            requireRefused(writer().data(nothing).counts(0, count), "announces %s metadata values".formatted(said));
            requireRefused(
                    writer().array("k", STRING, count, nothing),
                    "announces %s strings of k of at least 8".formatted(said));
            requireRefused(writer().array("k", U8, count, nothing), "announces %s elements of k".formatted(said));
            requireRefused(writer().array("k", U64, count, nothing), "elements of k of at least 8 bytes each, which");
            requireRefused(
                    writer().value("k", STRING, GgufWriter.little(count, 8)), "k takes %s bytes and".formatted(said));
            requireRefused(
                    GgufWriter.join(writer().counts(0, 1).header(), GgufWriter.little(count, 8), new byte[20]),
                    "the key of a metadata value takes %s bytes and".formatted(said));
            requireRefused(
                    writer().array("k", STRING, 1, GgufWriter.little(count, 8)),
                    "a string of k takes %s bytes and".formatted(said));
        }
    }

    @Test
    void aHeaderWithoutEndIsRefused() throws IOException {
        Path file = folder.resolve("lie.gguf");
        byte[] begin = writer().value("k", STRING).header();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(GgufWriter.join(begin, GgufWriter.little(1L << 29, 8))));
            channel.write(ByteBuffer.wrap(new byte[1]), 1L << 30);
        }
        String message = refusal(() -> Gguf.open(file));
        assertTrue(message.contains("k takes 536870912 bytes and the header then more than 268435456"), message);
    }

    @Test
    @Timeout(60)
    void longNamesAndListsDoNotMultiply() throws IOException {
        String longest = "k".repeat(0xFFFF);
        byte[] many = new byte[8 * 300_000];
        byte[] bytes = writer().array(longest, STRING, 300_000, many).bytes();
        try (Gguf read = Gguf.open(Files.write(folder.resolve("x.gguf"), bytes))) {
            assertEquals(
                    300_000, ((List<?>) Objects.requireNonNull(read.metadata().get(longest))).size());
        }
        requireRefused(writer().u32(longest + "k", 1), "the key of a metadata value has 65536 bytes, expected 65535");
        requireRefused(writer().tensor(longest + "k", GgufType.F32.id(), 0, 1), "the name of a tensor has 65536 bytes");
        requireRefused(writer().array("general.alignment", U8, many.length, many), "is a list of 2400000, expected");
        requireRefused(writer().array("split.count", U8, many.length, many), "is a list of 2400000, expected");
    }

    @Test
    void lyingValuesAreRefused() throws IOException {
        requireRefused(writer().value("k", 13), "k is of the type 13, expected one from 0 to 12");
        requireRefused(writer().value("k", -1, new byte[8]), "k is of the type 4294967295");
        requireRefused(writer().array("k", 99, 1, new byte[8]), "k is of the type 99");
        requireRefused(writer().array("k", ARRAY, 1, new byte[20]), "k is an array of arrays");
        requireRefused(writer().value("k", BOOL, (byte) 2), "k is a truth value of 2, expected 0 or 1");
        requireRefused(writer().array("k", BOOL, 2, new byte[] {1, -1}), "k is a truth value of 255");
        requireRefused(writer().value("k", U64, GgufWriter.little(-1, 8)), "k is a number beyond 63 bits");
        requireRefused(writer().array("k", U64, 1, GgufWriter.little(-1, 8)), "k is a number beyond 63 bits");
        requireRefused(writer().u32("k", 1).u32("k", 1), "its metadata has the key k twice");
        byte[] notUtf8 = GgufWriter.join(GgufWriter.little(2, 8), new byte[] {(byte) 0xc3, 'x'});
        requireRefused(writer().value("k", STRING, notUtf8), "at byte 45, k is not UTF-8");
        requireRefused(writer().array("k", STRING, 1, notUtf8), "a string of k is not UTF-8");
        for (long alignment : new long[] {0, 3, 12, 0x80000000L}) {
            requireRefused(
                    writer().u32("general.alignment", alignment),
                    "general.alignment is %d, expected a multiple of 8 or a power of two".formatted(alignment));
        }
        requireRefused(writer().value("general.alignment", "32"), "general.alignment is 32, expected");
        requireRefused(writer().u32("split.count", 70_000), "split.count is 70000, expected a number from 0 to 65535");
        requireRefused(writer().value("split.count", "two"), "split.count is two, expected");
    }

    @Test
    void lyingTensorsAreRefused() throws IOException {
        byte[] zeros = new byte[256];
        int f32 = GgufType.F32.id();
        requireRefused(writer().tensor("w", f32, 0).data(zeros), "the tensor w has 0 dimensions, expected 1 to 4");
        requireRefused(writer().tensor("w", f32, 0, 1, 1, 1, 1, 1).data(zeros), "has 5 dimensions, expected 1 to 4");
        requireRefused(writer().tensor("w", f32, 0, 4, 0).data(zeros), "the tensor w has the size 0, expected 1");
        requireRefused(writer().tensor("w", f32, 0, -1).data(zeros), "has the size 18446744073709551615");
        requireRefused(
                writer().tensor("w", f32, 0, 1L << 32, 1L << 32).data(zeros), "which is no number of whole blocks");
        requireRefused(writer().tensor("w", f32, 0, 1L << 61).data(zeros), "which is no number of whole blocks");
        requireRefused(
                writer().tensor("w", GgufType.Q4_K.id(), 0, 128, 2).data(zeros),
                "the tensor w is [2, 128] of Q4_K, which is no number of whole blocks of 256");
        requireRefused(
                writer().tensor("w", 16, 0, 256).data(zeros),
                "tensor w is stored as IQ2_XXS; supported are F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q5_K, Q6_K.");
        requireRefused(writer().tensor("w", 3, 0, 32).data(zeros), "tensor w is stored as Q4_1; supported are");
        requireRefused(writer().tensor("w", 1000, 0, 32).data(zeros), "tensor w is stored as type 1000; supported");
        requireRefused(writer().tensor("w", -1, 0, 32).data(zeros), "stored as type 4294967295; supported");
        requireRefused(writer().tensor("w", f32, 4, 1).data(zeros), "lies at data byte 4, which is no multiple of the");
        requireRefused(writer().tensor("w", f32, -32, 1).data(zeros), "lies at data byte 18446744073709551584");
        requireRefused(
                writer().tensor("w", f32, 0, 65).data(zeros),
                "the tensor w, [65] of F32, takes 260 bytes from data byte 0 on, the file has 256 data bytes");
        requireRefused(
                writer().tensor("w", f32, 256, 1).data(zeros), "4 bytes from data byte 256 on, the file has 256");
        requireRefused(writer().tensor("w", f32, 0, 1).header(), "the file has 0 data bytes");
        long far = Long.MAX_VALUE - 31;
        requireRefused(writer().tensor("w", f32, far, 1).data(zeros), "4 bytes from data byte %d on".formatted(far));
        requireRefused(
                writer().alignment(1).u32("general.alignment", 1).tensor("w", f32, Long.MAX_VALUE, 1),
                "4 bytes from data byte %d on, the file has 0".formatted(Long.MAX_VALUE));
        requireRefused(
                writer().u32("general.alignment", 1 << 30)
                        .tensor("w", f32, far >> 30 << 30, 1)
                        .header(),
                "the file has 0 data bytes");
        requireRefused(
                writer().tensor("v", f32, 0, 9).tensor("w", f32, 32, 1).data(zeros), "the tensors v and w overlap");
        requireRefused(
                writer().tensor("w", f32, 0, 1).tensor("v", f32, 0, 1).data(zeros), "the tensors w and v overlap");
        requireRefused(
                writer().tensor("w", f32, 0, 1).tensor("w", f32, 32, 1).data(zeros), "it has the tensor w twice");
    }

    private GgufWriter part(int number, int count, String tensor) {
        return writer().u16("split.no", number)
                .u16("split.count", count)
                .tensor(tensor, GgufType.F32, GgufWriter.little(Float.floatToIntBits(number), 4), 1);
    }

    private Path path(int number, int count) {
        return folder.resolve("m-%05d-of-%05d.gguf".formatted(number, count));
    }

    @Test
    void opensAllPartsOfAModel() throws IOException {
        Path first =
                part(0, 3, "a").value("k", "v").u32("split.tensors.count", 3).write(path(1, 3));
        part(1, 3, "b").write(path(2, 3));
        part(2, 3, "c").u32("general.alignment", 64).alignment(64).write(path(3, 3));
        try (Gguf read = Gguf.open(first)) {
            assertEquals(List.of("a", "b", "c"), List.copyOf(read.names()));
            assertEquals("v", read.metadata().get("k"));
            assertEquals(0, Tensor.of(read.data("a"), DType.F32, 1).get(0));
            assertEquals(1, Tensor.of(read.data("b"), DType.F32, 1).get(0));
            assertEquals(2, Tensor.of(read.data("c"), DType.F32, 1).get(0));
        }
        assertEquals(
                "%s is part 2 of 3; give the first, m-00001-of-00003.gguf.".formatted(path(2, 3)),
                refusal(() -> Gguf.open(path(2, 3))));
        Path renamed = Files.copy(first, folder.resolve("model.gguf"));
        assertTrue(refusal(() -> Gguf.open(renamed))
                .contains("its name is expected to end in -00001-of-00003.gguf. Rename it."));
        Files.delete(path(3, 3));
        assertEquals(
                "there is no file %s, part 3 of 3 of %s. Put all parts into one folder.".formatted(path(3, 3), first),
                refusal(() -> Gguf.open(first)));
    }

    @Test
    void foldersStandForTheirOnlyModel() throws IOException {
        assertTrue(Gguf.find(folder).isEmpty());
        Path first = part(0, 2, "a").write(path(1, 2));
        part(1, 2, "b").write(path(2, 2));
        assertEquals(first, Gguf.find(folder).orElseThrow());
        assertEquals(path(2, 2), Gguf.find(path(2, 2)).orElseThrow());
        Path other = writer().write(folder.resolve("other"));
        assertEquals(other, Gguf.find(other).orElseThrow());
        assertTrue(Gguf.find(Files.writeString(folder.resolve("text"), "GGU")).isEmpty());
        Files.writeString(folder.resolve("config.json"), "{}");
        assertTrue(Gguf.find(folder).isEmpty());
        assertTrue(Gguf.find(folder.resolve("nothing.gguf")).isEmpty());
    }

    @Test
    void partsThatDoNotBelongTogetherAreRefused() throws IOException {
        Path first = part(0, 2, "a").u32("split.tensors.count", 2).write(path(1, 2));
        part(1, 2, "a").write(path(2, 2));
        assertTrue(refusal(() -> Gguf.open(first)).contains("has the tensor a, which another part of"));
        part(1, 3, "b").write(path(2, 2));
        assertTrue(refusal(() -> Gguf.open(first)).contains("does not say that it is part 2 of 2"));
        writer().write(path(2, 2));
        assertTrue(refusal(() -> Gguf.open(first)).contains("does not say that it is part 2 of 2"));
        part(1, 2, "b").tensor("c", GgufType.F32, new byte[4], 1).write(path(2, 2));
        assertTrue(refusal(() -> Gguf.open(first)).contains("announces 2 tensors, its 2 parts have 3"));
        Files.write(path(2, 2), new byte[7]);
        assertTrue(refusal(() -> Gguf.open(first)).startsWith(path(2, 2) + " is no GGUF file"));
    }
}
