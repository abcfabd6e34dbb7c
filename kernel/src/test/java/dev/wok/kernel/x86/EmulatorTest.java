package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Op.*;
import static dev.wok.emit.x86.Reg.*;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Program;
import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Imm;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mask;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Op;
import dev.wok.emit.x86.Operand;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.x86.Shapes.Shape;
import dev.wok.kernel.x86.emulated.Emulator;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Thrown;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// The emulator against the processor at hand, bit for bit.
class EmulatorTest {
    private static final int PROGRAMS = 6;
    private static final int INPUTS = 12;
    private static final int BLOCKS = 5;

    private static final Set<Op> WITHOUT_MASK = EnumSet.of(VMOVD, VMOVQ, VMOVHLPS, VMOVNTPS);
    /// Tested by themselves.
    private static final Set<Op> OTHERS = EnumSet.of(VUCOMISS, KMOVW, KMOVD, KMOVQ, KMOVW_R, KORTESTW, KNOTW, KANDW);
    private static final Reg[] SOURCES = {RDI, RSI, RDX, RCX};
    private static final int INDEX = 5;

    private final Numbers numbers = new Numbers(Seeds.rng("emulator"));

    /// Writes a program that loads registers from the first four blocks, runs one instruction, and
    /// stores what it wrote in the fifth, or, where its result is memory, in the first.
    private final class Writer {
        private final Shape shape;
        private final X86 x = new X86();
        private final Operand[] operands;
        private final int full;

        Writer(Shape shape) {
            this.shape = shape;
            operands = new Operand[shape.kinds().size()];
            full = shape.evex() ? 64 : 32;
        }

        byte[] write() {
            for (Reg kept : new Reg[] {RBP, R12, R13}) {
                x.push(kept);
            }
            if (shape.evex()) {
                x.mov(R10, Mem.at(RCX, 8));
                x.op(KMOVQ, K1, R10);
            }
            for (int i = 0; i < operands.length; i++) {
                operands[i] = operand(i);
            }
            if (accepts(broadcast()) && numbers.below(2) == 0) {
                operands[operand("m")] = ((Mem) operands[operand("m")]).broadcast();
            }
            x.op(shape.op(), operands);
            switch (operands[0]) {
                case Vec v -> x.op(VMOVUPS, Mem.at(R8), new Vec(v.number(), full, 0, false));
                case Reg r -> x.mov(Mem.at(R8), r);
                case Mask k -> {
                    x.op(KMOVW_R, R10, k);
                    x.mov(Mem.at(R8), R10);
                }
                case Mem _, Imm _ -> {}
            }
            for (Reg kept : new Reg[] {R13, R12, RBP}) {
                x.pop(kept);
            }
            x.vzeroupper();
            x.ret();
            return x.bytes();
        }

        private Operand operand(int i) {
            String kind = shape.kinds().get(i);
            boolean masked = i == 0 && shape.evex() && !WITHOUT_MASK.contains(shape.op()) && numbers.below(3) > 0;
            switch (kind.charAt(0)) {
                case 'i' -> {
                    return Imm.imm(numbers.below(256));
                }
                case 'k' -> {
                    return new Mask(numbers.below(8));
                }
                case 'r' -> {
                    x.mov(R10, Mem.at(SOURCES[i]));
                    return R10;
                }
                case 'm' -> {
                    Mem m = memory(i == 0 ? RDI : RDX, size(kind));
                    return masked ? m.under(K1) : m;
                }
                default -> {
                    int number = numbers.below(shape.evex() ? 32 : 16);
                    x.op(VMOVUPS, new Vec(number, full, 0, false), Mem.at(SOURCES[i]));
                    Vec v = new Vec(number, width(kind), 0, false);
                    return !masked ? v : numbers.below(2) == 0 ? v.zeroed(K1) : v.under(K1);
                }
            }
        }

        private int width(String kind) {
            return switch (kind) {
                case "v" -> shape.bytes();
                case "h" -> Math.max(16, shape.bytes() / 2);
                case "q" -> Math.max(16, shape.bytes() / 4);
                case "y" -> 32;
                default -> 16;
            };
        }

