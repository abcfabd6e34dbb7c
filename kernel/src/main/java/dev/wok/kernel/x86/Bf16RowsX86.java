package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.Bf16Rows;
import dev.wok.kernel.Processor;
import dev.wok.tensor.Bf16;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.Objects;
import java.util.Optional;

/// Whole vectors in machine code; what is left of a row in Java.
public final class Bf16RowsX86 implements Bf16Rows {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final int COPIES = 4;

    private final int lanes;
    private final Program narrow;
    private final Program widen;
    private final Program round;

    Bf16RowsX86(HostDevice device, Isa isa) {
        lanes = isa.lanes();
        int bytes = isa.bytes();
        narrow = load(device, isa, bytes, bytes / 2, (l, i) -> {
            l.load(l.v(i), Mem.at(RDI, i * bytes));
            l.storeAsBf16(Mem.at(RSI, i * bytes / 2), l.v(i), l.v(COPIES + i), l.v(2 * COPIES + i), false);
        });
        widen = load(device, isa, bytes / 2, bytes, (l, i) -> {
            l.loadBf16(l.v(i), Mem.at(RDI, i * bytes / 2));
            l.store(Mem.at(RSI, i * bytes), l.v(i));
        });
        round = load(device, isa, bytes, bytes, (l, i) -> {
            l.load(l.v(i), Mem.at(RDI, i * bytes));
            l.roundToBf16(l.v(i), l.v(COPIES + i), l.v(2 * COPIES + i));
            l.store(Mem.at(RSI, i * bytes), l.v(i));
        });
    }

    /// @return nothing where no machine code is written for the processor, or where the environment
    ///     asks for none
    public static Optional<Bf16Rows> of(HostDevice device) {
        return Program.supported()
                ? ProcessorX86.used(Processor.describe(device)).map(isa -> new Bf16RowsX86(device, isa))
                : Optional.empty();
    }

    private interface Body {
        /// @param copy which vector of those that are at the pointers
        void write(Lanes lanes, int copy);
    }

    /// A loop over `rdx` vectors from `rdi` to `rsi`.
    private static Program load(HostDevice device, Isa isa, int read, int written, Body body) {
        X86 x = new X86();
        Lanes lanes = new Lanes(x, isa);
        lanes.countDown(RDX, COPIES, step -> {
            for (int copy = 0; copy < step; copy++) {
                body.write(lanes, copy);
            }
            x.add(RDI, step * read);
            x.add(RSI, step * written);
        });
        lanes.end();
        return device.load(x.bytes());
    }

    @Override
    public void narrow(MemorySegment from, long at, int count, MemorySegment to, long toAt) {
        run(narrow, from, at, Float.BYTES, count, to, toAt, Short.BYTES);
        for (int i = count / lanes * lanes; i < count; i++) {
            to.set(SHORT, toAt + (long) Short.BYTES * i, Bf16.bits(from.get(FLOAT, at + (long) Float.BYTES * i)));
        }
    }

    @Override
    public void widen(MemorySegment from, long at, int count, MemorySegment to, long toAt) {
        run(widen, from, at, Short.BYTES, count, to, toAt, Float.BYTES);
        for (int i = count / lanes * lanes; i < count; i++) {
            to.set(FLOAT, toAt + (long) Float.BYTES * i, Bf16.value(from.get(SHORT, at + (long) Short.BYTES * i)));
        }
    }

    @Override
    public void round(MemorySegment from, long at, int count, MemorySegment to, long toAt) {
        run(round, from, at, Float.BYTES, count, to, toAt, Float.BYTES);
        for (int i = count / lanes * lanes; i < count; i++) {
            float value = from.get(FLOAT, at + (long) Float.BYTES * i);
            to.set(FLOAT, toAt + (long) Float.BYTES * i, Bf16.value(Bf16.bits(value)));
        }
    }

    private void run(
            Program program,
            MemorySegment from,
            long at,
            int size,
            int count,
            MemorySegment to,
            long toAt,
            int toSize) {
        Objects.checkFromIndexSize(at, (long) size * count, from.byteSize());
        Objects.checkFromIndexSize(toAt, (long) toSize * count, to.byteSize());
        if (!from.isNative() || !to.isNative() || to.isReadOnly()) {
            throw new IllegalArgumentException("machine code works on native memory that may be written");
        }
        int vectors = count / lanes;
        if (vectors > 0) {
            program.call(from.address() + at, to.address() + toAt, vectors);
            Reference.reachabilityFence(from);
            Reference.reachabilityFence(to);
        }
    }
}
