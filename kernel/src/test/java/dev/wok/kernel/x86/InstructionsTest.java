package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Mask.K2;
import static dev.wok.emit.x86.Mask.K3;
import static dev.wok.emit.x86.Mask.K4;
import static dev.wok.emit.x86.Op.*;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static dev.wok.emit.x86.Vec.xmm;
import static dev.wok.emit.x86.Vec.ymm;
import static dev.wok.emit.x86.Vec.zmm;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Imm;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Op;
import dev.wok.emit.x86.Operand;
import dev.wok.emit.x86.Vec;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Instructions whose meaning kernels lean on, run and compared with plain Java.
@ParameterizedClass
@EnumSource(Machine.class)
class InstructionsTest {
    private static final int ROUNDS = 50;

    private final Machine machine;

    private final Rng rng = Seeds.rng("instructions");
    private long drawn;

    InstructionsTest(Machine machine) {
        this.machine = machine;
    }

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
    private ByteBuffer run(IntFunction<Vec> width, ByteBuffer a, ByteBuffer b, ByteBuffer c, Runs code) {
        byte[] result = machine.run(
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
        void write(dev.wok.emit.x86.X86 x);
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
        machine.assume(Isa.AVX512_BF16);
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
        machine.assume(Isa.AVX512_BF16);
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
        machine.assume(isa);
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
        machine.assume(Isa.AVX2);
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
        machine.assume(Isa.AVX512);
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
        machine.assume(Isa.AVX2);
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
        machine.assume(isa);
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
        machine.assume(isa);
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
        machine.assume(Isa.AVX512);
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
        machine.assume(isa);
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
        machine.assume(Isa.AVX512);
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
        machine.assume(Isa.AVX512);
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
        machine.assume(Isa.AVX512);
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
        machine.assume(Isa.AVX512);
        ByteBuffer a = random();
        ByteBuffer given = run(Vec::ymm, memory(), a, memory(), x -> x.op(VPSRAD, ymm(0), Mem.at(RSI), imm(7)));
        for (int i = 0; i < 8; i++) {
            assertEquals(a.getInt(4 * i) >> 7, given.getInt(4 * i));
        }
    }

    // ---------------------------------------------------------------------------------------------- AVX-512 alone

    @Test
    void lanesAreTakenFromTwoTables() {
        machine.assume(Isa.AVX512);
        for (Op op : new Op[] {VPERMT2D, VPERMT2PS}) {
            ByteBuffer low = random();
            ByteBuffer index = random();
            ByteBuffer high = random();
            ByteBuffer given = run(Vec::zmm, low, index, high, x -> x.op(op, zmm(0), zmm(1), zmm(2)));
            for (int i = 0; i < 16; i++) {
                int from = index.getInt(4 * i) & 31;
                assertEquals((from < 16 ? low : high).getInt(4 * (from & 15)), given.getInt(4 * i));
            }
        }
        ByteBuffer index = random();
        ByteBuffer table = random();
        ByteBuffer given = run(Vec::zmm, memory(), index, table, x -> x.op(VPERMPS, zmm(0), zmm(1), zmm(2)));
        for (int i = 0; i < 16; i++) {
            assertEquals(table.getInt(4 * (index.getInt(4 * i) & 15)), given.getInt(4 * i));
        }
    }

    @Test
    void quartersAndHalves() {
        machine.assume(Isa.AVX512);
        ByteBuffer a = random();
        ByteBuffer b = random();
        for (int choice = 0; choice < 256; choice += 5) {
            int n = choice;
            ByteBuffer shuffled = run(Vec::zmm, memory(), a, b, x -> x.op(VSHUFF32X4, zmm(0), zmm(1), zmm(2), imm(n)));
            ByteBuffer quarter = run(Vec::zmm, memory(), a, b, x -> x.op(VEXTRACTF32X4, xmm(0), zmm(1), imm(n)));
            ByteBuffer half = run(Vec::zmm, memory(), a, b, x -> x.op(VEXTRACTF64X4, ymm(0), zmm(1), imm(n)));
            ByteBuffer four = run(Vec::zmm, memory(), a, b, x -> x.op(VINSERTF32X4, zmm(0), zmm(1), xmm(2), imm(n)));
            ByteBuffer two = run(Vec::zmm, memory(), a, b, x -> x.op(VINSERTF64X4, zmm(0), zmm(1), ymm(2), imm(n)));
            for (int i = 0; i < 64; i++) {
                int from = 16 * (n >> i / 16 * 2 & 3) + i % 16;
                assertEquals((i < 32 ? a : b).get(from), shuffled.get(i));
                assertEquals(i < 16 ? a.get(16 * (n & 3) + i) : 0, quarter.get(i));
                assertEquals(i < 32 ? a.get(32 * (n & 1) + i) : 0, half.get(i));
                assertEquals(i / 16 == (n & 3) ? b.get(i % 16) : a.get(i), four.get(i));
                assertEquals(i / 32 == (n & 1) ? b.get(i % 32) : a.get(i), two.get(i));
            }
        }
    }

    /// Runs a comparison and gives the mask that it leaves.
    private int mask(ByteBuffer a, ByteBuffer b, Op op, Imm... predicate) {
        return run(Vec::zmm, memory(), a, b, x -> {
                    Operand[] operands = {K1, zmm(1), zmm(2)};
                    x.op(
                            op,
                            Stream.concat(Arrays.stream(operands), Arrays.stream(predicate))
                                    .toArray(Operand[]::new));
                    x.op(KMOVW_R, RSI, K1);
                    x.op(VMOVD, xmm(0), RSI);
                })
                .getInt(0);
    }

    @Test
    void comparisonsMakeMasks() {
        machine.assume(Isa.AVX512);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer a = of(m -> fill(m, 16, i -> m.putInt(4 * i, rng.below(drawn++, 5) - 2)));
            ByteBuffer b = of(m -> fill(m, 16, i -> m.putInt(4 * i, rng.below(drawn++, 5) - 2)));
            int[] given = new int[8];
            Arrays.setAll(given, predicate -> mask(a, b, VPCMPD, imm(predicate)));
            int equal = mask(a, b, VPCMPEQD);
            int greater = mask(a, b, VPCMPGTD);
            for (int i = 0; i < 16; i++) {
                int left = a.getInt(4 * i);
                int right = b.getInt(4 * i);
                boolean[] expected = {
                    left == right, left < right, left <= right, false, left != right, left >= right, left > right, true
                };
                for (int predicate = 0; predicate < 8; predicate++) {
                    assertEquals(expected[predicate], (given[predicate] >> i & 1) == 1);
                }
                assertEquals(left == right, (equal >> i & 1) == 1);
                assertEquals(left > right, (greater >> i & 1) == 1);
            }
        }
    }

