package dev.wok.kernel.reference;

import dev.wok.kernel.LatentKeys;
import dev.wok.tensor.Tensor;

final class LatentKeysReference extends LatentKeys {
    @Override
    protected void join(Tensor nope, Tensor rope, Tensor k) {
        long nopeDim = nope.dim(2);
        for (long t = 0; t < k.dim(0); t++) {
            for (long h = 0; h < k.dim(1); h++) {
                for (long i = 0; i < k.dim(2); i++) {
                    double value = i < nopeDim
                            ? nope.get(t * nope.stride(0) + h * nope.stride(1) + i)
                            : rope.get(t * rope.stride(0) + i - nopeDim);
                    k.set(t * k.stride(0) + h * k.stride(1) + i, value);
                }
            }
        }
    }

    @Override
    protected void part(Tensor dk, Tensor dNope, Tensor dRope) {
        long nopeDim = dNope.dim(2);
        for (long t = 0; t < dk.dim(0); t++) {
            for (long h = 0; h < dk.dim(1); h++) {
                for (long i = 0; i < nopeDim; i++) {
                    dNope.set(
                            t * dNope.stride(0) + h * dNope.stride(1) + i,
                            dk.get(t * dk.stride(0) + h * dk.stride(1) + i));
                }
            }
            for (long i = 0; i < dRope.dim(1); i++) {
                double sum = 0;
                for (long h = 0; h < dk.dim(1); h++) {
                    sum += dk.get(t * dk.stride(0) + h * dk.stride(1) + nopeDim + i);
                }
                dRope.set(t * dRope.stride(0) + i, sum);
            }
        }
    }
}
