package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VMOVSS;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static dev.wok.emit.x86.Vec.xmm;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.GuardedMemory;
import dev.wok.device.GuardedMemory.Flush;
import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LanesTest {
    private static final float INFINITY = Float.POSITIVE_INFINITY;

    private final Arena arena = Arena.ofConfined();
    private final Rng rng = Seeds.rng("lanes");

    @AfterEach
    void close() {
        arena.close();
    }

    private static Program load(Isa isa, Consumer<Lanes> code) {
        return Machine.of(isa).load(x -> code.accept(new Lanes(x, isa)));
    }

    private interface OnVector {
        /// Works on `v(0)`; registers 1 to 3 are free.
        void write(Lanes lanes);
    }

    /// Applies a function to every element, by whole vectors and a tail.
    private float[] map(Isa isa, OnVector function, float... values) {
        Program program = load(
                isa,
                lanes -> lanes.each(RAX, RDX, RCX, () -> {
                    lanes.load(lanes.v(0), Mem.at(RDI, RAX, 4, 0));
                    function.write(lanes);
                    lanes.store(Mem.at(RSI, RAX, 4, 0), lanes.v(0));
                }));
        MemorySegment in = arena.allocateFrom(JAVA_FLOAT, values);
        MemorySegment out = arena.allocate(4L * values.length, 4);
        program.call(in.address(), out.address(), values.length);
        return out.toArray(JAVA_FLOAT);
    }

    // ---------------------------------------------------------------------------------------------- loops

    @ParameterizedTest
    @EnumSource(Isa.class)
    void loopsTouchEveryElementOnce(Isa isa) {
        for (int copies = 1; copies <= 4; copies++) {
            for (Reg temporary : new Reg[] {RAX, RCX}) {
                int times = copies;
                Program program = load(isa, lanes -> {
                    Reg index = R8;
                    lanes.each(index, RDX, temporary, times, copy -> {
                        int ahead = 4 * copy * lanes.count();
                        lanes.load(lanes.v(copy), Mem.at(RDI, index, 4, ahead));
                        lanes.add(lanes.v(copy), lanes.v(copy), lanes.c(1f));
                        lanes.store(Mem.at(RSI, index, 4, ahead), lanes.v(copy));
                    });
                    lanes.x.mov(Mem.at(Reg.R9), RDX);
                });
                for (int n = 0; n <= 150; n++) {
                    assertAddsOne(program, n);
                }
            }
        }
    }

    private void assertAddsOne(Program program, int n) {
        MemorySegment kept = arena.allocate(8, 8);
        for (Flush flush : Flush.values()) {
            try (GuardedMemory memory = new GuardedMemory()) {
                MemorySegment in = memory.allocate(4L * n, flush);
                MemorySegment out = memory.allocate(4L * n, flush);
                for (int i = 0; i < n; i++) {
                    in.setAtIndex(JAVA_FLOAT, i, 10 * i);
                }
                program.call(in.address(), out.address(), n, 0, 0, kept.address());
                for (int i = 0; i < n; i++) {
                    assertEquals(10 * i + 1, out.getAtIndex(JAVA_FLOAT, i), "element " + i + " of " + n);
                }
            }
        }
        assertEquals(n, kept.get(JAVA_LONG, 0), "n is kept");
        MemorySegment in = arena.allocate(4L * (n + 40), 4);
        MemorySegment out = arena.allocate(4L * (n + 40), 4);
        program.call(in.address(), out.address(), n, 0, 0, kept.address());
        for (int i = 0; i < n + 40; i++) {
            assertEquals(i < n ? 1 : 0, out.getAtIndex(JAVA_FLOAT, i), "element " + i + " of " + n);
        }
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void lanesThatDoNotExistAreZeroOrFilled(Isa isa) {
        for (boolean filled : new boolean[] {false, true}) {
            Program program = load(
                    isa,
                    lanes -> lanes.inTail(RDX, () -> {
                        lanes.load(lanes.v(0), Mem.at(RDI));
                        if (filled) {
                            lanes.fillTail(lanes.v(0), -3f, lanes.v(1));
                        }
                        lanes.x.op(VMOVUPS, Mem.at(RSI), lanes.v(0));
                    }));
            for (int left = 0; left <= isa.lanes(); left++) {
                float[] values = new float[isa.lanes()];
                for (int i = 0; i < values.length; i++) {
                    values[i] = i + 1;
                }
                MemorySegment out = arena.allocate(isa.bytes(), 4);
                program.call(arena.allocateFrom(JAVA_FLOAT, values).address(), out.address(), left);
                for (int i = 0; i < values.length; i++) {
                    float absent = filled ? -3 : 0;
                    assertEquals(i < left ? i + 1 : absent, out.getAtIndex(JAVA_FLOAT, i), i + " of " + left);
                }
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- reductions

    private interface OnTwo {
        void write(Lanes lanes, Vec value, Vec temporary);
    }

    private float reduce(Program program, float... lanes) {
        MemorySegment out = arena.allocate(4, 4);
        program.call(arena.allocateFrom(JAVA_FLOAT, lanes).address(), out.address());
        return out.get(JAVA_FLOAT, 0);
    }

    private static Program reduction(Isa isa, OnTwo reduction) {
        return load(isa, lanes -> {
            lanes.load(lanes.v(3), Mem.at(RDI));
            reduction.write(lanes, lanes.v(3), lanes.v(5));
            lanes.x.op(VMOVSS, Mem.at(RSI), xmm(3));
        });
    }

    private float[] normals(int round, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) rng.normal((long) round * count + i);
        }
        return values;
    }

    /// Halves added pairwise.
    @ParameterizedTest
    @EnumSource(Isa.class)
    void sumsHaveAFixedOrder(Isa isa) {
        Program program = reduction(isa, Lanes::sum);
        for (int round = 0; round < 500; round++) {
            float[] lanes = normals(round, isa.lanes());
            float sum = reduce(program, lanes);
            for (int half = lanes.length / 2; half > 0; half /= 2) {
                for (int i = 0; i < half; i++) {
                    lanes[i] += lanes[i + half];
                }
            }
            assertEquals(lanes[0], sum);
        }
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void largestOfAllLanes(Isa isa) {
        Program program = reduction(isa, Lanes::largest);
        for (int i = 0; i < isa.lanes(); i++) {
            float[] lanes = new float[isa.lanes()];
            Arrays.fill(lanes, -3);
            lanes[i] = -1;
            assertEquals(-1, reduce(program, lanes));
        }
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void theSecondIsTheMaximumWhereOneIsNoNumber(Isa isa) {
        float[] values = {Float.NaN, 1, 5};
        assertArray(new float[] {3, 3, 5}, map(isa, l -> l.max(l.v(0), l.v(0), l.c(3f)), values));
        assertArray(
                new float[] {Float.NaN, 3, 5},
                map(
                        isa,
                        l -> {
                            l.broadcast(l.v(1), 3f);
                            l.max(l.v(0), l.v(1), l.v(0));
                        },
                        values));
    }

    private static void assertArray(float[] expected, float[] given) {
        assertEquals(Arrays.toString(expected), Arrays.toString(given));
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void broadcasts(Isa isa) {
        for (float value : new float[] {0, -0f, 1.5f, INFINITY}) {
            float[] expected = new float[isa.lanes() + 1];
            Arrays.fill(expected, value);
            assertArray(expected, map(isa, l -> l.broadcast(l.v(0), value), new float[expected.length]));
            assertArray(
                    expected,
                    map(
                            isa,
                            l -> {
                                l.x.mov(R8, Float.floatToRawIntBits(value));
                                l.broadcast(l.v(0), R8);
                            },
                            new float[expected.length]));
        }
    }

    // ---------------------------------------------------------------------------------------------- exponentials

    private static void exp(Lanes lanes) {
        lanes.exp(lanes.v(0), lanes.v(1), lanes.v(2));
    }

    private static void sigmoid(Lanes lanes) {
        lanes.sigmoid(lanes.v(0), lanes.v(1), lanes.v(2));
    }

    /// Floats of every sign and magnitude, infinities and NaN among them.
    private static float[] everywhere() {
        int stride = 2003;
        float[] values = new float[(int) ((1L << 32) / stride)];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(i * stride);
        }
        return values;
    }

    /// Floats in even steps over an interval.
    private static float[] between(float from, float to) {
        float[] values = new float[1_000_001];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (from + (to - (double) from) * i / (values.length - 1));
        }
        return values;
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void exponentials(Isa isa) {
        for (float[] x : new float[][] {everywhere(), between(-87.3f, 88.72f), between(-105, -87.3f)}) {
            float[] y = map(isa, LanesTest::exp, x);
            double worst = 0;
            for (int i = 0; i < x.length; i++) {
                double exact = Math.exp(x[i]);
                if (Float.isNaN(x[i])) {
                    assertTrue(Float.isNaN(y[i]), "exp(NaN) is " + y[i]);
                } else if (exact > Float.MAX_VALUE) {
                    assertEquals(INFINITY, y[i], "exp(" + x[i] + ")");
                } else if (x[i] > -87.3f) {
                    worst = Math.max(worst, Math.abs(y[i] / exact - 1));
                } else {
                    assertEquals(exact, y[i], Float.MIN_VALUE + 1.5e-7 * exact, "exp(" + x[i] + ")");
                }
            }
            assertTrue(worst < 1.5e-7, "relative error " + worst);
        }
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void exponentialsAtTheEdges(Isa isa) {
        float[] x = {0f, -0f, INFINITY, -INFINITY, 88.8f, 89f, 1e30f, -104f, -1e30f, Float.MIN_VALUE, -Float.MIN_VALUE};
        float[] expected = {1, 1, INFINITY, 0, INFINITY, INFINITY, INFINITY, 0, 0, 1, 1};
        assertArray(expected, map(isa, LanesTest::exp, x));
        float[] nans = {Float.NaN, Float.intBitsToFloat(0xFFC12345), Float.intBitsToFloat(0x7F812345)};
        for (float y : map(isa, LanesTest::exp, nans)) {
            assertTrue(Float.isNaN(y), "exp of what is no number is " + y);
        }
        for (float y : map(isa, LanesTest::sigmoid, nans)) {
            assertTrue(Float.isNaN(y), "sigmoid of what is no number is " + y);
        }
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void sigmoids(Isa isa) {
        for (float[] x : new float[][] {everywhere(), between(-100, 30)}) {
            float[] y = map(isa, LanesTest::sigmoid, x);
            for (int i = 0; i < x.length; i++) {
                if (!Float.isNaN(x[i])) {
                    double exact = 1 / (1 + Math.exp(-x[i]));
                    assertEquals(exact, y[i], 3e-7 * exact + Float.MIN_NORMAL, "sigmoid(" + x[i] + ")");
                }
            }
        }
        assertArray(new float[] {0.5f, 1, 0}, map(isa, LanesTest::sigmoid, 0, INFINITY, -INFINITY));
    }

    // ---------------------------------------------------------------------------------------------- bf16

    /// Bit patterns at random, and at the edges: zeros, denormals, ties, the largest, infinities, payloads.
    private int[] patterns() {
        int[] edges = {
            0,
            1,
            0x7FFF,
            0x8000,
            0x8001,
            0x18000,
            0x7FFFFF,
            0x800000,
            0x808000,
            0x818000,
            0x3F808000,
            0x3F808001,
            0x3F807FFF,
            0x3F818000,
            0x7F7F7FFF,
            0x7F7F8000,
            0x7F7FFFFF,
            0x7F800000,
            0x7F800001,
            0x7F80FFFF,
            0x7FBFFFFF,
            0x7FC00000,
            0x7FC00001,
            0x7FFFFFFF
        };
        int[] all = new int[1 << 16];
        for (int i = 0; i < all.length; i++) {
            int random = (int) rng.bits(i);
            // Every other one lies halfway between two bf16 numbers, or beside that.
            all[i] = (i & 1) == 0 ? random : random & 0xFFFF0000 | 0x7FFF + rng.below(i, 3);
        }
        for (int i = 0; i < edges.length; i++) {
            all[2 * i] = edges[i];
            all[2 * i + 1] = edges[i] | 1 << 31;
        }
        return all;
    }

    /// @return the bits that a bf16 tensor stores for a float
    private static short rounded(Tensor bf16, int bits) {
        bf16.set(0, Float.intBitsToFloat(bits));
        return bf16.memory().get(JAVA_SHORT, 0);
    }

    private static boolean isDenormal(int bits) {
        return (bits & 0x7F800000) == 0 && (bits & 0x7FFFFF) != 0;
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void roundsToBf16AsTensorsDo(Isa isa) {
        Program program = load(
                isa,
                lanes -> lanes.each(RAX, RDX, RCX, () -> {
                    lanes.load(lanes.v(0), Mem.at(RDI, RAX, 4, 0));
                    lanes.roundToBf16(lanes.v(0), lanes.v(1), lanes.v(2));
                    lanes.store(Mem.at(RSI, RAX, 4, 0), lanes.v(0));
                }));
        int[] patterns = patterns();
        MemorySegment out = arena.allocate(4L * patterns.length, 4);
        program.call(arena.allocateFrom(JAVA_INT, patterns).address(), out.address(), patterns.length);
        Tensor one = Tensor.of(arena.allocate(2, 64), DType.BF16, 1);
        for (int i = 0; i < patterns.length; i++) {
            assertEquals(
                    "%08x".formatted(rounded(one, patterns[i]) << 16),
                    "%08x".formatted(out.getAtIndex(JAVA_INT, i)),
                    "%08x".formatted(patterns[i]));
        }
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void packsBf16AsTensorsDo(Isa isa) {
        Program program = load(
                isa,
                lanes -> lanes.each(RAX, RDX, RCX, () -> {
                    lanes.load(lanes.v(4), Mem.at(RDI, RAX, 4, 0));
                    lanes.toBf16(lanes.v(0), lanes.v(4), lanes.v(1), lanes.v(2));
                    lanes.x.op(VMOVUPS, Mem.at(RSI, RAX, 2, 0), lanes.v(0).as(isa.bytes() / 2));
                }));
        int[] patterns = patterns();
        MemorySegment out = arena.allocate(2L * patterns.length, 4);
        program.call(arena.allocateFrom(JAVA_INT, patterns).address(), out.address(), patterns.length);
        Tensor one = Tensor.of(arena.allocate(2, 64), DType.BF16, 1);
        int denormals = 0;
        for (int i = 0; i < patterns.length; i++) {
            int bits = patterns[i];
            // The instruction takes denormal numbers for zero.
            boolean flushed = isa.hasBf16() && isDenormal(bits);
            denormals += isDenormal(bits) ? 1 : 0;
            short expected = flushed ? (short) (bits >>> 16 & 0x8000) : rounded(one, bits);
            assertEquals(
                    "%04x".formatted(expected),
                    "%04x".formatted(out.getAtIndex(JAVA_SHORT, i)),
                    "%08x".formatted(bits));
        }
        assertTrue(denormals > 100, denormals + " denormal numbers");
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void everyBf16Widens(Isa isa) {
        Program program = load(
                isa,
                lanes -> lanes.each(RAX, RDX, RCX, () -> {
                    lanes.fromBf16(lanes.v(0), Mem.at(RDI, RAX, 2, 0));
                    lanes.x.op(VMOVUPS, lanes.v(1).as(isa.bytes() / 2), Mem.at(RDI, RAX, 2, 0));
                    lanes.fromBf16(lanes.v(1), lanes.v(1));
                    lanes.store(Mem.at(RSI, RAX, 4, 0), lanes.v(0));
                    lanes.store(Mem.at(R8, RAX, 4, 0), lanes.v(1));
                }));
        MemorySegment in = arena.allocate(2 << 16, 64);
        for (int i = 0; i < 1 << 16; i++) {
            in.setAtIndex(JAVA_SHORT, i, (short) i);
        }
        MemorySegment fromMemory = arena.allocate(4 << 16, 64);
        MemorySegment fromRegister = arena.allocate(4 << 16, 64);
        program.call(in.address(), fromMemory.address(), 1 << 16, 0, fromRegister.address());
        for (int i = 0; i < 1 << 16; i++) {
            assertEquals(i << 16, fromMemory.getAtIndex(JAVA_INT, i));
            assertEquals(i << 16, fromRegister.getAtIndex(JAVA_INT, i));
        }
    }
}
