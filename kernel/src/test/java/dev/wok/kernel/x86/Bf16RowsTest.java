package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.RowSums;
import dev.wok.kernel.WeightedRows;
import dev.wok.kernel.host.HostRowSums;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.Rng;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class Bf16RowsTest {
    private static final int MOST = 150;
    private static final int EXPONENT = 0x7f800000;

    /// Rows of any bits; one in four has no exponent or all of it: denormal numbers, infinities, NaN.
    private static int bits(Rng rng, int i) {
        int any = rng.below(2L * i, Integer.MAX_VALUE) << 1 | i & 1;
        return switch (rng.below(2L * i + 1, 8)) {
            case 0 -> any & ~EXPONENT;
            case 1 -> any | EXPONENT;
            default -> any;
        };
    }

    @Test
    void everyInstructionSetRoundsAsTheDefinitionDoes() {
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            for (Isa isa : Isa.found(device)) {
                Bf16RowsX86 rows = new Bf16RowsX86(device, isa);
                for (int count = 0; count <= MOST; count++) {
                    assertRounds(rows, arena, count, 2, false, isa.toString());
                    assertRounds(rows, arena, count, 2, true, isa + " past the caches, unaligned");
                    assertRounds(rows, arena, count, 64, true, isa + " past the caches");
                }
            }
        }
    }

    /// @param gap bytes before the row of bfloat16, twice as many before those of float32
    private static void assertRounds(Bf16RowsX86 rows, Arena arena, int count, int gap, boolean past, String what) {
        MemorySegment from = arena.allocate(4 + 4L * count);
        MemorySegment half = arena.allocate(gap + 2L * MOST, 64);
        MemorySegment back = arena.allocate(2 * gap + 4L * count, 64);
        MemorySegment round = arena.allocate(2 * gap + 4L * count, 64);
        Rng rng = new Rng(count);
        for (int i = 0; i < count; i++) {
            from.set(ValueLayout.JAVA_INT, 4 + 4L * i, bits(rng, i));
        }
        rows.narrow(from, 4, count, half, gap, past);
        rows.widen(half, gap, count, back, 2L * gap, past);
        rows.round(from, 4, count, round, 2L * gap, past);
        for (int i = 0; i < count; i++) {
            short expected = Bf16.bits(from.get(ValueLayout.JAVA_FLOAT, 4 + 4L * i));
            String where = "%s, %d of %d".formatted(what, i, count);
            assertEquals(expected, half.get(ValueLayout.JAVA_SHORT, gap + 2L * i), where);
            assertEquals(expected << 16, back.get(ValueLayout.JAVA_INT, 2L * gap + 4L * i), where);
            assertEquals(expected << 16, round.get(ValueLayout.JAVA_INT, 2L * gap + 4L * i), where);
        }
        for (long at = gap + 2L * count; at < half.byteSize(); at++) {
            assertEquals(0, half.get(ValueLayout.JAVA_BYTE, at), "beyond the row's end");
        }
    }

    /// Rows of any bits, or of numbers that are not small.
    @Test
    void everyInstructionSetSumsAsTheDefinitionDoes() {
        RowSums defined = new HostRowSums();
        WeightedRows rows = new WeightedRows();
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(4 + 9 * 4L * MOST);
            MemorySegment sum = arena.allocate(4L * MOST);
            for (Isa isa : Isa.found(device)) {
                Bf16RowsX86 halves = new Bf16RowsX86(device, isa);
                for (int i = 0; i < 2 * (MOST + 1); i++) {
                    int count = i / 2;
                    boolean isPlain = i % 2 == 0;
                    for (int j = 0; j < 9 * MOST; j++) {
                        Rng rng = new Rng(i);
                        memory.set(
                                ValueLayout.JAVA_INT,
                                4 + 4L * j,
                                isPlain ? Float.floatToRawIntBits(rng.below(j, 1000) + 0.3f) : bits(rng, j));
                    }
                    rows.clear();
                    for (int row = 0; row <= count % 9; row++) {
                        rows.add(row * 4L * MOST, row == 3 ? 1 : 0.1f + row);
                    }
                    assertEquals(isa.hasMasks() || count % isa.lanes() == 0, halves.sums(count));
                    if (!halves.sums(count)) {
                        continue;
                    }
                    defined.sum(memory, 4, rows, count, sum, 0);
                    for (int gap : new int[] {2, 64}) {
                        MemorySegment to = arena.allocate(gap + 2L * MOST, 64);
                        halves.sum(memory, 4, rows, count, to, gap, i % 4 < 2);
                        halves.fence();
                        for (int j = 0; j < MOST; j++) {
                            assertSame(
                                    j < count ? Bf16.bits(sum.get(ValueLayout.JAVA_FLOAT, 4L * j)) : (short) 0,
                                    to.get(ValueLayout.JAVA_SHORT, gap + 2L * j),
                                    "%s, %d of %d".formatted(isa, j, count));
                        }
                    }
                }
            }
        }
    }

    /// What is no number is none, whatever its bits: those of a sum of several depend on their order.
    private static void assertSame(short expected, short given, String where) {
        if (Float.isNaN(Bf16.value(expected))) {
            assertTrue(Float.isNaN(Bf16.value(given)), where);
        } else {
            assertEquals(expected, given, where);
        }
    }

    @Test
    void whatLiesOutsideIsNotTouched() {
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(400);
            for (Isa isa : Isa.found(device)) {
                Bf16RowsX86 rows = new Bf16RowsX86(device, isa);
                assertThrows(IndexOutOfBoundsException.class, () -> rows.narrow(memory, 4, 100, memory, 0, false));
                assertThrows(IndexOutOfBoundsException.class, () -> rows.widen(memory, 0, 101, memory, 0, false));
                assertThrows(
                        IllegalArgumentException.class,
                        () -> rows.round(MemorySegment.ofArray(new float[8]), 0, 8, memory, 0, false));
            }
        }
    }
}
