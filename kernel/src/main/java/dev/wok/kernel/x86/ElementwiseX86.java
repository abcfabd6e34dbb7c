package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VMOVQ;
import static dev.wok.emit.x86.Op.VPBROADCASTQ;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static dev.wok.emit.x86.Vec.xmm;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.kernel.Elementwise;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

final class ElementwiseX86 extends Elementwise {
    private static final String OP = "Elementwise";
    private static final int COPIES = 4;
    private static final int COLUMNS_PER_TASK = 256;

    private record Fill(boolean past) {}

    private record Widen(boolean past) {}

    private record Narrow(boolean past) {}

    private final Programs programs;
    private final Workers workers;
    private final Isa isa;

    ElementwiseX86(Programs programs) {
        this.programs = programs;
        workers = programs.device().workers();
        isa = programs.isa();
    }

    @Override
    protected void sum(Tensor a, Tensor b, Tensor out) {
        Span left = Span.read(OP, a);
        Span right = Span.read(OP, b);
        Span result = Span.written(OP, out);
        Program add = Rows.add(programs, result.isStream(left, right));
        Tasks.blocks(
                workers,
                out.elements(),
                (from, count, _) -> add.call(left.at(from), right.at(from), result.at(from), count));
        Span.keep(left, right, result);
    }

