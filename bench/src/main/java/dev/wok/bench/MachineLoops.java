package dev.wok.bench;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Op;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.Processor.InstructionSet;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// The loops in machine code.
///
/* Twelve accumulators hide the latency of every unit that these instructions run on (at most 5 cycles, two units), and
 * leave two of AVX2's sixteen registers for the operands. Operands are ones, so an accumulator counts what was done.
 */
final class MachineLoops implements Loops {
    private static final int ACCUMULATORS = 12;
    private static final int REPEATS = 8;
    private static final int FIRST_OPERAND = 12;
    private static final int SECOND_OPERAND = 13;
    private static final int TEMPORARY = 14;
    private static final int LINE = 64;
    private static final int PREFETCH = 4096;

    /// Where the streams begin.
    private static final List<Reg> STREAMS = List.of(RDI, R8, R9, R10);

    private final HostDevice device;
    private final InstructionSet isa;

    MachineLoops(HostDevice device, InstructionSet isa) {
        this.device = device;
        this.isa = isa;
    }

    @Override
    public boolean has(Kind kind) {
        return switch (kind) {
            case FLOATS, BYTES -> true;
            case BF16 -> isa.hasBf16();
        };
    }

    @Override
    public Products products(Kind kind) {
        if (!has(kind)) {
            throw new IllegalArgumentException("%s has no %s".formatted(isa.name(), kind));
        }
        int lanes = isa.vectorBytes() / Float.BYTES;
        return switch (kind) {
            case FLOATS ->
                products(
                        "float32 multiply-adds in registers (vfmadd231ps, %s)",
                        2 * lanes, 0x3F800000, (x, a) -> x.op(Op.VFMADD231PS, a, v(FIRST_OPERAND), v(SECOND_OPERAND)));
            case BF16 ->
                products(
                        "bf16 dot products in registers (vdpbf16ps, %s)",
                        4 * lanes, 0x3F803F80, (x, a) -> x.op(Op.VDPBF16PS, a, v(FIRST_OPERAND), v(SECOND_OPERAND)));
            case BYTES ->
                isa.hasByteDots()
                        ? products(
                                "byte dot products in registers (vpdpbusd, %s)",
                                8 * lanes,
                                0x01010101,
                                (x, a) -> x.op(Op.VPDPBUSD, a, v(FIRST_OPERAND), v(SECOND_OPERAND)))
                        : products(
                                "byte products in registers (vpmaddubsw, vpmaddwd, vpaddd, %s)",
                                8 * lanes, 0x01010101, this::bytesInThree);
        };
    }

    private void bytesInThree(X86 x, Vec accumulator) {
        x.op(Op.VPMADDUBSW, v(TEMPORARY), v(FIRST_OPERAND), v(SECOND_OPERAND));
        x.op(Op.VPMADDWD, v(TEMPORARY), v(TEMPORARY), v(TEMPORARY + 1));
        x.op(Op.VPADDD, accumulator, accumulator, v(TEMPORARY));
    }

    private interface Step {
        void write(X86 x, Vec accumulator);
    }

    /// @param text takes the width
    /// @param ones both operands, in 32 bits
    private Products products(String text, int operationsPerVector, int ones, Step step) {
        X86 x = new X86();
        for (int i = 0; i < ACCUMULATORS; i++) {
            x.op(Op.VPXORD, v(i), v(i), v(i));
        }
        x.op(Op.VBROADCASTSS, v(FIRST_OPERAND), x.constant(ones));
        x.op(Op.VBROADCASTSS, v(SECOND_OPERAND), x.constant(ones));
        x.op(Op.VBROADCASTSS, v(TEMPORARY + 1), x.constant(0x00010001));
        x.align(LINE);
        Label again = x.here();
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            for (int i = 0; i < ACCUMULATORS; i++) {
                step.write(x, v(i));
            }
        }
        x.sub(RSI, 1);
        x.jump(Condition.NOT_EQUAL, again);
        x.op(Op.VMOVUPS, Mem.at(RDI), v(0));
        x.vzeroupper();
        x.ret();
        Program program = device.load(x.bytes());
        String described = text.formatted(isa.vectorBytes() * Byte.SIZE + "-bit");
        double operations = (double) operationsPerVector * ACCUMULATORS * REPEATS;
        return new Products() {
            @Override
            public String text() {
                return described;
            }

            @Override
            public double operations() {
                return operations;
            }

            @Override
            public void run(MemorySegment sink, long rounds) {
                program.call(sink.address(), rounds);
            }
        };
    }

    @Override
    public List<Traffic> traffic(Mix mix) {
        List<Traffic> ways = new ArrayList<>(List.of(traffic(mix, false)));
        if (mix.writes() > 0 && !mix.inPlace()) {
            ways.add(traffic(mix, true));
        }
        return ways;
    }

    /// @param past whether writes go past the caches
    private Traffic traffic(Mix mix, boolean past) {
        X86 x = new X86();
        for (int i = 1; i < mix.streams(); i++) {
            x.mov(STREAMS.get(i), STREAMS.get(i - 1));
            x.add(STREAMS.get(i), RSI);
        }
        x.align(LINE);
        Label again = x.here();
        for (int line = 0; line < Traffic.UNIT; line += LINE) {
            line(x, mix, past, line);
        }
        x.add(RDX, Traffic.UNIT);
        x.cmp(RDX, RCX);
        x.jump(Condition.LESS, again);
        x.vzeroupper();
        x.ret();
        Program program = device.load(x.bytes());
        return (memory, distance, from, to) -> program.call(memory.address(), distance, from, to);
    }

    /// A line of every stream. What is written is what is read, so the memory keeps its contents in place.
    private void line(X86 x, Mix mix, boolean past, int line) {
        for (int i = 0; i < mix.reads(); i++) {
            x.prefetch(Mem.at(STREAMS.get(i), RDX, 1, line + PREFETCH));
        }
        for (int part = 0; part < LINE; part += isa.vectorBytes()) {
            for (int i = 0; i < mix.reads(); i++) {
                x.op(Op.VMOVUPS, v(i), Mem.at(STREAMS.get(i), RDX, 1, line + part));
            }
            for (int i = 0; i < mix.writes(); i++) {
                Mem to = Mem.at(STREAMS.get(mix.target(i)), RDX, 1, line + part);
                x.op(past ? Op.VMOVNTPS : Op.VMOVUPS, to, v(i));
            }
        }
    }

    private Vec v(int number) {
        return new Vec(number, isa.vectorBytes(), 0, false);
    }
}
