package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import java.util.function.IntConsumer;

/// A short row in the registers of a warp: lane `l` has the numbers `l`, `l + 32` and so on.
///
/// @param count how many the row has
/// @param row which one this warp's is
record WarpRow(int count, Reg row, Reg lane) {
    /// A row for each warp of a [RowOfWarp#launch].
    static WarpRow of(PtxKernel k, int count, Reg rows) {
        RowOfWarp own = RowOfWarp.of(k, rows);
        return new WarpRow(count, own.row(), own.lane());
    }

    int perLane() {
        return Math.ceilDiv(count, Sums.LANES);
    }

    /// @return where a row's own begins: `base + row * rowBytes`
    Reg in(PtxKernel k, String name, Reg base, Object rowBytes) {
        if (rowBytes instanceof Reg bytes) {
            return Elements.row(k, name, base, row, bytes);
        }
        Reg at = k.reg(Type.U64, name);
        k.madWide(at, row, rowBytes, base);
        return at;
    }

    /// @return the place in the row of this lane's number `j`
    Reg index(PtxKernel k, int j) {
        Reg index = k.reg(Type.U32, "index");
        k.add(index, lane, j * Sums.LANES);
        return index;
    }

    /// Writes code for each number of a lane, which runs where the row has it.
    void each(PtxKernel k, IntConsumer body) {
        for (int i = 0; i < perLane(); i++) {
            int j = i;
            if ((j + 1) * Sums.LANES <= count) {
                body.accept(j);
            } else {
                k.when(k.compare(Compare.LT, lane, count - j * Sums.LANES), () -> body.accept(j));
            }
        }
    }

    /// @param from where the row begins
    /// @param outside what lanes have behind the row's end
    /// @return new registers
    Reg[] load(PtxKernel k, String name, Elements elements, Reg from, float outside) {
        Reg[] values = k.regs(Type.F32, name, perLane());
        if (count % Sums.LANES != 0) {
            k.mov(values[perLane() - 1], outside);
        }
        each(k, j -> elements.load(k, new Reg[] {values[j]}, at(k, elements, from, j)));
        return values;
    }

    void store(PtxKernel k, Elements elements, Reg to, Reg... values) {
        each(k, j -> elements.store(k, at(k, elements, to, j), values[j]));
    }

    private Reg at(PtxKernel k, Elements elements, Reg row, int j) {
        Reg at = k.reg(Type.U64, "at");
        k.madWide(at, index(k, j), elements.bytes(), row);
        return at;
    }
}