    @Override
    protected void addToRows(Tensor x, Tensor bias) {
        Span rows = Span.written(OP, x);
        Span row = Span.read(OP, bias);
        Program add = Rows.add(programs, false);
        int n = x.size(1);
        Tasks.rows(workers, x.size(0), n, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                add.call(rows.row(t), row.address(), rows.row(t), n);
            }
        });
        Span.keep(rows, row);
    }

    @Override
    protected void sumRows(Tensor dy, Tensor dBias) {
        Span rows = Span.read(OP, dy);
        Span sums = Span.written(OP, dBias);
        Program sum = Rows.sum(programs, true);
        Tasks.ranges(
                workers,
                dy.size(1),
                COLUMNS_PER_TASK,
                (from, to, _) -> sum.call(rows.at(from), rows.stride(0), dy.dim(0), sums.at(from), to - from));
        Span.keep(rows, sums);
    }

    /* Eight bytes of the value repeat; what is left behind whole floats is one element of two bytes. */
    @Override
    protected void set(Tensor x, double value) {
        Span span = Span.written(OP, x, x.dtype());
        long pattern = pattern(x.dtype(), value);
        long floats = x.bytes() / Float.BYTES;
        boolean past = span.isStream();
        Program fill = programs.get(new Fill(past), lanes -> writeFill(lanes, past));
        Tasks.blocks(
                workers, floats, (from, count, _) -> fill.call(span.address() + from * Float.BYTES, count, pattern));
        if (floats * Float.BYTES < x.bytes()) {
            x.set(x.elements() - 1, value);
        }
        Span.keep(span);
    }

    private static long pattern(DType dtype, double value) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor eightBytes = Tensor.allocate(arena, dtype, Long.BYTES / dtype.bytes());
            for (int i = 0; i < eightBytes.dim(0); i++) {
                eightBytes.set(i, value);
            }
            return eightBytes.memory().get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private static void writeFill(Lanes lanes, boolean past) {
        lanes.x.op(VMOVQ, xmm(0), RDX);
        lanes.x.op(VPBROADCASTQ, lanes.v(0), xmm(0));
        lanes.each(RAX, RSI, R10, COPIES, copy -> lanes.store(lanes.at(RDI, RAX, copy), lanes.v(0), past));
        lanes.end();
    }

    @Override
    protected void convert(Tensor from, Tensor to) {
        Span in = Span.read(OP + ".cast", from, from.dtype());
        Span out = Span.written(OP + ".cast", to, to.dtype());
        Convert convert = convert(from.dtype(), to.dtype(), out.isStream());
        if (from.isContiguous() && to.isContiguous()) {
            Tasks.blocks(workers, to.elements(), (at, count, _) -> convert.row(in, at, out, at, count));
        } else {
            int n = to.size(to.rank() - 1);
            Tasks.rows(workers, Math.toIntExact(to.elements() / n), n, (first, last, _) -> {
                for (int row = first; row < last; row++) {
                    convert.row(in, offset(from, row), out, offset(to, row), n);
                }
            });
        }
        Span.keep(in, out);
    }

    @Override
    protected void convertToPages(Tensor from, Tensor to, PageTable table, Tensor positions) {
        Span in = Span.read(OP + ".castToPages", from, from.dtype());
        Span out = Span.written(OP + ".castToPages", to, to.dtype());
        Convert convert = convert(from.dtype(), to.dtype(), false);
        int heads = from.size(1);
        int n = from.size(2);
        long[] places = new long[from.size(0)];
        Arrays.fill(places, -1);
        PagedSequence.of(table, positions, to)
                .forEach(sequence -> sequence.each(
                        (token, row) -> places[token] = to.offset(sequence.page(row), sequence.within(row))));
        Tasks.rows(workers, places.length, (long) heads * n, (first, last, _) -> {
            for (int t = first; t < last; t++) {
                for (int h = 0; places[t] >= 0 && h < heads; h++) {
                    convert.row(in, from.offset(t, h), out, places[t] + h * to.stride(2), n);
                }
            }
        });
        Span.keep(in, out);
    }

    /// Where a row lies, rows counted through all dimensions but the last.
    private static long offset(Tensor tensor, long row) {
        long offset = 0;
        for (int i = tensor.rank() - 2; i >= 0; i--) {
            offset += row % tensor.dim(i) * tensor.stride(i);
            row /= tensor.dim(i);
        }
        return offset;
    }

    /// Converts elements that lie without gaps.
    private interface Convert {
        void row(Span from, long i, Span to, long j, int count);
    }

    private Convert convert(DType from, DType to, boolean past) {
        if (from == to) {
            return ElementwiseX86::copy;
        } else if (from == DType.F32 && to == DType.BF16) {
            Program narrow = programs.get(new Narrow(past), lanes -> writeNarrow(lanes, past));
            return (a, i, b, j, count) -> run(narrow, a, i, b, j, count);
        } else if (from == DType.BF16 && to == DType.F32) {
            Program widen = programs.get(new Widen(past), lanes -> writeWiden(lanes, past));
            return (a, i, b, j, count) -> run(widen, a, i, b, j, count);
        }
        throw new IllegalArgumentException(
                "%s.cast on the x86 backend: from %s to %s, expected F32 and BF16".formatted(OP, from, to));
    }

    private static void copy(Span from, long i, Span to, long j, int count) {
        long size = to.tensor().dtype().bytes();
        Copies.bytes(from.tensor().memory(), i * size, to.tensor().memory(), j * size, count * size);
    }

    /// Without masks for 16-bit elements, whole vectors only; the rest follows here.
    private void run(Program program, Span from, long i, Span to, long j, int count) {
        int whole = isa.hasMasks() ? count : count / isa.lanes() * isa.lanes();
        program.call(from.at(i), to.at(j), whole);
        for (int n = whole; n < count; n++) {
            to.tensor().set(j + n, from.tensor().get(i + n));
        }
    }

    private static void writeWiden(Lanes lanes, boolean past) {
        overBf16(lanes, copy -> {
            lanes.loadBf16(lanes.v(copy), bf16(lanes, RDI, copy));
            lanes.store(lanes.at(RSI, RAX, copy), lanes.v(copy), past);
        });
    }

    private static void writeNarrow(Lanes lanes, boolean past) {
        overBf16(lanes, copy -> {
            lanes.load(lanes.v(3 * copy), lanes.at(RDI, RAX, copy));
            lanes.storeAsBf16(
                    bf16(lanes, RSI, copy), lanes.v(3 * copy), lanes.v(3 * copy + 1), lanes.v(3 * copy + 2), past);
        });
    }

    private static void overBf16(Lanes lanes, Lanes.Unrolled body) {
        lanes.each(RAX, RDX, R10, COPIES, body);
        lanes.end();
    }

    private static Mem bf16(Lanes lanes, Reg row, int copy) {
        return Mem.at(row, RAX, Short.BYTES, copy * lanes.isa().bytes() / 2);
    }
}
