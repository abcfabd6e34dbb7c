package dev.wok.kernel.x86;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.kernel.Embedding;
import dev.wok.kernel.host.TableRows;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Objects;

final class EmbeddingX86 extends Embedding {
    private static final String OP = "Embedding";
    private static final int COLUMNS_PER_TASK = 512;

    private final Workers workers;
    private final Program add;

    EmbeddingX86(Programs programs) {
        workers = programs.device().workers();
        add = Rows.add(programs, false);
    }

    @Override
    protected void gather(Tensor ids, Tensor table, Tensor out) {
        Span tokens = Span.read(OP, ids, DType.I32);
        Span rows = Span.read(OP, table, table.dtype());
        Span result = Span.written(OP, out);
        TableRows.gather(workers, ids, table, out);
        Span.keep(tokens, rows, result);
    }

    /* Tokens may share a row, so the split is by columns: each task walks all tokens in order. */
    @Override
    protected void scatter(Tensor ids, Tensor dOut, Tensor dTable) {
        Span tokens = Span.read(OP, ids, DType.I32);
        Span in = Span.read(OP, dOut);
        Span rows = Span.written(OP, dTable);
        Tasks.ranges(workers, dOut.size(1), COLUMNS_PER_TASK, (from, to, _) -> {
            for (long t = 0; t < dOut.dim(0); t++) {
                int id = ids.getInt(t);
                if (id >= 0) {
                    Objects.checkIndex(id, dTable.size(0));
                    long sum = rows.row(id) + (long) from * Float.BYTES;
                    add.call(sum, in.row(t) + (long) from * Float.BYTES, sum, to - from);
                }
            }
        });
        Span.keep(tokens, in, rows);
    }
}
