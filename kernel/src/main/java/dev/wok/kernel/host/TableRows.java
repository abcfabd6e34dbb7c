package dev.wok.kernel.host;

import dev.wok.device.Workers;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// [dev.wok.kernel.Embedding]'s forward pass on the host: rows are copied, widened where the table is narrow.
public final class TableRows {
    private TableRows() {}

    /// @param out float32
    public static void gather(Workers workers, Tensor ids, Tensor table, Tensor out) {
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
                if (table.dtype() == DType.F32) {
                    Copies.bytes(table.memory(), id * table.stride(0) * Float.BYTES, row, 0, bytes);
                } else {
                    out.select(0, t).copyFrom(table.select(0, id));
                }
            }
        });
    }
}
