package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.kernel.Processor;
import dev.wok.kernel.RowSums;
import dev.wok.kernel.WeightedRows;
import dev.wok.kernel.host.HostRowSums;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Optional;

/// Whole vectors in machine code; what is left of a row in Java.
public final class RowSumsX86 implements RowSums {
    private static final int WEIGHT = 2 * RowLoop.COPIES;

    /// How far a row of bfloat16 is asked for before it is added: where such rows come from others lie behind it.
    private static final int AHEAD = 4096;

    private final RowSums rest = new HostRowSums();
    private final RowLoop floats;
    private final RowLoop halves;
    private final Program sum;
    private final Program sumPast;
    private final Program sumRows;

    RowSumsX86(HostDevice device, Isa isa) {
        floats = load(device, isa, Float.BYTES);
        halves = load(device, isa, Short.BYTES);
        Programs programs = new Programs(device, isa);
        sum = Rows.add(programs, false);
        sumPast = Rows.add(programs, true);
        sumRows = Rows.weightedSum(programs, false);
    }

    /// @return nothing where no machine code is written for the processor, or where the environment asks for none
    public static Optional<RowSums> of(HostDevice device) {
        return Program.supported()
                ? ProcessorX86.used(Processor.describe(device)).map(isa -> new RowSumsX86(device, isa))
                : Optional.empty();
    }

    private static RowLoop load(HostDevice device, Isa isa, int size) {
        return RowLoop.load(device, isa, size, Float.BYTES, l -> l.broadcast(l.v(WEIGHT), RCX), (l, i) -> {
            Mem row = Mem.at(RDI, i * l.count() * size);
            Mem y = Mem.at(RSI, i * l.isa().bytes());
            l.load(l.v(i), y);
            if (size == Short.BYTES) {
                RowLoop.ask(l, i, AHEAD);
                l.loadBf16(l.v(RowLoop.COPIES + i), row);
            } else {
                l.load(l.v(RowLoop.COPIES + i), row);
            }
            l.fma(l.v(i), l.v(RowLoop.COPIES + i), l.v(WEIGHT));
            l.store(y, l.v(i));
        });
    }

    @Override
    public void add(float weight, MemorySegment row, long at, int count, MemorySegment y, long yAt) {
        int done = floats.run(row, at, count, y, yAt, Arguments.bits(weight));
        rest.add(weight, row, at + (long) Float.BYTES * done, count - done, y, yAt + (long) Float.BYTES * done);
    }

    @Override
    public void addBf16(float weight, MemorySegment row, long at, int count, MemorySegment y, long yAt) {
        int done = halves.run(row, at, count, y, yAt, Arguments.bits(weight));
        rest.addBf16(weight, row, at + (long) Short.BYTES * done, count - done, y, yAt + (long) Float.BYTES * done);
    }

    @Override
    public void sum(
            MemorySegment a,
            long aAt,
            MemorySegment b,
            long bAt,
            int count,
            MemorySegment to,
            long toAt,
            boolean past) {
        RowLoop.require(a, aAt, (long) Float.BYTES * count);
        RowLoop.require(b, bAt, (long) Float.BYTES * count);
        RowLoop.requireWritable(to, toAt, (long) Float.BYTES * count);
        (past && RowLoop.isAligned(to, toAt) ? sumPast : sum)
                .call(a.address() + aAt, b.address() + bAt, to.address() + toAt, count);
        Reference.reachabilityFence(a);
        Reference.reachabilityFence(b);
        Reference.reachabilityFence(to);
    }

    @Override
    public void sum(MemorySegment memory, long at, WeightedRows rows, int count, MemorySegment to, long toAt) {
        long bytes = (long) Float.BYTES * count;
        RowLoop.requireWritable(to, toAt, bytes);
        if (rows.size() == 0) {
            to.asSlice(toAt, bytes).fill((byte) 0);
        } else {
            Rows.call(sumRows, memory, at, rows, count, to, toAt);
        }
    }
}