        private int size(String kind) {
            return switch (kind) {
                case "m" -> shape.bytes();
                case "mh" -> shape.bytes() / 2;
                case "mq" -> shape.bytes() / 4;
                default -> Integer.parseInt(kind.substring(1));
            };
        }

        /// @return where a block begins, in one of many ways
        private Mem memory(Reg block, int size) {
            int displacement = size * numbers.of(0, 1, -1, 127, -128, 128, -129) + numbers.of(0, 0, 1);
            int scale = numbers.of(1, 2, 4, 8);
            Reg base = numbers.of(RAX, R9, RBP, R12, R13);
            if (numbers.below(2) == 0) {
                x.lea(base, Mem.at(block, -displacement));
                return Mem.at(base, displacement);
            }
            x.mov(R11, INDEX);
            x.lea(base, Mem.at(block, -displacement - INDEX * scale));
            return Mem.at(base, R11, scale, displacement);
        }

        private int operand(String kind) {
            return shape.kinds().lastIndexOf(kind);
        }

        private Operand[] broadcast() {
            Operand[] changed = operands.clone();
            for (int i = 1; i < changed.length; i++) {
                changed[i] = changed[i] instanceof Mem m ? m.broadcast() : changed[i];
            }
            return changed;
        }

        private boolean accepts(Operand... changed) {
            if (!shape.evex() || operand("m") < 1) {
                return false;
            }
            try {
                new X86().op(shape.op(), changed);
                return true;
            } catch (IllegalArgumentException _) {
                return false;
            }
        }
    }

