package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K2;
import static dev.wok.emit.x86.Op.*;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.E4m3Rows;
import dev.wok.kernel.Processor;
import dev.wok.kernel.host.HostE4m3Rows;
import dev.wok.tensor.E4m3;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/// Whole groups in machine code, what is left of a row in Java.
///
/// The programs' arguments: what is read, what is written, groups (1 or more), the scales.
public final class E4m3RowsX86 implements E4m3Rows {
    private static final int MAGNITUDE = 0x7FFFFFFF;
    private static final int INFINITY = 0x7F800000;
    private static final int NAN = 0x7FC00000;
    private static final int CODE_MAGNITUDE = 0x7F;
    private static final int CODE_NAN = 0x07F00000;
    private static final int LEAST_NORMAL = 121 << 23;
    private static final int STEPS = 20 << 23 | 56;
    /// For vpternlog: bits of the first where the third has ones, else of the second.
    private static final int CHOOSE = 0xE4;
    /// Vectors that become one vector of bytes.
    private static final int PACKED = Float.BYTES;

    private static final int FIRST_CONSTANT = 8;

    private final E4m3Rows rest = new HostE4m3Rows();
    private final Program encode;
    private final Program decode;

    E4m3RowsX86(HostDevice device, Isa isa) {
        encode = load(device, isa, E4m3RowsX86::writeEncode);
        decode = load(device, isa, E4m3RowsX86::writeDecode);
    }

    /// @return nothing where no machine code is written for the processor, or where the environment asks for none
    public static Optional<E4m3Rows> of(HostDevice device) {
        return Program.supported()
                ? ProcessorX86.used(Processor.describe(device)).map(isa -> new E4m3RowsX86(device, isa))
                : Optional.empty();
    }

    private static Program load(HostDevice device, Isa isa, Consumer<Lanes> code) {
        X86 x = new X86();
        code.accept(new Lanes(x, isa));
        return device.load(x.bytes());
    }

    @Override
    public void encode(MemorySegment from, long at, int count, MemorySegment to, long scalesAt, long codesAt) {
        int groups = count / GROUP;
        int done = groups * GROUP;
        RowLoop.require(from, at, (long) Float.BYTES * count);
        RowLoop.requireWritable(to, scalesAt, (long) Float.BYTES * E4m3Rows.groups(count));
        RowLoop.requireWritable(to, codesAt, count);
        if (groups > 0) {
            encode.call(from.address() + at, to.address() + codesAt, groups, to.address() + scalesAt);
            Reference.reachabilityFence(from);
            Reference.reachabilityFence(to);
        }
        long scales = scalesAt + (long) Float.BYTES * groups;
        rest.encode(from, at + (long) Float.BYTES * done, count - done, to, scales, codesAt + done);
    }

    @Override
    public void decode(MemorySegment from, long scalesAt, long codesAt, int count, MemorySegment to, long toAt) {
        int groups = count / GROUP;
        int done = groups * GROUP;
        RowLoop.require(from, scalesAt, (long) Float.BYTES * E4m3Rows.groups(count));
        RowLoop.require(from, codesAt, count);
        RowLoop.requireWritable(to, toAt, (long) Float.BYTES * count);
        if (groups > 0) {
            decode.call(from.address() + codesAt, to.address() + toAt, groups, from.address() + scalesAt);
            Reference.reachabilityFence(from);
            Reference.reachabilityFence(to);
        }
        long scales = scalesAt + (long) Float.BYTES * groups;
        rest.decode(from, scales, codesAt + done, count - done, to, toAt + (long) Float.BYTES * done);
    }

    /* A magnitude q of exponent e (-6 at least, where E4M3's steps end) is a number n of steps 2^(e-3) and a rest. Added to
     * 2^(e+20), whose last bit is worth a step, it is rounded to n, nearest even; n stands in the sum's last bits. The code
     * is n + 8 (e + 6). Bits 20 and up of 2^e are 8 (e + 127), and what that has too much goes off with the 56 steps
     * that 2^(e+20) is made larger by, since 56 - 8 * 121 is a multiple of 256.
     */
    private static void writeEncode(Lanes l) {
        l.x.mov(R8, RDI);
        l.x.mov(R9, RDX);
        l.x.mov(R10, RCX);
        writeScales(l);
        l.x.mov(RDI, R8);
        l.x.mov(RDX, R9);
        l.x.mov(RCX, R10);
        Vec scale = l.v(0);
        Vec[] constants = constants(l, MAGNITUDE, INFINITY, LEAST_NORMAL, STEPS, CODE_MAGNITUDE);
        Vec order = l.v(FIRST_CONSTANT + constants.length);
        l.load(order, l.x.constant(order(l)));
        Label spoiled = l.x.label();
        Label next = l.x.label();
        Label group = l.x.here();
        l.x.mov32(RAX, Mem.at(RCX));
        l.x.cmp(RAX, INFINITY);
        l.x.jump(Condition.GREATER_OR_EQUAL, spoiled);
        l.x.op(VBROADCASTSS, scale, Mem.at(RCX));
        for (int first = 0; first < GROUP / l.count(); first += PACKED) {
            for (int i = 0; i < PACKED; i++) {
                writeCodes(l, l.v(1 + i), floats(l, RDI, first + i), scale, constants);
            }
            l.x.op(VPACKUSDW, l.v(1), l.v(1), l.v(2));
            l.x.op(VPACKUSDW, l.v(3), l.v(3), l.v(4));
            l.x.op(VPACKUSWB, l.v(1), l.v(1), l.v(3));
            l.x.op(VPERMD, l.v(1), order, l.v(1));
            l.store(Mem.at(RSI, first * l.count()), l.v(1));
        }
        l.x.bind(next);
        nextGroup(l, GROUP * Float.BYTES, GROUP, group);
        l.end();
        l.x.bind(spoiled);
        writeSpoiled(l, l.v(1));
        l.x.jump(next);
    }

