package dev.wok.kernel.x86;

import static dev.wok.emit.Imm.imm;
import static dev.wok.emit.Mask.K1;
import static dev.wok.emit.Op.*;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;
import static dev.wok.emit.Vec.xmm;
import static dev.wok.emit.Vec.ymm;
import static dev.wok.emit.Vec.zmm;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.emit.Mem;
import dev.wok.emit.Op;
import dev.wok.emit.Vec;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Instructions whose meaning kernels lean on, run and compared with plain Java.
class InstructionsTest {
    private static final int ROUNDS = 50;

    private final Rng rng = Seeds.rng("instructions");
    private long drawn;

    /// Little-endian memory of 64 bytes.
    private static ByteBuffer memory() {
        return ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
    }

    private ByteBuffer random() {
        ByteBuffer memory = memory();
        for (int i = 0; i < 64; i += 8) {
            memory.putLong(i, rng.bits(drawn++));
        }
        return memory;
    }

    private static ByteBuffer of(Consumer<ByteBuffer> filler) {
        ByteBuffer memory = memory();
        filler.accept(memory);
        return memory;
    }

    /// Loads three inputs into registers 0 to 2, runs an instruction, and stores register 0.
    private static ByteBuffer run(IntFunction<Vec> width, ByteBuffer a, ByteBuffer b, ByteBuffer c, Runs code) {
        byte[] result = Machine.run(
                x -> {
                    Mem[] places = {Mem.at(RDI), Mem.at(RSI), Mem.at(RDX)};
                    for (int i = 0; i < 3; i++) {
                        x.op(VMOVUPS, width.apply(i), places[i]);
                    }
                    code.write(x);
                    x.op(VMOVUPS, Mem.at(RCX), width.apply(0));
                },
                3,
                a.array(),
                b.array(),
                c.array(),
                new byte[64]);
        return ByteBuffer.wrap(result).order(ByteOrder.LITTLE_ENDIAN);
    }

    private interface Runs {
        void write(dev.wok.emit.X86 x);
    }

    private static float bf16(ByteBuffer memory, int i) {
        return Float.intBitsToFloat(memory.getShort(2 * i) << 16);
    }

    private static byte saturated8(int value) {
        return (byte) Math.clamp(value, Byte.MIN_VALUE, Byte.MAX_VALUE);
    }

    private static short saturated16(int value) {
        return (short) Math.clamp(value, Short.MIN_VALUE, Short.MAX_VALUE);
    }

    // ---------------------------------------------------------------------------------------------- dot products

