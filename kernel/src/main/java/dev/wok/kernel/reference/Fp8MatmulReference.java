package dev.wok.kernel.reference;

import dev.wok.kernel.Fp8Matmul;
import dev.wok.tensor.Tensor;

final class Fp8MatmulReference extends Fp8Matmul {
    @Override
    protected void round(Tensor x, Tensor values, Tensor scales) {
        for (long row = 0; row < x.dim(0); row++) {
            for (long group = 0; group < scales.dim(1); group++) {
                roundGroup(x, values, scales, row, group);
            }
        }
    }

    @Override
    protected void multiply(Tensor a, Tensor aScales, Tensor b, Tensor bScales, Tensor c) {
        for (long i = 0; i < c.dim(0); i++) {
            for (long j = 0; j < c.dim(1); j++) {
                double sum = 0;
                for (long p = 0; p < a.dim(1); p++) {
                    double scale = aScales.get(aScales.offset(i, p / GROUP))
                            * bScales.get(bScales.offset(j / GROUP, p / GROUP));
                    sum += scale * (a.get(a.offset(i, p)) * b.get(b.offset(j, p)));
                }
                c.set(c.offset(i, j), sum);
            }
        }
    }
}
