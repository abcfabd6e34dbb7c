package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Embedding;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
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
        long bytes = out.dim(1) * Float.BYTES;
        Tasks.rows(workers, out.size(0), out.dim(1), (from, to, _) -> {
            for (int t = from; t < to; t++) {
                int id = ids.getInt(t);
                MemorySegment row = out.memory().asSlice(t * out.stride(0) * Float.BYTES, bytes);
                if (id < 0) {
                    row.fill((byte) 0);
                    continue;
                }
                Objects.checkIndex(id, table.size(0));
                if (table.dtype() != DType.F32) {
                    out.select(0, t).copyFrom(table.select(0, id));
                } else {
                    MemorySegment.copy(table.memory(), id * table.stride(0) * Float.BYTES, row, 0, bytes);
                }
            }
        });
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