    /// Small integers are exact in bf16, and so is their sum.
    @Test
    void dotProductsOfBf16Pairs() {
        Machine.assume(Isa.AVX512_BF16);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer sums = of(m -> fill(m, 16, i -> m.putFloat(4 * i, rng.below(drawn++, 1000) - 500)));
            ByteBuffer a = of(m -> fill(m, 32, i -> m.putShort(2 * i, integer())));
            ByteBuffer b = of(m -> fill(m, 32, i -> m.putShort(2 * i, integer())));
            ByteBuffer given = run(Vec::zmm, sums, a, b, x -> x.op(VDPBF16PS, zmm(0), zmm(1), zmm(2)));
            for (int i = 0; i < 16; i++) {
                float expected = sums.getFloat(4 * i)
                        + bf16(a, 2 * i) * bf16(b, 2 * i)
                        + bf16(a, 2 * i + 1) * bf16(b, 2 * i + 1);
                assertEquals(expected, given.getFloat(4 * i));
            }
        }
    }

    private short integer() {
        return (short) (Float.floatToIntBits(rng.below(drawn++, 255) - 127) >>> 16);
    }

    private static void fill(ByteBuffer memory, int count, java.util.function.IntConsumer put) {
        assertTrue(memory.capacity() % count == 0);
        for (int i = 0; i < count; i++) {
            put.accept(i);
        }
    }

    /// The products are exact; the sum is rounded at most after each.
    @Test
    void dotProductsOfBf16PairsRoundToFloat32() {
        Machine.assume(Isa.AVX512_BF16);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer sums = of(m -> fill(m, 16, i -> m.putFloat(4 * i, (float) rng.normal(drawn++))));
            ByteBuffer a = of(m -> fill(m, 32, i -> m.putShort(2 * i, normalBf16())));
            ByteBuffer b = of(m -> fill(m, 32, i -> m.putShort(2 * i, normalBf16())));
            ByteBuffer given = run(Vec::zmm, sums, a, b, x -> x.op(VDPBF16PS, zmm(0), zmm(1), zmm(2)));
            for (int i = 0; i < 16; i++) {
                double sum = sums.getFloat(4 * i);
                double low = (double) bf16(a, 2 * i) * bf16(b, 2 * i);
                double high = (double) bf16(a, 2 * i + 1) * bf16(b, 2 * i + 1);
                double bound = 0x1p-23 * (Math.abs(sum) + Math.abs(low) + Math.abs(high));
                assertEquals(sum + low + high, given.getFloat(4 * i), bound);
            }
        }
    }

    private short normalBf16() {
        return (short) (Float.floatToIntBits((float) rng.normal(drawn++)) >>> 16);
    }

    @ParameterizedTest
    @EnumSource(
            value = Isa.class,
            names = {"AVX2_VNNI", "AVX512_BF16"})
    void dotProductsOfBytes(Isa isa) {
        Machine.assume(isa);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer sums = random();
            ByteBuffer a = random();
            ByteBuffer b = random();
            IntFunction<Vec> width = n -> new Vec(n, isa.bytes(), 0, false);
            ByteBuffer given =
                    run(width, sums, a, b, x -> x.op(VPDPBUSD, width.apply(0), width.apply(1), width.apply(2)));
            for (int i = 0; i < isa.lanes(); i++) {
                int expected = sums.getInt(4 * i);
                for (int j = 4 * i; j < 4 * i + 4; j++) {
                    expected += Byte.toUnsignedInt(a.get(j)) * b.get(j);
                }
                assertEquals(expected, given.getInt(4 * i));
            }
        }
    }

    /// The way to byte dot products where there is no instruction for them.
    @Test
    void productsOfBytesInPairs() {
        Machine.assume(Isa.AVX2);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer a = random();
            ByteBuffer b = random();
            ByteBuffer given = run(Vec::ymm, memory(), a, b, x -> x.op(VPMADDUBSW, ymm(0), ymm(1), ymm(2)));
            ByteBuffer signed = run(Vec::ymm, memory(), a, b, x -> x.op(VPSIGNB, ymm(0), ymm(1), ymm(2)));
            ByteBuffer words = run(Vec::ymm, memory(), a, b, x -> x.op(VPMADDWD, ymm(0), ymm(1), ymm(2)));
            for (int i = 0; i < 16; i++) {
                int sum = Byte.toUnsignedInt(a.get(2 * i)) * b.get(2 * i)
                        + Byte.toUnsignedInt(a.get(2 * i + 1)) * b.get(2 * i + 1);
                assertEquals(saturated16(sum), given.getShort(2 * i));
            }
            for (int i = 0; i < 32; i++) {
                assertEquals((byte) (a.get(i) * Integer.signum(b.get(i))), signed.get(i));
            }
            for (int i = 0; i < 8; i++) {
                int sum = a.getShort(4 * i) * b.getShort(4 * i) + a.getShort(4 * i + 2) * b.getShort(4 * i + 2);
                assertEquals(sum, words.getInt(4 * i));
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- moves

    @Test
    void maskedLoadsAndStores() {
        Machine.assume(Isa.AVX512);
        for (int round = 0; round < ROUNDS; round++) {
            int mask = (int) rng.bits(drawn++) & 0xFFFF;
            ByteBuffer a = random();
            ByteBuffer b = random();
            ByteBuffer merged = run(Vec::zmm, a, b, memory(), x -> {
                x.mov(RDI, mask);
                x.op(KMOVW, K1, RDI);
                x.op(VMOVUPS, zmm(0).under(K1), Mem.at(RSI));
            });
            ByteBuffer zeroed = run(Vec::zmm, a, b, memory(), x -> {
                x.mov(RDI, mask);
                x.op(KMOVW, K1, RDI);
                x.op(VMOVDQU32, zmm(0).zeroed(K1), Mem.at(RSI));
            });
            ByteBuffer stored = run(Vec::zmm, a, b, memory(), x -> {
                x.mov(RDI, mask);
                x.op(KMOVW, K1, RDI);
                x.op(VMOVUPS, Mem.at(RSI).under(K1), zmm(0));
                x.op(VMOVUPS, zmm(0), Mem.at(RSI));
            });
            for (int i = 0; i < 16; i++) {
                boolean on = (mask >> i & 1) == 1;
                assertEquals(on ? b.getInt(4 * i) : a.getInt(4 * i), merged.getInt(4 * i));
                assertEquals(on ? b.getInt(4 * i) : 0, zeroed.getInt(4 * i));
                assertEquals(on ? a.getInt(4 * i) : b.getInt(4 * i), stored.getInt(4 * i));
            }
        }
    }

    @Test
    void loadsUnderAVectorOfSigns() {
        Machine.assume(Isa.AVX2);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer signs = random();
            ByteBuffer b = random();
            ByteBuffer loaded = run(Vec::ymm, memory(), signs, b, x -> x.op(VMASKMOVPS, ymm(0), ymm(1), Mem.at(RDX)));
            ByteBuffer stored = run(Vec::ymm, memory(), signs, b, x -> {
                x.op(VMASKMOVPS, Mem.at(RDI), ymm(1), ymm(2));
                x.op(VMOVUPS, ymm(0), Mem.at(RDI));
            });
            for (int i = 0; i < 8; i++) {
                int expected = signs.getInt(4 * i) < 0 ? b.getInt(4 * i) : 0;
                assertEquals(expected, loaded.getInt(4 * i));
                assertEquals(expected, stored.getInt(4 * i));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Isa.class,
            names = {"AVX2", "AVX512"})
    void broadcastsOfEverySize(Isa isa) {
        Machine.assume(isa);
        ByteBuffer a = random();
        Op[] ops = {VPBROADCASTB, VPBROADCASTW, VPBROADCASTD, VPBROADCASTQ, VBROADCASTSS, VBROADCASTSD};
        int[] sizes = {1, 2, 4, 8, 4, 8};
        IntFunction<Vec> width = n -> new Vec(n, isa.bytes(), 0, false);
        for (int k = 0; k < ops.length; k++) {
            Op op = ops[k];
            ByteBuffer register = run(width, memory(), a, memory(), x -> x.op(op, width.apply(0), xmm(1)));
            ByteBuffer loaded = run(width, memory(), a, memory(), x -> x.op(op, width.apply(0), Mem.at(RSI, 8)));
            for (int i = 0; i < isa.bytes(); i++) {
                assertEquals(a.get(i % sizes[k]), register.get(i), op.toString());
                assertEquals(a.get(8 + i % sizes[k]), loaded.get(i), op.toString());
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- conversions

    @ParameterizedTest
    @EnumSource(
            value = Isa.class,
            names = {"AVX2", "AVX512"})
    void bytesAndWordsWiden(Isa isa) {
        Machine.assume(isa);
        ByteBuffer a = random();
        IntFunction<Vec> width = n -> new Vec(n, isa.bytes(), 0, false);
        ByteBuffer signed = run(width, memory(), a, memory(), x -> x.op(VPMOVSXBD, width.apply(0), xmm(1)));
        ByteBuffer unsigned = run(width, memory(), a, memory(), x -> x.op(VPMOVZXBD, width.apply(0), Mem.at(RSI)));
        ByteBuffer words = run(width, memory(), a, memory(), x -> x.op(VPMOVSXWD, width.apply(0), Mem.at(RSI)));
        for (int i = 0; i < isa.lanes(); i++) {
            assertEquals(a.get(i), signed.getInt(4 * i));
            assertEquals(Byte.toUnsignedInt(a.get(i)), unsigned.getInt(4 * i));
            assertEquals(a.getShort(2 * i), words.getInt(4 * i));
        }
    }

    @Test
    void integersNarrow() {
        Machine.assume(Isa.AVX512);
        ByteBuffer a = of(m -> fill(m, 16, i -> m.putInt(4 * i, (int) rng.bits(drawn++) >> 2 * i)));
        ByteBuffer cut = run(Vec::zmm, memory(), a, memory(), x -> x.op(VPMOVDB, xmm(0), zmm(1)));
        ByteBuffer saturated = run(Vec::zmm, memory(), a, memory(), x -> x.op(VPMOVSDB, xmm(0), zmm(1)));
        for (int i = 0; i < 16; i++) {
            assertEquals((byte) a.getInt(4 * i), cut.get(i));
            assertEquals(saturated8(a.getInt(4 * i)), saturated.get(i));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Isa.class,
            names = {"AVX2", "AVX512"})
    void halfPrecision(Isa isa) {
        Machine.assume(isa);
        IntFunction<Vec> width = n -> new Vec(n, isa.bytes(), 0, false);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer a = random();
            ByteBuffer b = of(m -> fill(m, 16, i -> m.putFloat(4 * i, (float) rng.normal(drawn++))));
            ByteBuffer wide = run(width, memory(), a, memory(), x -> x.op(VCVTPH2PS, width.apply(0), Mem.at(RSI)));
            ByteBuffer narrow = run(width, memory(), b, memory(), x -> {
                x.op(VCVTPS2PH, width.apply(0).as(isa.bytes() / 2), width.apply(1), imm(0));
            });
            for (int i = 0; i < isa.lanes(); i++) {
                assertEquals(Float.float16ToFloat(a.getShort(2 * i)), wide.getFloat(4 * i));
                assertEquals(Float.floatToFloat16(b.getFloat(4 * i)), narrow.getShort(2 * i));
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- the rest

    @Test
    void wordsAreTakenFromTwoTables() {
        Machine.assume(Isa.AVX512);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer low = random();
            ByteBuffer index = random();
            ByteBuffer high = random();
            ByteBuffer two = run(Vec::zmm, low, index, high, x -> x.op(VPERMT2W, zmm(0), zmm(1), zmm(2)));
            ByteBuffer one = run(Vec::zmm, low, index, high, x -> x.op(VPERMW, zmm(0), zmm(1), zmm(2)));
            for (int i = 0; i < 32; i++) {
                int from = index.getShort(2 * i) & 63;
                assertEquals((from < 32 ? low : high).getShort(2 * (from & 31)), two.getShort(2 * i));
                assertEquals(high.getShort(2 * (from & 31)), one.getShort(2 * i));
            }
        }
    }

    @Test
    void powersOfTwoScale() {
        Machine.assume(Isa.AVX512);
        float[] values = {1, -1.5f, 3, 1e-3f, 0, -0f, Float.MIN_NORMAL, Float.MAX_VALUE};
        for (int exponent = -160; exponent <= 160; exponent++) {
            float power = exponent;
            ByteBuffer a = of(m -> fill(m, 16, i -> m.putFloat(4 * i, values[i % values.length])));
            ByteBuffer n = of(m -> fill(m, 16, i -> m.putFloat(4 * i, power)));
            ByteBuffer given = run(Vec::zmm, memory(), a, n, x -> x.op(VSCALEFPS, zmm(0), zmm(1), zmm(2)));
            for (int i = 0; i < 16; i++) {
                assertEquals(Math.scalb(values[i % values.length], exponent), given.getFloat(4 * i));
            }
        }
    }

    @Test
    void threeOperandLogic() {
        Machine.assume(Isa.AVX512);
        ByteBuffer a = random();
        ByteBuffer b = random();
        ByteBuffer c = random();
        for (int table = 0; table < 256; table += 17) {
            int truth = table;
            ByteBuffer given = run(Vec::zmm, a, b, c, x -> x.op(VPTERNLOGD, zmm(0), zmm(1), zmm(2), imm(truth)));
            for (int i = 0; i < 512; i++) {
                int row = bit(a, i) << 2 | bit(b, i) << 1 | bit(c, i);
                assertEquals(truth >> row & 1, bit(given, i));
            }
        }
    }

    private static int bit(ByteBuffer memory, int i) {
        return memory.get(i / 8) >> i % 8 & 1;
    }

    /// These have no VEX form.
    @Test
    void shiftsOfMemory() {
        Machine.assume(Isa.AVX512);
        ByteBuffer a = random();
        ByteBuffer given = run(Vec::ymm, memory(), a, memory(), x -> x.op(VPSRAD, ymm(0), Mem.at(RSI), imm(7)));
        for (int i = 0; i < 8; i++) {
            assertEquals(a.getInt(4 * i) >> 7, given.getInt(4 * i));
        }
    }
}
