package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GgufTypeTest {

    private static float[] dequantized(GgufType type, byte[] data) {
        int elements = data.length / type.blockBytes() * type.blockElements();
        float[] values = new float[elements];
        type.dequantize(MemorySegment.ofArray(data), 0, values, elements);
        return values;
    }

    /// Writes a number into bits of a block, counted from the lowest bit of byte 0.
    private static void put(byte[] block, int bit, int width, int value) {
        for (int i = 0; i < width; i++) {
            if ((value >> i & 1) != 0) {
                block[(bit + i) / 8] |= (byte) (1 << (bit + i) % 8);
            }
        }
    }

    private static void putHalf(byte[] block, int at, float value) {
        put(block, 8 * at, 16, Float.floatToFloat16(value));
    }

    /// Writes the 6-bit scales and minima of Q4_K and Q5_K.
    private static void putScales(byte[] block, int[] scales, int[] minima) {
        for (int g = 0; g < 4; g++) {
            put(block, 8 * (4 + g), 6, scales[g]);
            put(block, 8 * (8 + g), 6, minima[g]);
        }
        for (int g = 4; g < 8; g++) {
            put(block, 8 * (8 + g), 4, scales[g] & 15);
            put(block, 8 * (8 + g) + 4, 4, minima[g] & 15);
            put(block, 8 * g + 6, 2, scales[g] >> 4);
            put(block, 8 * (4 + g) + 6, 2, minima[g] >> 4);
        }
    }

    /// Expected values of a read from a golden file: see `README.md` beside it.
    @ParameterizedTest
    @EnumSource
    void readsWhatAnotherProgramReads(GgufType type) {
        try (Gguf read = Gguf.open(GgufTest.golden())) {
            long[] shape = read.shape(type.name());
            float[] expected =
                    Tensor.of(read.data(type + ".expected"), DType.F32, shape).toFloats();
            float[] actual = new float[expected.length];
            type.dequantize(read.data(type.name()), 0, actual, actual.length);
            assertArrayEquals(expected, actual);
            int columns = (int) shape[1];
            float[] row = new float[columns + 1];
            row[columns] = 7;
            type.dequantize(read.data(type.name()), 2L * columns, row, columns);
            assertArrayEquals(Arrays.copyOfRange(expected, 2 * columns, 3 * columns), Arrays.copyOf(row, columns));
            assertEquals(7, row[columns]);
        }
    }

    @ParameterizedTest
    @EnumSource
    void partsMakeTheSameElements(GgufType type) {
        try (Gguf read = Gguf.open(GgufTest.golden())) {
            MemorySegment data = read.data(type.name());
            int columns = (int) read.shape(type.name())[1];
            if (!type.isQuantized()) {
                assertThrows(IllegalArgumentException.class, () -> type.parts(data, 0, columns));
                return;
            }
            float[] row = new float[columns];
            type.dequantize(data, columns, row, columns);
            GgufParts parts = type.parts(data, columns, columns);
            assertEquals(columns, parts.integers().length);
            assertEquals(columns / parts.group(), parts.scales().length);
            assertEquals(type == GgufType.Q6_K ? 16 : 32, parts.group());
            for (int i = 0; i < columns; i++) {
                assertEquals(row[i], parts.value(i));
                double product = (double) parts.scales()[i / parts.group()] * parts.integers()[i];
                assertEquals(product, (float) product, "a product is exact");
            }
        }
    }

    @Test
    void q8ByHand() {
        byte[] block = new byte[34];
        block[1] = 0x38; // 0.5
        block[2] = 3;
        block[33] = -128;
        float[] expected = new float[32];
        expected[0] = 1.5f;
        expected[31] = -64;
        assertArrayEquals(expected, dequantized(GgufType.Q8_0, block));
    }

    @Test
    void q4ByHand() {
        byte[] block = new byte[18];
        block[1] = 0x40; // 2
        Arrays.fill(block, 2, 18, (byte) 0x88);
        block[2] = (byte) 0xF0;
        block[17] = 0x79;
        float[] expected = new float[32];
        expected[0] = -16;
        expected[16] = 14;
        expected[15] = 2;
        expected[31] = -2;
        assertArrayEquals(expected, dequantized(GgufType.Q4_0, block));
    }

    @Test
    void q4kByHand() {
        byte[] block = new byte[144];
        block[1] = 0x3c; // d = 1
        block[3] = 0x40; // dmin = 2
        block[4] = (byte) 0xC5; // scale 0 is 5, scale 4 has 3 above
        block[8] = 0x43; // minimum 0 is 3, minimum 4 has 1 above
        block[12] = 0x21; // scale 4 has 1 below, minimum 4 has 2 below
        block[16] = (byte) 0x94; // elements 0 and 32
        block[16 + 64] = 0x07; // element 128
        float[] actual = dequantized(GgufType.Q4_K, block);
        assertEquals(5 * 4 - 2 * 3, actual[0]);
        assertEquals(-2 * 3, actual[1]);
        assertEquals(0, actual[32]);
        assertEquals((3 * 16 + 1) * 7 - 2 * (1 * 16 + 2), actual[128]);
        assertEquals(-2 * (1 * 16 + 2), actual[159]);
        assertEquals(0, actual[160]);
    }

    @Test
    void q5kByHand() {
        byte[] block = new byte[176];
        block[1] = 0x3c; // d = 1
        block[4] = 2; // scale 0
        block[5] = 3; // scale 1
        block[16] = 0b11; // elements 0 and 32 have 16 more
        block[17] = 0b10; // element 33 has 16 more
        block[48] = (byte) 0xF1;
        float[] actual = dequantized(GgufType.Q5_K, block);
        assertEquals(2 * 17, actual[0]);
        assertEquals(3 * 31, actual[32]);
        assertEquals(0, actual[1]);
        assertEquals(3 * 16, actual[33]);
    }

    @Test
    void q6kByHand() {
        byte[] block = new byte[210];
        block[209] = 0x3c; // d = 1
        Arrays.fill(block, 192, 208, (byte) 1);
        block[193] = -2; // elements 16 to 31
        block[0] = 0x5F; // elements 0 and 64
        block[128] = 0b00_10_00_11; // above: 3 for element 0, 0 for 32, 2 for 64, 0 for 96
        float[] actual = dequantized(GgufType.Q6_K, block);
        assertEquals(63 - 32, actual[0]);
        assertEquals(-32, actual[1]);
        assertEquals(-2 * -32, actual[16]);
        assertEquals(-32, actual[32]);
        assertEquals(2 * 16 + 5 - 32, actual[64]);
        assertEquals(-32, actual[96]);
        assertEquals(-32, actual[255]);
    }

    @Test
    void everyElementIsWhereTheFormatSays() {
        Rng rng = new Rng(3);
        for (int round = 0; round < 20; round++) {
            int[] q = random(rng.split(4L * round), 256, 64);
            int[] scales = random(rng.split(4L * round + 1), 16, 64);
            int[] minima = random(rng.split(4L * round + 2), 8, 64);
            float d = (1 + rng.below(2L * round, 1000)) / 1024f;
            float dmin = (1 + rng.below(2L * round + 1, 1000)) / 512f;

            byte[] q8 = new byte[34];
            byte[] q4 = new byte[18];
            putHalf(q8, 0, d);
            putHalf(q4, 0, -d);
            for (int i = 0; i < 32; i++) {
                q8[2 + i] = (byte) (2 * q[i] - 64);
                put(q4, 8 * (2 + i % 16) + 4 * (i / 16), 4, q[i] % 16);
            }
            float[] eight = dequantized(GgufType.Q8_0, q8);
            float[] four = dequantized(GgufType.Q4_0, q4);
            for (int i = 0; i < 32; i++) {
                assertEquals(d * (2 * q[i] - 64), eight[i]);
                assertEquals(-d * (q[i] % 16 - 8), four[i]);
            }

            byte[] q4k = new byte[144];
            byte[] q5k = new byte[176];
            byte[] q6k = new byte[210];
            for (byte[] block : new byte[][] {q4k, q5k}) {
                putHalf(block, 0, d);
                putHalf(block, 2, dmin);
                putScales(block, scales, minima);
            }
            putHalf(q6k, 208, d);
            for (int i = 0; i < 16; i++) {
                q6k[192 + i] = (byte) (scales[i] - 32);
            }
            for (int i = 0; i < 256; i++) {
                int nibble = 8 * (i / 64 * 32 + i % 32) + 4 * (i / 32 % 2);
                put(q4k, 8 * 16 + nibble, 4, q[i] % 16);
                put(q5k, 8 * 48 + nibble, 4, q[i] % 16);
                put(q5k, 8 * (16 + i % 32) + i / 32, 1, q[i] / 16 % 2);
                put(q6k, 8 * (i / 128 * 64 + i % 64) + 4 * (i / 64 % 2), 4, q[i] % 16);
                put(q6k, 8 * (128 + i / 128 * 32 + i % 32) + 2 * (i / 32 % 4), 2, q[i] / 16);
            }
            float[] k4 = dequantized(GgufType.Q4_K, q4k);
            float[] k5 = dequantized(GgufType.Q5_K, q5k);
            float[] k6 = dequantized(GgufType.Q6_K, q6k);
            for (int i = 0; i < 256; i++) {
                int g = i / 32;
                assertEquals(d * scales[g] * (q[i] % 16) - dmin * minima[g], k4[i]);
                assertEquals(d * scales[g] * (q[i] % 32) - dmin * minima[g], k5[i]);
                assertEquals(d * (scales[i / 16] - 32) * (q[i] - 32), k6[i]);
            }
        }
    }

    private static int[] random(Rng rng, int count, int bound) {
        return IntStream.range(0, count).map(i -> rng.below(i, bound)).toArray();
    }

    @Test
    void partsOfBlocksAreRefused() {
        MemorySegment data = MemorySegment.ofArray(new byte[2 * 144]);
        float[] values = new float[512];
        GgufType type = GgufType.Q4_K;
        assertThrows(IllegalArgumentException.class, () -> type.dequantize(data, 32, values, 256));
        assertThrows(IllegalArgumentException.class, () -> type.dequantize(data, 0, values, 32));
        assertThrows(IllegalArgumentException.class, () -> type.dequantize(data, -256, values, 256));
        assertThrows(IllegalArgumentException.class, () -> type.parts(data, 0, -256));
        assertThrows(IndexOutOfBoundsException.class, () -> type.dequantize(data, 256, values, 512));
    }

    @Test
    void namesAreThoseOfGgml() {
        for (GgufType type : GgufType.values()) {
            assertEquals(type.name(), GgufType.nameOf(type.id()));
            assertEquals(Optional.of(type), GgufType.of(type.id()));
            assertTrue(GgufType.names().contains(type.name()));
        }
        assertEquals("IQ1_M", GgufType.nameOf(29));
        assertEquals("MXFP4", GgufType.nameOf(39));
        assertEquals("type 4294967295", GgufType.nameOf(-1));
        assertEquals(Optional.empty(), GgufType.of(3));
    }
}
