package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.RowSums;
import dev.wok.kernel.WeightedRows;
import dev.wok.kernel.host.HostRowSums;
import dev.wok.tensor.Rng;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class RowSumsTest {
    private static final int MOST = 150;
    private static final int EXPONENT = 0x7f800000;
    private static final float[] WEIGHTS = {1, 0.3f, -0f, -1.5f, 0x1p-140f, 0x1p100f, Float.POSITIVE_INFINITY, Float.NaN
    };

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    /// Rows of any bits; one in four has no exponent or all of it: denormal numbers, infinities, NaN.
    private static int bits(Rng rng, int i) {
        int any = rng.below(2L * i, Integer.MAX_VALUE) << 1 | i & 1;
        return switch (rng.below(2L * i + 1, 8)) {
            case 0 -> any & ~EXPONENT;
            case 1 -> any | EXPONENT;
            default -> any;
        };
    }

    private static void fill(MemorySegment memory, Rng rng) {
        for (int i = 0; i < memory.byteSize() / Integer.BYTES; i++) {
            memory.set(INT, 4L * i, bits(rng, i));
        }
    }

    @Test
    void everyInstructionSetAddsAsTheDefinitionDoes() {
        RowSums defined = new HostRowSums();
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate(8 + 4L * MOST, 64).asSlice(2);
            MemorySegment y = arena.allocate(8 + 4L * MOST, 64).asSlice(1);
            MemorySegment expected = arena.allocate(y.byteSize());
            for (Isa isa : Isa.found(device)) {
                RowSums sums = new RowSumsX86(device, isa);
                for (int count = 0; count <= MOST; count++) {
                    float weight = WEIGHTS[count % WEIGHTS.length];
                    fill(row, new Rng(count));
                    fill(y, new Rng(~count));
                    expected.copyFrom(y);
                    sums.add(weight, row, 4, count, y, 4);
                    defined.add(weight, row, 4, count, expected, 4);
                    assertSame(expected, y, "%s, %d float32 by %s".formatted(isa, count, weight));
                    sums.addBf16(weight, row, 2, count, y, 4);
                    defined.addBf16(weight, row, 2, count, expected, 4);
                    assertSame(expected, y, "%s, %d bfloat16 by %s".formatted(isa, count, weight));
                }
            }
        }
    }

    @Test
    void sumsPastTheCachesAndInPlace() {
        RowSums defined = new HostRowSums();
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment a = arena.allocate(8 + 4L * MOST, 64);
            MemorySegment b = arena.allocate(8 + 4L * MOST, 64);
            MemorySegment to = arena.allocate(8 + 4L * MOST, 64);
            MemorySegment expected = arena.allocate(8 + 4L * MOST);
            fill(a, new Rng(1));
            for (Isa isa : Isa.found(device)) {
                RowSums sums = new RowSumsX86(device, isa);
                for (int count = 0; count <= MOST; count++) {
                    fill(b, new Rng(count));
                    to.fill((byte) 0);
                    expected.fill((byte) 0);
                    int at = count % 3 == 0 ? 0 : 4;
                    defined.sum(a, 4, b, 8, count, expected, at, false);
                    sums.sum(a, 4, b, 8, count, to, at, count % 2 == 0);
                    assertSame(expected, to, "%s, %d".formatted(isa, count));
                    expected.copyFrom(b);
                    defined.sum(a, 4, b, 0, count, expected, 0, false);
                    sums.sum(a, 4, b, 0, count, b, 0, count % 2 == 0);
                    assertSame(expected, b, "%s, %d in place".formatted(isa, count));
                }
            }
        }
    }

    /// No rows at all, one, and more than one, in any order, whatever is read after them.
    @Test
    void everyInstructionSetSumsRowsAsTheDefinitionDoes() {
        RowSums defined = new HostRowSums();
        WeightedRows rows = new WeightedRows();
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(8 + 9 * 4L * MOST, 64).asSlice(4);
            MemorySegment to = arena.allocate(8 + 4L * MOST, 64).asSlice(2);
            MemorySegment expected = arena.allocate(to.byteSize());
            fill(memory, new Rng(7));
            for (Isa isa : Isa.found(device)) {
                RowSums sums = new RowSumsX86(device, isa);
                for (int count = 0; count <= MOST; count++) {
                    rows.clear();
                    for (int row = 0; row < count % 10; row++) {
                        int which = new Rng(count).below(row, 9);
                        rows.add(which * 4L * (MOST - 1), WEIGHTS[(count + row) % 4]);
                        if (row % 2 == 1) {
                            rows.onward(row, (9 - which) * 4L * (MOST - 1), 4L * count);
                        }
                    }
                    fill(to, new Rng(~count));
                    expected.copyFrom(to);
                    sums.sum(memory, 4, rows, count, to, 4);
                    defined.sum(memory, 4, rows, count, expected, 4);
                    assertSame(expected, to, "%s, %d of %d rows".formatted(isa, count, rows.size()));
                }
            }
        }
    }

    @Test
    void aSumBeginsAtZero() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocateFrom(FLOAT, -0f, 3, 5, 1 + 0x1p-12f);
            MemorySegment to = arena.allocateFrom(FLOAT, Float.NaN, 7);
            WeightedRows rows = new WeightedRows();
            rows.add(0, 1);
            new HostRowSums().sum(memory, 0, rows, 2, to, 0);
            assertEquals(Float.floatToIntBits(0f), Float.floatToIntBits(to.get(FLOAT, 0)));
            assertEquals(3, to.get(FLOAT, 4));
            rows.add(4, -2);
            new HostRowSums().sum(memory, 4, rows, 2, to, 0);
            assertEquals(3 - 2 * 5, to.get(FLOAT, 0));
            assertEquals(5 - 2 * (1 + 0x1p-12f), to.get(FLOAT, 4));
        }
    }

    /// To the last bit, but for those of what is no number.
    private static void assertSame(MemorySegment expected, MemorySegment given, String where) {
        for (int i = 0; i < expected.byteSize() / Float.BYTES; i++) {
            int one = Float.floatToIntBits(expected.get(FLOAT, 4L * i));
            int other = Float.floatToIntBits(given.get(FLOAT, 4L * i));
            if (one != other) {
                assertEquals(Integer.toHexString(one), Integer.toHexString(other), where + " at " + i);
            }
        }
    }

    @Test
    void theDefinitionRoundsOnce() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocateFrom(FLOAT, 1 + 0x1p-12f, 3);
            MemorySegment y = arena.allocateFrom(FLOAT, -1, 4);
            new HostRowSums().add(1 + 0x1p-12f, row, 0, 2, y, 0);
            // The product alone would be rounded to 1 + 0x1p-11.
            assertEquals(0x1p-11f + 0x1p-24f, y.get(FLOAT, 0));
            assertEquals(7 + 3 * 0x1p-12f, y.get(FLOAT, 4));
            MemorySegment halves = arena.allocateFrom(SHORT, (short) 0x3fc0);
            new HostRowSums().addBf16(2, halves, 0, 1, y, 4);
            assertEquals(10 + 3 * 0x1p-12f, y.get(FLOAT, 4));
        }
    }

    @Test
    void whatLiesOutsideIsNotTouched() {
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(400);
            for (Isa isa : Isa.found(device)) {
                RowSums sums = new RowSumsX86(device, isa);
                assertThrows(IndexOutOfBoundsException.class, () -> sums.add(1, memory, 4, 100, memory, 0));
                assertThrows(IndexOutOfBoundsException.class, () -> sums.addBf16(1, memory, 0, 101, memory, 0));
                assertThrows(
                        IndexOutOfBoundsException.class, () -> sums.sum(memory, 0, memory, 4, 100, memory, 0, false));
                assertThrows(
                        IndexOutOfBoundsException.class, () -> sums.sum(memory, 0, memory, 0, 100, memory, 4, true));
                WeightedRows rows = new WeightedRows();
                rows.add(4, 1);
                assertThrows(IndexOutOfBoundsException.class, () -> sums.sum(memory, 0, rows, 100, memory, 0));
                assertThrows(IndexOutOfBoundsException.class, () -> sums.sum(memory, -4, rows, 100, memory, 4));
                assertThrows(
                        IllegalArgumentException.class,
                        () -> sums.add(1, MemorySegment.ofArray(new float[8]), 0, 8, memory, 0));
            }
        }
    }
}
