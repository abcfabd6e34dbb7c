package dev.wok.kernel.reference;

import dev.wok.kernel.Embedding;
import dev.wok.tensor.Tensor;
import java.util.Objects;

final class EmbeddingReference extends Embedding {
    @Override
    protected void gather(Tensor ids, Tensor table, Tensor out) {
        for (long t = 0; t < out.dim(0); t++) {
            int id = ids.getInt(t);
            if (id >= 0) {
                Objects.checkIndex(id, table.size(0));
            }
            for (long i = 0; i < out.dim(1); i++) {
                out.set(t * out.stride(0) + i, id < 0 ? 0 : table.get(id * table.stride(0) + i));
            }
        }
    }

    @Override
    protected void scatter(Tensor ids, Tensor dOut, Tensor dTable) {
        int hidden = dOut.size(1);
        double[] sums = new double[Math.toIntExact(dTable.elements())];
        for (long t = 0; t < dOut.dim(0); t++) {
            int id = ids.getInt(t);
            for (int i = 0; id >= 0 && i < hidden; i++) {
                sums[id * hidden + i] += dOut.get(t * dOut.stride(0) + i);
            }
        }
        for (int row = 0; row < dTable.dim(0); row++) {
            for (int i = 0; i < hidden; i++) {
                Numbers.add(dTable, row * dTable.stride(0) + i, sums[row * hidden + i]);
            }
        }
    }
}
