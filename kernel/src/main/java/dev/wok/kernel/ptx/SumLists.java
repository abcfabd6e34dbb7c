package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import java.util.function.Consumer;

/// Sums of rows by lists, each from zero on in the order of its list, see [dev.wok.kernel.PeerRows#sum].
///
/// @param from how rows are read
/// @param to how sums are written, as many numbers at once
record SumLists(Elements from, Elements to) {
    void write(PtxKernel k) {
        Reg offsets = k.param("offsets", Type.U64);
        Reg rows = k.param("rows", Type.U64);
        Reg weights = k.param("weights", Type.U64);
        Reg x = k.param("x", Type.U64);
        Reg xBytes = k.param("x_row_bytes", Type.U64);
        Reg out = k.param("out", Type.U64);
        Reg outBytes = k.param("out_row_bytes", Type.U64);
        Reg count = k.param("count", Type.U32);
        Reg columns = k.param("columns", Type.U32);
        Grid.eachOfRows(k, to.count(), count, columns, (i, column) -> {
            Reg[] sums = k.regs(Type.F32, "sum", to.count());
            for (Reg sum : sums) {
                k.mov(sum, 0f);
            }
            eachOf(k, offsets, i, term -> {
                Reg row = at(k, Type.U32, "row", rows, term);
                Reg weight = at(k, Type.F32, "weight", weights, term);
                Reg[] values = from.load(k, "value", from.at(k, "from", x, row, xBytes, column));
                for (int lane = 0; lane < sums.length; lane++) {
                    k.fma(sums[lane], weight, values[lane], sums[lane]);
                }
            });
            to.store(k, to.at(k, "to", out, i, outBytes, column), sums);
        });
    }

    /// Goes through a list.
    ///
    /// @param offsets where lists begin
    /// @param i which one
    static void eachOf(PtxKernel k, Reg offsets, Reg i, Consumer<Reg> body) {
        Reg offsetAt = k.reg(Type.U64, "offset_at");
        Reg begin = k.reg(Type.U32, "begin");
        Reg end = k.reg(Type.U32, "end");
        k.madWide(offsetAt, i, Integer.BYTES, offsets);
        k.ld(GLOBAL, begin, offsetAt);
        k.ld(GLOBAL, end, offsetAt.at(Integer.BYTES));
        k.loop("term", begin, end, 1, body);
    }

    /// @return a number of a list
    static Reg at(PtxKernel k, Type type, String name, Reg list, Reg i) {
        Reg at = k.reg(Type.U64, name + "_at");
        Reg value = k.reg(type, name);
        k.madWide(at, i, Integer.BYTES, list);
        k.ld(GLOBAL, value, at);
        return value;
    }
}
