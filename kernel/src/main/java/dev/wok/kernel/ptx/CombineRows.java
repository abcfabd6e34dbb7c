package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Adds each token's rows to it in the order of its choices: `y[t] += sum_k w[t, k] rows[row of slot
/// (t, k)]`. A token one of whose rows lies outside of the table becomes NaN.
///
/// @param elements of the rows and the tokens
/// @param isWeighted whether the rows have factors
record CombineRows(Elements elements, boolean isWeighted) {
    void write(PtxKernel k) {
        Reg rows = k.param("rows", Type.U64);
        Reg rowBytes = k.param("row_bytes", Type.U64);
        Reg y = k.param("y", Type.U64);
        Reg yBytes = k.param("y_row_bytes", Type.U64);
        Reg factors = k.param("factors", Type.U64);
        Reg slotRow = k.param("slot_row", Type.U64);
        Reg topK = k.param("top_k", Type.U32);
        Reg tokens = k.param("tokens", Type.U32);
        Reg columns = k.param("columns", Type.U32);
        Elements single = new Elements(elements.dtype(), 1);
        Reg count = k.reg(Type.U32, "count");
        k.mul(count, tokens, topK);
        Grid.eachOfRows(k, elements.count(), tokens, columns, (token, column) -> {
            Reg at = elements.at(k, "y_at", y, token, yBytes, column);
            Reg[] sums = elements.load(k, "sum", at);
            Reg slot = k.reg(Type.U32, "slot");
            Reg end = k.reg(Type.U32, "slots_end");
            k.mul(slot, token, topK);
            k.add(end, slot, topK);
            k.loop("choice", slot, end, 1, choice -> {
                Reg slotAt = k.reg(Type.U64, "slot_at");
                Reg row = k.reg(Type.U32, "row");
                Reg factor = k.reg(Type.F32, "factor", 1f);
                k.madWide(slotAt, choice, Integer.BYTES, slotRow);
                k.ld(GLOBAL, row, slotAt);
                if (isWeighted) {
                    Reg factorAt = k.reg(Type.U64, "factor_at");
                    k.madWide(factorAt, choice, single.bytes(), factors);
                    single.load(k, new Reg[] {factor}, factorAt);
                }
                Reg isBad = k.compare(Compare.GE, row, count);
                k.onlyIf(isBad, () -> k.mov(row, 0));
                k.onlyIf(isBad, () -> k.mov(factor, Float.NaN));
                Reg[] values = elements.load(k, "value", elements.at(k, "row_at", rows, row, rowBytes, column));
                for (int i = 0; i < sums.length; i++) {
                    k.fma(sums[i], factor, values[i], sums[i]);
                }
            });
            elements.store(k, at, sums);
        });
    }
}
