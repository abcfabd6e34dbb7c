package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.Bf16Rows;
import dev.wok.kernel.Processor;
import dev.wok.kernel.WeightedRows;
import dev.wok.tensor.Bf16;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/// Whole vectors in machine code; what is left of a row in Java.
public final class Bf16RowsX86 implements Bf16Rows {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /// How far a row is asked for before it is narrowed or widened: rows come from memory, one here
    /// and one there.
    private static final int AHEAD = 2048;

    /// A loop that stores to the caches and one that stores past them.
    private record Ways(RowLoop near, RowLoop past) {
        int run(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean goesPast) {
            RowLoop loop = goesPast && RowLoop.isAligned(to, toAt) ? past : near;
            return loop.run(from, at, count, to, toAt, 0);
        }
    }

    /// One vector of a row.
    private interface Body {
        void write(Lanes lanes, int copy, boolean past);
    }

    private final Ways narrow;
    private final Ways widen;
    private final Ways round;
    private final Program sum;
    private final Program sumPast;
    private final Isa isa;
    private final Program fence;

    Bf16RowsX86(HostDevice device, Isa isa) {
        int bytes = isa.bytes();
        narrow = new Ways(narrow(device, isa, false), narrow(device, isa, true));
        Programs programs = new Programs(device, isa);
        sum = Rows.weightedSumAsBf16(programs, false);
        sumPast = Rows.weightedSumAsBf16(programs, true);
        this.isa = isa;
        widen = load(device, isa, Short.BYTES, Float.BYTES, (l, i, past) -> {
            RowLoop.ask(l, i, AHEAD);
            l.loadBf16(l.v(i), Mem.at(RDI, i * bytes / 2));
            l.store(Mem.at(RSI, i * bytes), l.v(i), past);
        });
        round = load(device, isa, Float.BYTES, Float.BYTES, (l, i, past) -> {
            l.load(l.v(i), Mem.at(RDI, i * bytes));
            l.roundToBf16(l.v(i), first(l, i), second(l, i));
            l.store(Mem.at(RSI, i * bytes), l.v(i), past);
        });
        fence = fence(device);
    }

    private static RowLoop narrow(HostDevice device, Isa isa, boolean past) {
        RowLoop.Turn turn = (l, copies) -> {
            for (int i = 0; i < copies; i++) {
                l.x.prefetch(Mem.at(RDI, AHEAD + i * isa.bytes()));
                l.load(l.v(i), Mem.at(RDI, i * isa.bytes()));
            }
            l.storeAllAsBf16(Mem.at(RSI), 0, copies, first(l, 0), second(l, 0), past);
        };
        return RowLoop.load(device, isa, Float.BYTES, Short.BYTES, _ -> {}, turn, Lanes::endUnfenced);
    }

    private static Program fence(HostDevice device) {
        X86 x = new X86();
        x.sfence();
        x.ret();
        return device.load(x.bytes());
    }

    private static Ways load(HostDevice device, Isa isa, int size, int toSize, Body body) {
        return new Ways(
                load(device, isa, size, toSize, (l, i) -> body.write(l, i, false)),
                load(device, isa, size, toSize, (l, i) -> body.write(l, i, true)));
    }

    private static RowLoop load(HostDevice device, Isa isa, int size, int toSize, RowLoop.Body body) {
        return RowLoop.load(device, isa, size, toSize, _ -> {}, body, Lanes::endUnfenced);
    }

    private static Vec first(Lanes l, int copy) {
        return l.v(RowLoop.COPIES + copy);
    }

    private static Vec second(Lanes l, int copy) {
        return l.v(2 * RowLoop.COPIES + copy);
    }

    /// @return nothing where no machine code is written for the processor, or where the environment
    ///     asks for none
    public static Optional<Bf16Rows> of(HostDevice device) {
        return Program.supported()
                ? ProcessorX86.used(Processor.describe(device)).map(isa -> new Bf16RowsX86(device, isa))
                : Optional.empty();
    }

    @Override
    public void narrow(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean past) {
        for (int i = narrow.run(from, at, count, to, toAt, past); i < count; i++) {
            to.set(SHORT, toAt + (long) Short.BYTES * i, Bf16.bits(from.get(FLOAT, at + (long) Float.BYTES * i)));
        }
    }

    @Override
    public boolean sums(int count) {
        return isa.hasMasks() || count % isa.lanes() == 0;
    }

    @Override
    public void sum(
            MemorySegment memory, long at, WeightedRows rows, int count, MemorySegment to, long toAt, boolean past) {
        RowLoop.requireWritable(to, toAt, (long) Short.BYTES * count);
        if (rows.size() == 0 || !sums(count)) {
            throw new IllegalArgumentException(
                    "%d rows of %d columns, expected one or more of so many that sums() takes them"
                            .formatted(rows.size(), count));
        }
        Rows.call(past && RowLoop.isAligned(to, toAt) ? sumPast : sum, memory, at, rows, count, to, toAt);
    }

    @Override
    public void widen(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean past) {
        for (int i = widen.run(from, at, count, to, toAt, past); i < count; i++) {
            to.set(FLOAT, toAt + (long) Float.BYTES * i, Bf16.value(from.get(SHORT, at + (long) Short.BYTES * i)));
        }
    }

    @Override
    public void round(MemorySegment from, long at, int count, MemorySegment to, long toAt, boolean past) {
        for (int i = round.run(from, at, count, to, toAt, past); i < count; i++) {
            float value = from.get(FLOAT, at + (long) Float.BYTES * i);
            to.set(FLOAT, toAt + (long) Float.BYTES * i, Bf16.value(Bf16.bits(value)));
        }
    }

    @Override
    public void fence() {
        fence.call(0);
    }
}
