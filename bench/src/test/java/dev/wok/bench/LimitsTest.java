package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.bench.Loops.Kind;
import dev.wok.bench.Loops.Products;
import dev.wok.bench.Loops.Traffic;
import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Processor.InstructionSet;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The loops do what they are counted for.
class LimitsTest {
    private static final int ROUNDS = 100;
    private static final List<Mix> MIXES = List.of(Mix.READ, Mix.COPY, Mix.NARROW, Mix.UPDATE, Mix.OPTIMIZE);

    private static List<Loops> all(HostDevice device) {
        List<Loops> loops = new ArrayList<>(List.of(new VectorLoops()));
        for (InstructionSet isa : Processor.describe(device).found()) {
            loops.add(new MachineLoops(device, isa));
        }
        return loops;
    }

    /// Operands are ones, so an accumulator's lane holds the products that were added to it.
    @Test
    void productsAreCounted() {
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            MemorySegment sink = arena.allocate(64, 64);
            for (Loops loops : all(device)) {
                for (Kind kind : Kind.values()) {
                    if (!loops.has(kind)) {
                        continue;
                    }
                    Products products = loops.products(kind);
                    products.run(sink, ROUNDS);
                    double lane = kind == Kind.BYTES
                            ? sink.get(ValueLayout.JAVA_INT, 0)
                            : sink.get(ValueLayout.JAVA_FLOAT, 0);
                    int lanes =
                            Integer.parseInt(products.text().replaceFirst("(?s).*?(\\d+)-bit.*", "$1")) / Float.SIZE;
                    assertEquals(products.operations() * ROUNDS, 2 * 12 * lanes * lane, products.text());
                }
            }
        }
    }

    @Test
    void trafficGoesWhereItIsCounted() {
        int stream = 4 * Traffic.UNIT;
        int distance = stream + 64;
        try (HostDevice device = Device.host(1);
                Arena arena = Arena.ofConfined()) {
            for (Loops loops : all(device)) {
                for (Mix mix : MIXES) {
                    for (Traffic way : loops.traffic(mix)) {
                        MemorySegment memory = arena.allocate(distance * 4L, 64);
                        for (int i = 0; i < mix.reads(); i++) {
                            memory.asSlice(i * distance, stream).fill((byte) 1);
                        }
                        way.run(memory, distance, Traffic.UNIT, 3 * Traffic.UNIT);
                        for (int i = 0; i < mix.streams(); i++) {
                            byte[] expected = new byte[distance];
                            boolean isRead = i < mix.reads();
                            java.util.Arrays.fill(
                                    expected, isRead ? 0 : Traffic.UNIT, isRead ? stream : 3 * Traffic.UNIT, (byte) 1);
                            assertArrayEquals(
                                    expected,
                                    memory.asSlice(i * distance, distance).toArray(ValueLayout.JAVA_BYTE),
                                    "%s, %s, stream %d".formatted(loops.getClass(), mix, i));
                        }
                    }
                }
            }
        }
    }

    @Test
    void whatTheProcessorLacksIsHeldAgainstTheNextSimpler() {
        InstructionSet old = new InstructionSet("avx2", 32, false, false);
        try (HostDevice device = Device.host(1)) {
            Processor processor = Processor.describe(device);
            org.junit.jupiter.api.Assumptions.assumeFalse(processor.found().isEmpty(), "no machine code here");
            Limits limits =
                    Limits.of(device, new Processor("P", List.of(old), java.util.Optional.of(old), "a test"), 1 << 20);
            assertEquals(
                    "float32 multiply-adds in registers (vfmadd231ps, 256-bit), 1 thread",
                    limits.products(Kind.BF16).text());
            assertEquals(
                    "byte products in registers (vpmaddubsw, vpmaddwd, vpaddd, 256-bit), 1 thread",
                    limits.products(Kind.BYTES).text());
            assertFalse(limits.has(Kind.BF16));
            for (Mix mix : MIXES) {
                assertTrue(limits.memory(mix).measure() > 0);
            }
        }
    }
}
