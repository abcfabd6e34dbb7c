package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Elementwise;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.VectorMask;

final class ElementwiseVector extends Elementwise {
    private static final int BLOCK = 1 << 15;
    private static final int COLUMNS_PER_TASK = 256;

    private final Workers workers;

    ElementwiseVector(Workers workers) {
        this.workers = workers;
    }

    /// Runs a body over blocks of elements.
    static void blocks(Workers workers, long elements, Block body) {
        workers.run(Math.toIntExact((elements + BLOCK - 1) / BLOCK), (task, _) -> {
            long from = (long) task * BLOCK;
            body.visit(from, (int) Math.min(BLOCK, elements - from));
        });
    }

    interface Block {
        void visit(long from, int count);
    }

    @Override
    protected void sum(Tensor a, Tensor b, Tensor out) {
        Tasks.requireFloats("Elementwise", a, b, out);
        blocks(workers, out.elements(), (from, count) -> sum(a.memory(), b.memory(), out.memory(), from, count));
    }

    private static void sum(MemorySegment a, MemorySegment b, MemorySegment out, long from, int count) {
        for (int i = 0; i < count; i += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(i, count);
            Lanes.store(Lanes.load(a, from + i, mask).add(Lanes.load(b, from + i, mask)), out, from + i, mask);
        }
    }

    @Override
    protected void addToRows(Tensor x, Tensor bias) {
        Tasks.requireFloats("Elementwise", x, bias);
        int n = x.size(1);
        Tasks.rows(workers, x.size(0), n, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                add(x.memory(), t * x.stride(0), bias.memory(), 0, n);
            }
        });
    }

    /// The rows are added in their order, whichever thread has the columns.
    @Override
    protected void sumRows(Tensor dy, Tensor dBias) {
        Tasks.requireFloats("Elementwise", dy, dBias);
        Tasks.ranges(workers, dy.size(1), COLUMNS_PER_TASK, (from, to, _) -> {
            for (int t = 0; t < dy.size(0); t++) {
                add(dBias.memory(), from, dy.memory(), t * dy.stride(0) + from, to - from);
            }
        });
    }

    /// `a += b`, elements counted from `i` and `j`.
    private static void add(MemorySegment a, long i, MemorySegment b, long j, int count) {
        for (int at = 0; at < count; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, count);
            Lanes.store(Lanes.load(a, i + at, mask).add(Lanes.load(b, j + at, mask)), a, i + at, mask);
        }
    }

    @Override
    protected void set(Tensor x, double value) {
        long size = x.dtype().bytes();
        blocks(workers, x.elements(), (from, count) -> {
            if (Double.doubleToRawLongBits(value) == 0) {
                x.memory().asSlice(from * size, count * size).fill((byte) 0);
            } else {
                for (long i = from; i < from + count; i++) {
                    x.set(i, value);
                }
            }
        });
    }

    @Override
    protected void convert(Tensor from, Tensor to) {
        to.copyFrom(from);
    }

    @Override
    protected void convertToPages(Tensor from, Tensor to, PageTable table, Tensor positions) {
        for (PagedSequence sequence : PagedSequence.of(table, positions, to)) {
            sequence.each((token, row) -> to.select(0, sequence.page(row))
                    .select(0, sequence.within(row))
                    .copyFrom(from.select(0, token)));
        }
    }
}
