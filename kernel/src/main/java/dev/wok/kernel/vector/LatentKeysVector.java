package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.LatentKeys;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;

final class LatentKeysVector extends LatentKeys {
    private final Workers workers;

    LatentKeysVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void join(Tensor nope, Tensor rope, Tensor k) {
        Tasks.requireFloats("LatentKeys", nope, rope, k);
        long nopeDim = nope.dim(2);
        Tasks.rows(workers, k.size(0), k.dim(1) * k.dim(2), (from, to, _) -> {
            for (int t = from; t < to; t++) {
                for (long h = 0; h < k.dim(1); h++) {
                    long row = t * k.stride(0) + h * k.stride(1);
                    copy(nope, t * nope.stride(0) + h * nope.stride(1), k, row, nopeDim);
                    copy(rope, t * rope.stride(0), k, row + nopeDim, rope.dim(1));
                }
            }
        });
    }

    @Override
    protected void part(Tensor dk, Tensor dNope, Tensor dRope) {
        Tasks.requireFloats("LatentKeys", dk, dNope, dRope);
        long nopeDim = dNope.dim(2);
        int ropeDim = dRope.size(1);
        Tasks.rows(workers, dk.size(0), dk.dim(1) * dk.dim(2), (from, to, _) -> {
            for (int t = from; t < to; t++) {
                for (long h = 0; h < dk.dim(1); h++) {
                    long row = t * dk.stride(0) + h * dk.stride(1);
                    copy(dk, row, dNope, t * dNope.stride(0) + h * dNope.stride(1), nopeDim);
                    if (h == 0) {
                        copy(dk, row + nopeDim, dRope, t * dRope.stride(0), ropeDim);
                    } else {
                        Rows.add(dk.memory(), row + nopeDim, 1, dRope.memory(), t * dRope.stride(0), ropeDim);
                    }
                }
            }
        });
    }

    private static void copy(Tensor from, long i, Tensor to, long j, long count) {
        Copies.bytes(from.memory(), i * Float.BYTES, to.memory(), j * Float.BYTES, count * Float.BYTES);
    }
}
