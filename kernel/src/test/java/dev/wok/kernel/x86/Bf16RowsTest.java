package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
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
            MemorySegment from = arena.allocate(4 + 4L * MOST);
            MemorySegment half = arena.allocate(2 + 2L * MOST);
            MemorySegment back = arena.allocate(4 + 4L * MOST);
            MemorySegment round = arena.allocate(4 + 4L * MOST);
            for (Isa isa : Isa.found(device)) {
                Bf16RowsX86 rows = new Bf16RowsX86(device, isa);
                for (int count = 0; count <= MOST; count++) {
                    Rng rng = new Rng(count);
                    for (int i = 0; i < count; i++) {
                        from.set(ValueLayout.JAVA_INT, 4 + 4L * i, bits(rng, i));
                    }
                    half.fill((byte) 0);
                    rows.narrow(from, 4, count, half, 2);
                    rows.widen(half, 2, count, back, 4);
                    rows.round(from, 4, count, round, 4);
                    for (int i = 0; i < count; i++) {
                        short expected = Bf16.bits(from.get(ValueLayout.JAVA_FLOAT, 4 + 4L * i));
                        String where = "%s, %d of %d".formatted(isa, i, count);
                        assertEquals(expected, half.get(ValueLayout.JAVA_SHORT, 2 + 2L * i), where);
                        assertEquals(expected << 16, back.get(ValueLayout.JAVA_INT, 4 + 4L * i), where);
                        assertEquals(expected << 16, round.get(ValueLayout.JAVA_INT, 4 + 4L * i), where);
                    }
                    for (long at = 2 + 2L * count; at < half.byteSize(); at++) {
                        assertEquals(0, half.get(ValueLayout.JAVA_BYTE, at), "beyond the row's end");
                    }
                }
            }
        }
    }

    @Test
    void whatLiesOutsideIsNotTouched() {
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(400);
            for (Isa isa : Isa.found(device)) {
                Bf16RowsX86 rows = new Bf16RowsX86(device, isa);
                assertThrows(IndexOutOfBoundsException.class, () -> rows.narrow(memory, 4, 100, memory, 0));
                assertThrows(IndexOutOfBoundsException.class, () -> rows.widen(memory, 0, 101, memory, 0));
                assertThrows(
                        IllegalArgumentException.class,
                        () -> rows.round(MemorySegment.ofArray(new float[8]), 0, 8, memory, 0));
            }
        }
    }
}