    private byte[][] blocks() {
        byte[][] blocks = new byte[BLOCKS][];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = numbers.block();
        }
        return blocks;
    }

    @Test
    void vectorInstructions() {
        List<String> faults = new ArrayList<>();
        Set<Op> ops = EnumSet.copyOf(OTHERS);
        int compared = 0;
        for (Shape shape : Shapes.all()) {
            ops.add(shape.op());
            String fault = "";
            for (int i = 0; i < PROGRAMS; i++) {
                Writer writer = new Writer(shape);
                byte[] code = writer.write();
                Program emulated = Machine.EMULATOR.loader(Machine.DEVICE).apply(code);
                boolean runs = Machine.PROCESSOR.runs(shape.isa());
                Program real = runs ? Machine.PROCESSOR.loader(Machine.DEVICE).apply(code) : emulated;
                for (int j = 0; j < INPUTS; j++) {
                    byte[][] blocks = blocks();
                    byte[][] given = Machine.run(emulated, blocks);
                    byte[][] expected = Machine.run(real, blocks);
                    compared += runs ? 1 : 0;
                    if (!Arrays.deepEquals(expected, given) && fault.isEmpty()) {
                        fault = "%s%n%s".formatted(writer.x.listing(), texts(blocks, expected, given));
                    }
                }
            }
            if (!fault.isEmpty()) {
                faults.add(shape + fault);
            }
        }
        assertEquals(EnumSet.allOf(Op.class), ops);
        assertEquals("", String.join("\n", faults), faults.size() + " faults");
        assertTrue(compared > 10_000 || !Machine.PROCESSOR.runs(Isa.AVX2), compared + " compared");
    }

    // ---------------------------------------------------------------------------------------------- without AVX-512

    private static final Set<Op> BYTES = EnumSet.of(VPABSB, VPSHUFB, VPACKSSWB, VPACKUSWB, VPUNPCKLBW, VPUNPCKHBW);
    private static final Set<Op> WORDS =
            EnumSet.of(VPADDW, VPMADDUBSW, VPACKSSDW, VPACKUSDW, VPUNPCKLWD, VPUNPCKHWD, VPSLLW, VPSRLW);
    /// Whose lanes come from beyond 256 bits.
    private static final Set<Op> FAR = EnumSet.of(VPERMPS, VPERMD);

    private static int laneBytes(Op op) {
        boolean isLong = op.name().endsWith("PD") || op == VPERMQ;
        return BYTES.contains(op) ? 1 : WORDS.contains(op) ? 2 : isLong ? 8 : 4;
    }

    /// What the processor computes in 256 bits, the emulator computes twice in 512, under a mask.
    @Test
    void wideInstructionsAreTwoNarrowOnes() {
        List<Shape> shapes = Shapes.all();
        int compared = 0;
        for (Shape shape : shapes) {
            boolean inRegisters = shape.kinds().stream().allMatch(kind -> kind.equals("v") || kind.equals("i"));
            Shape narrow = new Shape(shape.op(), shape.kinds(), 32, false);
            if (shape.bytes() == 64 && inRegisters && shapes.contains(narrow) && !FAR.contains(shape.op())) {
                for (int i = 0; i < INPUTS; i++) {
                    assertTwice(shape, narrow, numbers.below(16), numbers.below(2) == 0);
                    compared++;
                }
            }
        }
        assertTrue(compared > 500, compared + " compared");
    }

    private static byte[] registers(Shape shape, int immediate, boolean masked, boolean zeroing, int element) {
        X86 x = new X86();
        x.mov(R10, Mem.at(RCX));
        if (masked) {
            x.op(KMOVQ, K1, R10);
        }
        Operand[] operands = new Operand[shape.kinds().size()];
        for (int i = 0; i < operands.length; i++) {
            Vec v = new Vec(i, shape.bytes(), 0, false);
            boolean isVector = shape.kinds().get(i).equals("v");
            if (isVector) {
                x.op(VMOVUPS, v, Mem.at(SOURCES[i]));
            }
            operands[i] = isVector ? v : Imm.imm(immediate);
        }
        if (masked) {
            Vec to = Vec.zmm(0);
            operands[0] = zeroing ? to.zeroed(K1) : to.under(K1);
        }
        if (element > 0) {
            int last = shape.kinds().lastIndexOf("v");
            operands[last] = Mem.at(SOURCES[last]).broadcast();
        }
        x.op(shape.op(), operands);
        x.op(VMOVUPS, Mem.at(R8), new Vec(0, shape.bytes(), 0, false));
        x.vzeroupper();
        x.ret();
        return x.bytes();
    }

    private void assertTwice(Shape shape, Shape narrow, int immediate, boolean zeroing) {
        byte[][] blocks = blocks();
        int element = 0;
        int last = shape.kinds().lastIndexOf("v");
        if (last > 0 && numbers.below(2) == 0 && broadcasts(shape.op())) {
            element = Math.max(4, laneBytes(shape.op()));
            for (int i = element; i < 64; i++) {
                blocks[last][i] = blocks[last][i - element];
            }
        }
        byte[] wide = registers(shape, immediate, true, zeroing, element);
        byte[] given = Machine.run(Emulator.load(wide), blocks)[4];
        Program half =
                Machine.of(narrow.isa()).loader(Machine.DEVICE).apply(registers(narrow, immediate, false, false, 0));
        byte[] expected = new byte[64];
        for (int from = 0; from < 64; from += 32) {
            byte[][] halves = new byte[BLOCKS][];
            for (int i = 0; i < BLOCKS; i++) {
                halves[i] = Arrays.copyOfRange(blocks[i], from, from + 32);
            }
            System.arraycopy(Machine.run(half, halves)[4], 0, expected, from, 32);
        }
        long mask = ByteBuffer.wrap(blocks[3]).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        int lane = laneBytes(shape.op());
        for (int i = 0; i < 64; i++) {
            if ((mask >>> i / lane & 1) == 0) {
                expected[i] = zeroing ? 0 : blocks[0][i];
            }
        }
        HexFormat hex = HexFormat.of();
        assertEquals(hex.formatHex(expected), hex.formatHex(given), shape + " with " + immediate);
    }

    private static boolean broadcasts(Op op) {
        try {
            new X86().op(op, Vec.zmm(0), Mem.at(RDX).broadcast());
            return true;
        } catch (IllegalArgumentException e) {
            return String.valueOf(e.getMessage()).contains("expected 3 operands")
                    && !BYTES.contains(op)
                    && !(WORDS.contains(op) && !op.name().startsWith("VPACK"))
                    && op != VPMADDWD;
        }
    }

    // ---------------------------------------------------------------------------------------------- general registers

    private interface OnRegisters {
        /// @param c `rcx`, for counts
        void write(X86 x, Reg to, Reg from, Reg c);
    }

    private static final Condition[] ALL = Condition.values();
    private static final Condition[] WITHOUT_OVERFLOW = {
        Condition.BELOW, Condition.ABOVE_OR_EQUAL, Condition.EQUAL, Condition.NOT_EQUAL,
        Condition.BELOW_OR_EQUAL, Condition.ABOVE, Condition.NEGATIVE, Condition.NOT_NEGATIVE
    };
    private static final Condition[] CARRY = {Condition.BELOW, Condition.ABOVE_OR_EQUAL};

    /// Two registers before and after an instruction, and what it leaves in the flags.
    private void general(Condition[] conditions, OnRegisters instruction) {
        for (int i = 0; i < PROGRAMS; i++) {
            Reg to = numbers.of(RAX, RSI, R9, R11, R13, RBP);
            Reg from = numbers.of(RAX, RSI, R9, R11, R13, RBP);
            X86 x = new X86();
            x.push(R13);
            x.push(RBP);
            x.mov(to, Mem.at(RDI));
            x.mov(from, Mem.at(RDI, 8));
            x.mov(RCX, Mem.at(RDI, 16));
            x.cmp(RCX, Mem.at(RDI, 24));
            instruction.write(x, to, from, RCX);
            x.mov(Mem.at(RDX), to);
            x.mov(Mem.at(RDX, 8), from);
            for (int k = 0; k < conditions.length; k++) {
                x.mov(R8, 0);
                x.mov(R10, 1);
                x.cmov(conditions[k], R8, R10);
                x.mov(Mem.at(RDX, 16 + 8 * k), R8);
                Label over = x.label();
                x.mov(R8, 0);
                x.jump(conditions[k], over);
                x.mov(R8, 1);
                x.bind(over);
                x.mov(Mem.at(RDX, 128 + 8 * k), R8);
            }
            x.pop(RBP);
            x.pop(R13);
            x.ret();
            Program real = Machine.of(Isa.AVX2).loader(Machine.DEVICE).apply(x.bytes());
            Program emulated = Emulator.load(x.bytes());
            for (int j = 0; j < INPUTS; j++) {
                byte[][] blocks = {integers(), new byte[0], new byte[256]};
                byte[] expected = Machine.run(real, blocks)[2];
                assertArrayEquals(expected, Machine.run(emulated, blocks)[2], x::listing);
            }
        }
    }

    private byte[] integers() {
        ByteBuffer block = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        long[] edges = {0, 1, -1, Long.MIN_VALUE, Long.MAX_VALUE, 63, 64, 255, 256, Integer.MIN_VALUE, 1L << 32};
        for (int i = 0; i < 8; i++) {
            block.putLong(8 * i, numbers.below(2) == 0 ? numbers.bits() : edges[numbers.below(edges.length)]);
        }
        return block.array();
    }

    @Test
    void generalInstructions() {
        general(ALL, (x, to, from, _) -> x.mov(to, from));
        general(ALL, (x, to, from, _) -> x.add(to, from));
        general(ALL, (x, to, _, _) -> x.add(to, Mem.at(RDI, 32)));
        general(ALL, (x, to, from, _) -> x.sub(to, from));
        general(ALL, (x, to, from, _) -> x.or(to, from));
        general(ALL, (x, to, from, _) -> x.xor(to, from));
        general(ALL, (x, to, from, _) -> x.cmp(to, from));
        general(ALL, (x, to, _, _) -> x.cmp(to, Mem.at(RDI, 32)));
        general(ALL, (x, to, from, _) -> x.test(to, from));
        general(CARRY, (x, to, from, _) -> x.imul(to, from));
        general(CARRY, (x, to, _, _) -> x.imul(to, Mem.at(RDI, 32)));
        general(ALL, (x, to, from, count) -> x.bzhi(to, from, count));
        general(ALL, (x, to, _, _) -> x.mov32(to, Mem.at(RDI, 32)));
        general(ALL, (x, to, _, _) -> x.movsxd(to, Mem.at(RDI, 32)));
        general(ALL, (x, to, _, _) -> x.movzx16(to, Mem.at(RDI, 32)));
        general(ALL, (x, to, from, _) -> {
            x.mov32(Mem.at(RDX, 240), to);
            x.mov16(Mem.at(RDX, 248), from);
        });
        general(ALL, (x, to, from, _) -> x.lea(to, Mem.at(from, RCX, 8, -77)));
        general(ALL, (x, to, from, _) -> {
            x.push(from);
            x.pop(to);
            x.align(64);
            x.prefetch(Mem.at(RDI));
            x.prefetch2(Mem.at(RDI));
            x.prefetchOnce(Mem.at(RDI));
            x.sfence();
        });
        for (int value : new int[] {0, 1, -1, 127, 128, -128, -129, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            general(ALL, (x, to, _, _) -> x.mov(to, value));
            general(ALL, (x, to, _, _) -> x.add(to, value));
            general(ALL, (x, to, _, _) -> x.sub(to, value));
            general(ALL, (x, to, _, _) -> x.and(to, value));
            general(ALL, (x, to, _, _) -> x.cmp(to, value));
        }
        for (int count : new int[] {1, 2, 31, 32, 63}) {
            general(WITHOUT_OVERFLOW, (x, to, _, _) -> x.shl(to, count));
            general(WITHOUT_OVERFLOW, (x, to, _, _) -> x.shr(to, count));
            general(WITHOUT_OVERFLOW, (x, to, _, _) -> x.sar(to, count));
        }
        general(ALL, (x, _, _, _) -> {
            x.op(VMOVSS, Vec.xmm(1), Mem.at(RDI, 32));
            x.op(VUCOMISS, Vec.xmm(1), Mem.at(RDI, 36));
            x.vzeroupper();
        });
    }

    // ---------------------------------------------------------------------------------------------- what is refused

    private static String refused(Consumer<X86> code) {
        X86 x = new X86();
        code.accept(x);
        return Thrown.message(
                IllegalStateException.class, () -> Emulator.load(x.bytes()).call(0));
    }

    @Test
    void codeThatBreaksTheCallingConventionIsRefused() {
        assertEquals("the stack pointer is off by -8", refused(x -> {
            x.mov(RAX, Mem.at(RSP));
            x.push(RAX);
            x.ret();
        }));
        assertEquals("register 3 is not restored", refused(x -> {
            x.mov(RBX, 0);
            x.ret();
        }));
        assertEquals("a return to somewhere else", refused(x -> {
            x.push(RAX);
            x.ret();
        }));
        assertEquals("no vzeroupper before the return", refused(x -> {
            x.op(VPADDD, Vec.ymm(1), Vec.ymm(16), Vec.ymm(17));
            x.ret();
        }));
        assertEquals("stores past the caches to no multiple of its size", refused(x -> {
            x.op(VMOVNTPS, Mem.at(RDI, 16), Vec.ymm(1));
            x.ret();
        }));
    }

    @Test
    void bytesThatAreNoInstructionAreRefused() {
        assertEquals("1: 0f 0b c3 (no such form)", unread(0x90, 0x0F, 0x0B, 0xC3));
        // VADDPS with W set, and with a mask that zeroes nothing.
        assertEquals("0: 62 f1 ec 48 58 cb c3 (no such instruction)", unread(0x62, 0xF1, 0xEC, 0x48, 0x58, 0xCB, 0xC3));
        assertEquals(
                "0: 62 f1 6c c8 58 cb c3 (zeroes under no mask)", unread(0x62, 0xF1, 0x6C, 0xC8, 0x58, 0xCB, 0xC3));
        // VMOVUPS with a second source.
        assertEquals("0: c5 f0 10 cb c3 (has no such operand)", unread(0xC5, 0xF0, 0x10, 0xCB, 0xC3));
    }

    private static String unread(int... bytes) {
        byte[] code = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            code[i] = (byte) bytes[i];
        }
        return Thrown.message(IllegalStateException.class, () -> Emulator.load(code));
    }

    private static String texts(byte[][] blocks, byte[][] expected, byte[][] given) {
        HexFormat hex = HexFormat.of();
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < BLOCKS; i++) {
            text.append("  before   ").append(hex.formatHex(blocks[i])).append('\n');
            if (!Arrays.equals(expected[i], given[i])) {
                text.append("  expected ").append(hex.formatHex(expected[i])).append('\n');
                text.append("  given    ").append(hex.formatHex(given[i])).append('\n');
            }
        }
        return text.toString();
    }
}
