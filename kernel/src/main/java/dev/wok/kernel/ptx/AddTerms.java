package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.PeerRows;
import dev.wok.tensor.DType;

/// Adds to each token its terms in their order, see [PeerRows#add].
///
/// @param sums how sums are read, and rounded
/// @param rows how rows are read
/// @param y how tokens are read and written, as many numbers at once as the others
record AddTerms(Elements sums, Elements rows, Elements y) {
    void write(PtxKernel k) {
        Reg offsets = k.param("offsets", Type.U64);
        Reg places = k.param("places", Type.U64);
        Reg kinds = k.param("kinds", Type.U64);
        Reg weights = k.param("weights", Type.U64);
        Reg sumTable = k.param("sums", Type.U64);
        Reg sumBytes = k.param("sum_bytes", Type.U64);
        Reg rowTable = k.param("rows", Type.U64);
        Reg rowBytes = k.param("row_bytes", Type.U64);
        Reg tokens = k.param("y", Type.U64);
        Reg yBytes = k.param("y_row_bytes", Type.U64);
        Reg count = k.param("tokens", Type.U32);
        Reg columns = k.param("columns", Type.U32);
        Grid.eachOfRows(k, y.count(), count, columns, (token, column) -> {
            Reg yAt = y.at(k, "y_at", tokens, token, yBytes, column);
            Reg[] total = y.load(k, "total", yAt);
            Reg[] apart = k.regs(Type.F32, "apart", y.count());
            Reg[] value = k.regs(Type.F32, "value", y.count());
            for (Reg part : apart) {
                k.mov(part, 0f);
            }
            SumLists.eachOf(k, offsets, token, term -> {
                Reg place = SumLists.at(k, Type.U32, "place", places, term);
                Reg kind = SumLists.at(k, Type.U32, "kind", kinds, term);
                Reg weight = SumLists.at(k, Type.F32, "weight", weights, term);
                k.when(
                        k.compare("is_row", Compare.NE, kind, 0),
                        () -> {
                            rows.load(k, value, rows.at(k, "row_at", rowTable, place, rowBytes, column));
                            k.when(
                                    k.compare("is_direct", Compare.GE, kind, PeerRows.DIRECT),
                                    () -> add(k, weight, value, total),
                                    () -> addApart(k, kind, weight, value, apart, total));
                        },
                        () -> {
                            sums.load(k, value, sums.at(k, "sum_at", sumTable, place, sumBytes, column));
                            Sums.add(k, total, value);
                        });
            });
            y.store(k, yAt, total);
        });
    }

    private static void add(PtxKernel k, Reg weight, Reg[] value, Reg[] to) {
        for (int i = 0; i < to.length; i++) {
            k.fma(to[i], weight, value[i], to[i]);
        }
    }

    private void addApart(PtxKernel k, Reg kind, Reg weight, Reg[] value, Reg[] apart, Reg[] total) {
        Reg bit = k.reg(Type.B32, "bit");
        k.and(bit, kind, PeerRows.FIRST);
        Reg isFirst = k.compare("is_first", Compare.NE, bit, 0);
        for (Reg part : apart) {
            k.onlyIf(isFirst, () -> k.mov(part, 0f));
        }
        add(k, weight, value, apart);
        k.and(bit, kind, PeerRows.LAST);
        Reg isLast = k.compare("is_last", Compare.NE, bit, 0);
        k.when(isLast, () -> {
            if (sums.dtype() == DType.BF16) {
                Rounding.toBf16(k, apart);
            }
            Sums.add(k, total, apart);
        });
    }
}
