package dev.wok.kernel.reference;

import dev.wok.kernel.Elementwise;
import dev.wok.tensor.Tensor;

final class ElementwiseReference extends Elementwise {
    @Override
    protected void sum(Tensor a, Tensor b, Tensor out) {
        for (long i = 0; i < out.elements(); i++) {
            out.set(i, a.get(i) + b.get(i));
        }
    }

    @Override
    protected void set(Tensor x, double value) {
        for (long i = 0; i < x.elements(); i++) {
            x.set(i, value);
        }
    }

    @Override
    protected void convert(Tensor from, Tensor to) {
        to.copyFrom(from);
    }
}
