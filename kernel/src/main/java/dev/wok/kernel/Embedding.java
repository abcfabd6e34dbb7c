package dev.wok.kernel;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// Rows of a table by token id.
///
/// A negative id stands for no token: it reads as zeros and receives no gradient; one beyond the table is an
/// [IndexOutOfBoundsException]. Exact; the gradient of a row is summed in the order of the tokens. Cost:
/// `tokens * hidden` elements read and written.
public abstract class Embedding {
    protected Embedding() {}

    /// `out[t] = table[ids[t]]`.
    ///
    /// @param ids `[tokens]`, I32, each below `vocab`
    /// @param table `[vocab, hidden]`; BF16 where `out` is F32, if one likes
    /// @param out `[tokens, hidden]`, written
    public final void forward(Tensor ids, Tensor table, Tensor out) {
        check(ids, out, "out", table, "table");
        Operands.requireRead("Embedding", table, "table", out.dtype());
        if (out.elements() > 0) {
            gather(ids, table, out);
        }
    }

    /// `dTable[ids[t]] += dOut[t]`.
    ///
    /// @param ids `[tokens]`, I32
    /// @param dOut `[tokens, hidden]`
    /// @param dTable `[vocab, hidden]`, accumulated into
    public final void backward(Tensor ids, Tensor dOut, Tensor dTable) {
        check(ids, dOut, "dOut", dTable, "dTable");
        Shape.requireRows("Embedding", dOut, "dOut", dTable.dtype());
        if (dOut.elements() > 0) {
            scatter(ids, dOut, dTable);
        }
    }

    private static void check(Tensor ids, Tensor rows, String rowsName, Tensor table, String tableName) {
        Shape.require("Embedding", ids, "ids", -1);
        Shape.requireRows("Embedding", ids, "ids", DType.I32);
        Shape.require("Embedding", table, tableName, -1, -1);
        Shape.require("Embedding", rows, rowsName, ids.dim(0), table.dim(1));
        Shape.requireRows("Embedding", table, tableName);
        Shape.requireRows("Embedding", rows, rowsName);
    }

    protected abstract void gather(Tensor ids, Tensor table, Tensor out);

    protected abstract void scatter(Tensor ids, Tensor dOut, Tensor dTable);
}