    @Test
    void floatsAreComparedInAllWays() {
        machine.assume(Isa.AVX512);
        float[] values = {0, -0f, 1, -1, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 2};
        ByteBuffer a = of(m -> fill(m, 16, i -> m.putFloat(4 * i, values[i % 8])));
        for (int shift = 0; shift < 8; shift++) {
            int by = shift;
            ByteBuffer b = of(m -> fill(m, 16, i -> m.putFloat(4 * i, values[(i + by) % 8])));
            for (int predicate = 0; predicate < 32; predicate++) {
                int given = mask(a, b, VCMPPS, imm(predicate));
                for (int i = 0; i < 16; i++) {
                    float x = values[i % 8];
                    float y = values[(i + by) % 8];
                    boolean none = Float.isNaN(x) || Float.isNaN(y);
                    boolean[] expected = {
                        x == y,
                        x < y,
                        x <= y,
                        none,
                        x != y,
                        !(x < y),
                        !(x <= y),
                        !none,
                        x == y || none,
                        !(x >= y),
                        !(x > y),
                        false,
                        x != y && !none,
                        x >= y,
                        x > y,
                        true
                    };
                    assertEquals(expected[predicate % 16], (given >> i & 1) == 1, x + " " + predicate + " " + y);
                }
            }
        }
    }

    @Test
    void kindsOfFloatsAreTold() {
        machine.assume(Isa.AVX512);
        int[] bits = {
            0x7fc00000,
            0,
            0x80000000,
            0x7f800000,
            0xff800000,
            1,
            0xbf800000,
            0x7f800001,
            0x807fffff,
            0x3f800000,
            0x00800000
        };
        int[] kinds = {1, 2, 4, 8, 16, 32, 64, 128, 32 | 64, 0, 0};
        ByteBuffer a = of(m -> fill(m, 16, i -> m.putInt(4 * i, bits[i % bits.length])));
        for (int kind = 0; kind < 256; kind++) {
            int asked = kind;
            ByteBuffer given = run(Vec::zmm, a, a, memory(), x -> {
                x.op(VFPCLASSPS, K1, zmm(0), imm(asked));
                x.op(KMOVW_R, RDI, K1);
                x.op(VPBROADCASTD_R, zmm(0), RDI);
            });
            for (int i = 0; i < 16; i++) {
                boolean expected = (kinds[i % bits.length] & asked) != 0;
                assertEquals(expected, (given.getInt(0) >> i & 1) == 1, i + " of " + kind);
            }
        }
    }

