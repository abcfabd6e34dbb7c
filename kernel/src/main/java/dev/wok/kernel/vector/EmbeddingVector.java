package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Embedding;
import dev.wok.kernel.host.TableRows;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.util.Objects;

final class EmbeddingVector extends Embedding {
    private static final int COLUMNS_PER_TASK = 64;

    private final Workers workers;

    EmbeddingVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void gather(Tensor ids, Tensor table, Tensor out) {
        Tasks.requireFloats("Embedding", out);
        TableRows.gather(workers, ids, table, out);
    }

    /* Tokens may share a row, so the split is by columns: each task walks all tokens in order. */
    @Override
    protected void scatter(Tensor ids, Tensor dOut, Tensor dTable) {
        Tasks.requireFloats("Embedding", dOut, dTable);
        int hidden = dOut.size(1);
        int tasks = (hidden + COLUMNS_PER_TASK - 1) / COLUMNS_PER_TASK;
        workers.run(tasks, (task, _) -> {
            int column = task * COLUMNS_PER_TASK;
            int count = Math.min(COLUMNS_PER_TASK, hidden - column);
            for (long t = 0; t < dOut.dim(0); t++) {
                int id = ids.getInt(t);
                if (id >= 0) {
                    Objects.checkIndex(id, dTable.size(0));
                    Rows.add(
                            dOut.memory(),
                            t * dOut.stride(0) + column,
                            1,
                            dTable.memory(),
                            id * dTable.stride(0) + column,
                            count);
                }
            }
        });
    }
}