    /// Scales of all groups, infinite or NaN for those that hold such: apart from the values, so that the processor
    /// looks for the next group's largest while it has not found the last one's.
    private static void writeScales(Lanes l) {
        Vec scale = l.v(0);
        Vec value = l.v(1);
        Vec[] constants =
                constants(l, MAGNITUDE, Float.floatToRawIntBits(E4m3.MAX), Float.floatToRawIntBits(Float.MIN_NORMAL));
        Label group = l.x.here();
        l.zero(scale);
        for (int i = 0; i < GROUP / l.count(); i++) {
            l.x.op(VPANDD, value, constants[0], floats(l, RDI, i));
            l.x.op(VPMAXSD, scale, scale, value);
        }
        l.largestInt(scale, value);
        l.div(scale.as(16), scale.as(16), constants[1].as(16));
        l.x.op(VMAXSS, scale.as(16), constants[2].as(16), scale.as(16));
        l.x.op(VMOVSS, Mem.at(RCX), scale.as(16));
        nextGroup(l, GROUP * Float.BYTES, 0, group);
    }

    private static void nextGroup(Lanes l, int read, int written, Label group) {
        l.x.add(RDI, read);
        l.x.add(RSI, written);
        l.x.add(RCX, Float.BYTES);
        l.x.sub(RDX, 1);
        l.x.jump(Condition.NOT_EQUAL, group);
    }

    private static void writeCodes(Lanes l, Vec value, Mem from, Vec scale, Vec[] constants) {
        Vec power = l.v(5);
        Vec exponent = l.v(6);
        Vec sign = l.v(7);
        l.load(sign, from);
        l.x.op(VPANDD, value, sign, constants[0]);
        l.div(value, value, scale);
        l.x.op(VPANDD, power, value, constants[1]);
        l.x.op(VPMAXSD, power, power, constants[2]);
        l.x.op(VPSRLD, exponent, power, imm(20));
        l.x.op(VPADDD, power, power, constants[3]);
        l.add(value, value, power);
        l.x.op(VPADDD, value, value, exponent);
        l.x.op(VPSRLD, sign, sign, imm(24));
        if (l.isa().hasMasks()) {
            l.x.op(VPTERNLOGD, value, sign, constants[4], imm(CHOOSE));
        } else {
            l.x.op(VPANDD, value, value, constants[4]);
            l.x.op(VPANDND, sign, constants[4], sign);
            l.x.op(VPORD, value, value, sign);
        }
    }

    /// What [dev.wok.emit.x86.Op#VPERMD] puts in order after two packs, which work on 16 bytes at a time each.
    private static int[] order(Lanes l) {
        int parts = l.count() / 4;
        return IntStream.range(0, l.count()).map(i -> i % parts * 4 + i / parts).toArray();
    }

    private static void writeSpoiled(Lanes l, Vec value) {
        l.broadcast(value, Float.NaN);
        l.x.op(VMOVSS, Mem.at(RCX), value.as(16));
        l.broadcast(value, Float.intBitsToFloat(0x7F7F7F7F));
        for (int at = 0; at < GROUP; at += l.isa().bytes()) {
            l.store(Mem.at(RSI, at), value);
        }
    }

    private static void writeDecode(Lanes l) {
        Vec scale = l.v(0);
        Vec value = l.v(1);
        Vec magnitude = l.v(2);
        Vec[] constants = constants(l, E4m3.IN_FLOAT32, CODE_NAN, NAN, Float.floatToRawIntBits(E4m3.FROM_FLOAT32));
        Label group = l.x.here();
        l.x.op(VBROADCASTSS, scale, Mem.at(RCX));
        for (int i = 0; i < GROUP / l.count(); i++) {
            l.x.op(VPMOVSXBD, value, Mem.at(RDI, i * l.count()));
            l.x.op(VPSLLD, value, value, imm(20));
            l.x.op(VPANDD, value, value, constants[0]);
            l.x.op(VPANDD, magnitude, value, constants[1]);
            l.mul(value, value, constants[3]);
            if (l.isa().hasMasks()) {
                l.x.op(VPCMPEQD, K2, magnitude, constants[1]);
                l.x.op(VPORD, value.under(K2), value, constants[2]);
            } else {
                l.x.op(VPCMPEQD, magnitude, magnitude, constants[1]);
                l.x.op(VPORD, value, value, magnitude);
            }
            l.mul(value, value, scale);
            l.store(floats(l, RSI, i), value);
        }
        nextGroup(l, GROUP, GROUP * Float.BYTES, group);
        l.end();
    }

    private static Mem floats(Lanes l, Reg at, int vector) {
        return Mem.at(at, vector * l.isa().bytes());
    }

    private static Vec[] constants(Lanes l, int... bits) {
        Vec[] constants = new Vec[bits.length];
        for (int i = 0; i < bits.length; i++) {
            constants[i] = l.v(FIRST_CONSTANT + i);
            l.broadcast(constants[i], Float.intBitsToFloat(bits[i]));
        }
        return constants;
    }
}