    @Test
    void masksAreMovedAndCombined() {
        machine.assume(Isa.AVX512);
        for (int round = 0; round < ROUNDS; round++) {
            int a = (int) rng.bits(drawn++);
            int b = round == 0 ? -1 : (int) rng.bits(drawn++);
            ByteBuffer given = run(Vec::zmm, memory(), memory(), memory(), x -> {
                x.mov(RDI, a);
                x.mov(RSI, b);
                x.op(KMOVD, K1, RDI);
                x.op(KMOVD, K2, RSI);
                x.op(KANDW, K3, K1, K2);
                x.op(KNOTW, K4, K1);
                x.op(KMOVW_R, RDI, K3);
                x.op(KMOVW_R, RSI, K4);
                x.op(KORTESTW, K4, K1);
                x.mov(RDX, 0);
                x.mov(R8, 1);
                x.cmov(Condition.BELOW, RDX, R8);
                x.op(KORTESTW, K3, K3);
                x.cmov(Condition.EQUAL, RDX, R8);
                x.op(VPBROADCASTD_R, zmm(0), RDI);
                x.op(KMOVW, K1, R8);
                x.op(VPBROADCASTD_R, zmm(0).under(K1), RSI);
                x.op(KMOVQ, K1, R8);
                x.op(VMOVDQU16, zmm(0).under(K1), zmm(0));
                x.op(VMOVD, xmm(1), RDX);
                x.op(VPBROADCASTD, zmm(1), xmm(1));
                x.mov(R8, 4);
                x.op(KMOVW, K1, R8);
                x.op(VBLENDMPS, zmm(0).under(K1), zmm(0), zmm(1));
            });
            assertEquals(~a & 0xFFFF, given.getInt(0));
            assertEquals(a & b & 0xFFFF, given.getInt(4));
            assertEquals(1, given.getInt(8));
            assertEquals(a & b & 0xFFFF, given.getInt(12));
        }
    }

    @Test
    void bytesAndWordsMoveUnderMasks() {
        machine.assume(Isa.AVX512);
        for (int round = 0; round < ROUNDS; round++) {
            int mask = (int) rng.bits(drawn++);
            ByteBuffer a = random();
            ByteBuffer b = random();
            ByteBuffer words = run(Vec::zmm, a, b, memory(), x -> {
                x.mov(RDI, mask);
                x.op(KMOVD, K1, RDI);
                x.op(VMOVDQU16, zmm(0).zeroed(K1), Mem.at(RSI));
            });
            ByteBuffer bytes = run(Vec::zmm, a, b, memory(), x -> {
                x.mov(RDI, mask);
                x.op(KMOVD, K1, RDI);
                x.op(VMOVDQU8, Mem.at(RSI).under(K1), zmm(0));
                x.op(VMOVUPS, zmm(0), Mem.at(RSI));
            });
            ByteBuffer narrow = run(Vec::zmm, a, b, memory(), x -> {
                x.mov(RDI, mask);
                x.op(KMOVW, K1, RDI);
                x.op(VPMOVDW, Mem.at(RSI).under(K1), zmm(0));
                x.op(VMOVUPS, zmm(0), Mem.at(RSI));
            });
            for (int i = 0; i < 32; i++) {
                boolean on = (mask >> i & 1) == 1;
                assertEquals(on ? b.getShort(2 * i) : 0, words.getShort(2 * i));
                assertEquals((on ? a : b).get(i), bytes.get(i));
                boolean narrowed = i < 16 && on;
                assertEquals(narrowed ? (short) a.getInt(4 * i) : b.getShort(2 * i), narrow.getShort(2 * i));
            }
        }
    }

    /// `x - floor(x)`, rounded down.
    @Test
    void fractions() {
        machine.assume(Isa.AVX512);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer a = of(m -> fill(m, 16, i -> m.putFloat(4 * i, (float) (rng.normal(drawn++) * (1 << 2 * i)))));
            ByteBuffer given = run(Vec::zmm, memory(), a, memory(), x -> x.op(VREDUCEPS, zmm(0), zmm(1), imm(9)));
            for (int i = 0; i < 16; i++) {
                double exact = a.getFloat(4 * i) - Math.floor(a.getFloat(4 * i));
                float nearest = exact == 0 ? -0f : (float) exact;
                assertEquals(nearest > exact ? Math.nextDown(nearest) : nearest, given.getFloat(4 * i));
            }
        }
        float[] values = {0, -0f, 3, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -1e-30f, 1e-30f, Float.NaN};
        float[] expected = {-0f, -0f, -0f, 0, 0, Math.nextDown(1f), 1e-30f, Float.NaN};
        ByteBuffer a = of(m -> fill(m, 16, i -> m.putFloat(4 * i, values[i % 8])));
        ByteBuffer given = run(Vec::zmm, memory(), a, memory(), x -> x.op(VREDUCEPS, zmm(0), zmm(1), imm(9)));
        for (int i = 0; i < 16; i++) {
            assertEquals(expected[i % 8], given.getFloat(4 * i));
        }
    }

    @Test
    void twoVectorsBecomeBf16() {
        machine.assume(Isa.AVX512_BF16);
        for (int round = 0; round < ROUNDS; round++) {
            ByteBuffer a = of(m -> fill(m, 16, i -> m.putFloat(4 * i, (float) rng.normal(drawn++))));
            ByteBuffer b = of(m -> fill(m, 16, i -> m.putFloat(4 * i, (float) rng.normal(drawn++))));
            ByteBuffer given = run(Vec::zmm, memory(), a, b, x -> x.op(VCVTNE2PS2BF16, zmm(0), zmm(1), zmm(2)));
            for (int i = 0; i < 32; i++) {
                float value = (i < 16 ? b : a).getFloat(4 * (i % 16));
                assertEquals(Bf16.round(value), bf16(given, i));
            }
        }
    }
}
