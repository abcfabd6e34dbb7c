package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Elementwise;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.VectorMask;

final class ElementwiseVector extends Elementwise {
    private static final int BLOCK = 1 << 15;

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
}
