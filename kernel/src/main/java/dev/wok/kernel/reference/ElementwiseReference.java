package dev.wok.kernel.reference;

import dev.wok.kernel.Elementwise;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.tensor.Tensor;

final class ElementwiseReference extends Elementwise {
    @Override
    protected void sum(Tensor a, Tensor b, Tensor out) {
        for (long i = 0; i < out.elements(); i++) {
            out.set(i, a.get(i) + b.get(i));
        }
    }

    @Override
    protected void addToRows(Tensor x, Tensor bias) {
        for (long t = 0; t < x.dim(0); t++) {
            for (long i = 0; i < x.dim(1); i++) {
                long at = x.offset(t, i);
                x.set(at, x.get(at) + bias.get(i));
            }
        }
    }

    @Override
    protected void sumRows(Tensor dy, Tensor dBias) {
        for (long i = 0; i < dy.dim(1); i++) {
            double sum = dBias.get(i);
            for (long t = 0; t < dy.dim(0); t++) {
                sum += dy.get(dy.offset(t, i));
            }
            dBias.set(i, sum);
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

    @Override
    protected void convertToPages(Tensor from, Tensor to, PageTable table, Tensor positions) {
        for (PagedSequence sequence : PagedSequence.of(table, positions, to)) {
            sequence.each((token, row) -> to.select(0, sequence.page(row))
                    .select(0, sequence.within(row))
                    .copyFrom(from.select(0, token)));
        }
    }
}
