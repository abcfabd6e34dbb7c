package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.E4m3Rows;
import dev.wok.kernel.host.HostE4m3Rows;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Rng;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class E4m3RowsTest {
    private static final int GROUP = E4m3Rows.GROUP;
    private static final int NAN_CODE = 0x7f;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final E4m3Rows DEFINED = new HostE4m3Rows();

    private interface Check {
        void of(Isa isa, E4m3Rows rows);
    }

    private static void eachInstructionSet(Check check) {
        try (HostDevice device = Device.host(1)) {
            Isa.found(device).forEach(isa -> check.of(isa, new E4m3RowsX86(device, isa)));
        }
    }

    /// Codes and scales at odd places.
    private static MemorySegment encoded(E4m3Rows rows, Arena arena, float[] values) {
        int scales = E4m3Rows.groups(values.length) * Float.BYTES;
        MemorySegment from = arena.allocate(Float.BYTES + (long) Float.BYTES * values.length);
        MemorySegment.copy(values, 0, from, FLOAT, Float.BYTES, values.length);
        MemorySegment to = arena.allocate(1L + scales + values.length + 3);
        rows.encode(from, Float.BYTES, values.length, to, 1, 1L + scales);
        for (long at = to.byteSize() - 3; at < to.byteSize(); at++) {
            assertEquals(0, to.get(BYTE, at), "beyond the row's end");
        }
        return to;
    }

    private static void assertEncodesAsDefined(float[] values) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment expected = encoded(DEFINED, arena, values);
            eachInstructionSet((isa, rows) -> {
                MemorySegment given = encoded(rows, arena, values);
                long apart = expected.mismatch(given);
                long value = apart - 1 - (long) E4m3Rows.groups(values.length) * Float.BYTES;
                assertEquals(
                        -1,
                        apart,
                        () -> "%s differs at byte %d, %s"
                                .formatted(isa, apart, value < 0 ? "a scale" : values[(int) value]));
            });
        }
    }

    /// A row whose groups all have this scale, the values before the scale is taken off within +-448.
    private static float[] scaled(float scale, float[] values) {
        float[] row = new float[Math.ceilDiv(values.length, GROUP - 1) * GROUP];
        Arrays.fill(row, 0);
        for (int i = 0, at = 0; i < values.length; i++, at++) {
            if (at % GROUP == 0) {
                row[at++] = E4m3.MAX * scale;
            }
            row[at] = values[i] * scale;
        }
        return row;
    }

    private static float[] bf16Values() {
        float[] values = new float[1 << Short.SIZE];
        int count = 0;
        for (int bits = 0; bits < values.length; bits++) {
            float value = Float.intBitsToFloat(bits << Short.SIZE);
            if (Math.abs(value) <= E4m3.MAX) {
                values[count++] = value;
            }
        }
        return Arrays.copyOf(values, count);
    }

    /// The middles between neighbours with some float32 on either side.
    private static float[] borders() {
        int near = 3;
        int most = E4m3.bits(E4m3.MAX);
        float[] values = new float[2 * most * (2 * near + 1)];
        int count = 0;
        for (int code = 0; code < most; code++) {
            float middle = (E4m3.value((byte) code) + E4m3.value((byte) (code + 1))) / 2;
            for (int step = -near; step <= near; step++) {
                float value = Float.intBitsToFloat(Float.floatToRawIntBits(middle) + step);
                values[count++] = value;
                values[count++] = -value;
            }
        }
        return values;
    }

    @Test
    void theDefinitionRoundsAsE4m3Does() {
        try (Arena arena = Arena.ofConfined()) {
            float[] row = scaled(1, borders());
            MemorySegment codes = encoded(DEFINED, arena, row);
            long at = 1L + (long) Float.BYTES * row.length / GROUP;
            for (int i = 0; i < row.length; i++) {
                assertEquals(E4m3.bits(row[i]), codes.get(BYTE, at + i), "of " + row[i]);
            }
        }
    }

    @Test
    void everyValueOfBf16AndEveryBorder() {
        for (float scale : new float[] {1, 0x1p-100f, 0x1p100f, Float.MIN_NORMAL}) {
            assertEncodesAsDefined(scaled(scale, bf16Values()));
            assertEncodesAsDefined(scaled(scale, borders()));
        }
    }

    @Test
    void quotientsThatAreRounded() {
        Rng rng = new Rng(5);
        float[] borders = borders();
        for (int round = 0; round < 40; round++) {
            float size = Float.intBitsToFloat(rng.below(~round, 254 << 23));
            float[] row = new float[3 * GROUP];
            for (int i = 0; i < row.length; i++) {
                row[i] = (rng.below((long) round * row.length + i, 1 << 24) - (1 << 23)) * 0x1p-23f * size;
            }
            assertEncodesAsDefined(row);
            for (int i = 0; i < row.length; i++) {
                row[i] = borders[rng.below((long) round * row.length + i, borders.length)] * (size / E4m3.MAX);
            }
            assertEncodesAsDefined(row);
        }
    }

    @Test
    void spoiledGroupsSpoilNoOthers() {
        for (int bits : new int[] {0x7f800000, 0xff800000, 0x7f800001, 0xffc12345}) {
            for (int at : new int[] {0, 127, 128, 300, 390}) {
                float[] row = new float[3 * GROUP + 17];
                for (int i = 0; i < row.length; i++) {
                    row[i] = i - 50;
                }
                row[at] = Float.intBitsToFloat(bits);
                assertEncodesAsDefined(row);
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment codes = encoded(DEFINED, arena, row);
                    for (int i = 0; i < row.length; i++) {
                        boolean isNaN = codes.get(BYTE, 1L + 4 * Float.BYTES + i) == NAN_CODE;
                        assertEquals(i / GROUP == at / GROUP, isNaN, "%d where %d is spoiled".formatted(i, at));
                    }
                }
            }
        }
    }

    @Test
    void allLengths() {
        Rng rng = new Rng(9);
        for (int count = 0; count < 2 * GROUP + 3; count++) {
            float[] row = new float[count];
            for (int i = 0; i < count; i++) {
                row[i] = rng.below((long) count * GROUP * 3 + i, 2001) - 1000;
            }
            assertEncodesAsDefined(row);
        }
    }

    @Test
    void everyCodeOfEveryScale() {
        float[] scales = {1, -3.7f, 0x1p-126f, 0x1p-149f, 0x1p120f, Float.POSITIVE_INFINITY, Float.NaN, 0};
        int count = scales.length * 256 + 57;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = arena.allocate(1L + count + (2L * scales.length + 1) * Float.BYTES);
            for (int i = 0; i < count; i++) {
                from.set(BYTE, 1L + i, (byte) i);
            }
            for (int i = 0; i <= 2 * scales.length; i++) {
                from.set(FLOAT, 1L + count + (long) Float.BYTES * i, scales[i / 2 % scales.length]);
            }
            eachInstructionSet((isa, rows) -> {
                MemorySegment to = arena.allocate(1L + (long) Float.BYTES * count);
                rows.decode(from, 1L + count, 1, count, to, 1);
                for (int i = 0; i < count; i++) {
                    float expected = E4m3.value((byte) i) * scales[i / 256 % scales.length];
                    float given = to.get(FLOAT, 1L + (long) Float.BYTES * i);
                    assertEquals(
                            Float.floatToIntBits(expected),
                            Float.floatToIntBits(given),
                            "%s, code %d: %s".formatted(isa, i & 0xff, given));
                }
            });
        }
    }

    @Test
    void whatLiesOutsideIsNotTouched() {
        MemorySegment heap = MemorySegment.ofArray(new float[GROUP]);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(4L * GROUP);
            eachInstructionSet((isa, rows) -> {
                assertThrows(IndexOutOfBoundsException.class, () -> rows.encode(memory, 4, GROUP, memory, 0, 4));
                assertThrows(IndexOutOfBoundsException.class, () -> rows.encode(memory, 0, GROUP, memory, 0, 400));
                assertThrows(IndexOutOfBoundsException.class, () -> rows.encode(memory, 0, GROUP, memory, 510, 0));
                assertThrows(IndexOutOfBoundsException.class, () -> rows.decode(memory, 0, 400, GROUP, memory, 0));
                assertThrows(IndexOutOfBoundsException.class, () -> rows.decode(memory, 510, 0, GROUP, memory, 0));
                assertThrows(IllegalArgumentException.class, () -> rows.encode(heap, 0, GROUP, memory, 0, 4));
                assertThrows(
                        IllegalArgumentException.class, () -> rows.decode(memory, 0, 4, GROUP, memory.asReadOnly(), 0));
            });
        }
    }

    @Test
    void groupsOfARow() {
        assertTrue(IntStream.of(1, 127, 128).allMatch(count -> E4m3Rows.groups(count) == 1));
        assertEquals(2, E4m3Rows.groups(129));
        assertEquals(0, E4m3Rows.groups(0));
    }
}
