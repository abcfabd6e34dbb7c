package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import java.util.Arrays;

/// What becomes of the sums of an [ExpertProduct].
final class GroupedResult {
    private final PtxKernel k;
    private final ExpertProduct what;
    private final GroupedArguments a;
    private final GroupedBlock block;
    private final Elements elements;
    private final int partColumns;
    private final Reg base;
    private final Reg at;
    private final Reg extraAt;
    private final Reg factor;
    private final Reg dot;
    private final Reg isBad;

    /// @param elements of the result, and of the activation
    /// @param partColumns how many columns a part of a dot is of
    GroupedResult(
            PtxKernel k,
            ExpertProduct what,
            GroupedArguments a,
            GroupedBlock block,
            Elements elements,
            int partColumns) {
        this.k = k;
        this.what = what;
        this.a = a;
        this.block = block;
        this.elements = elements;
        this.partColumns = partColumns;
        base = what.isGradient() ? Elements.row(k, "out_at", a.out(), block.expert(), a.outExpert()) : a.out();
        at = k.reg(Type.U64, "out_row_at");
        extraAt = k.reg(Type.U64, "extra_row_at");
        factor = k.reg(Type.F32, "factor", 1f);
        dot = k.reg(Type.F32, "dot");
        isBad = k.reg(Type.PRED, "is_bad");
    }

    /// Writes what there is of a row of the tile.
    ///
    /// @param firstColumn of the part of the row that these lanes have
    /// @param lanes how many neighbours share the row
    /// @param lane this one's number
    /// @param body calls [#put] for all that this lane has
    void row(Reg row, Reg firstColumn, int lanes, Reg lane, Runnable body) {
        Reg isInside = k.compare(Compare.LT, row, block.endRow());
        if (what == ExpertProduct.DOWN_BACKWARD) {
            k.mov(dot, 0f);
        }
        k.when(isInside, () -> {
            k.op("cvt.u64.u32", at, row);
            if (what == ExpertProduct.GATE_UP || what == ExpertProduct.DOWN_BACKWARD) {
                k.mad(extraAt, at, a.extraRow(), a.extra());
            }
            k.mad(at, at, a.outRow(), base);
            if (what.gathersLeft()) {
                beginRow(row);
            }
            body.run();
        });
        if (what == ExpertProduct.DOWN_BACKWARD) {
            Sums.overLanes(k, dot, lanes);
            Reg share = k.reg(Type.U32, "share");
            k.and(share, lane, lanes - 1);
            Reg isFirst = k.compare(Compare.EQ, share, 0);
            k.op("and.pred", isInside, isInside, isFirst);
            Reg isColumn = k.compare(Compare.LT, firstColumn, a.width());
            k.op("and.pred", isInside, isInside, isColumn);
            k.when(isInside, () -> {
                Reg parts = k.reg(Type.U32, "parts_each");
                Reg part = k.reg(Type.U32, "part");
                Reg partAt = k.reg(Type.U64, "part_at");
                k.add(parts, a.width(), partColumns - 1);
                k.div(parts, parts, partColumns);
                k.div(part, firstColumn, partColumns);
                k.mulWide(partAt, row, parts);
                k.mad(partAt, partAt, (long) Float.BYTES, a.parts());
                k.madWide(partAt, part, Float.BYTES, partAt);
                k.st(GLOBAL, partAt, dot);
            });
        }
    }

    /// A row whose slot lies outside of the table is NaN.
    private void beginRow(Reg row) {
        Reg slot = a.slot(k, row);
        k.setp(Compare.GE, isBad, slot, a.rows());
        if (what == ExpertProduct.DOWN_BACKWARD) {
            Elements one = new Elements(elements.dtype(), 1);
            Reg factorAt = k.reg(Type.U64, "factor_at");
            k.mov(factor, Float.NaN);
            k.when(isBad.not(), () -> {
                k.madWide(factorAt, slot, one.bytes(), a.factors());
                one.load(k, new Reg[] {factor}, factorAt);
            });
        }
    }

    /// @param column of the first value
    /// @param values of neighbouring columns, as many as [Elements#WIDE] or fewer; changed
    void put(Reg column, Reg... values) {
        eachColumn(column, values.length, (c, i) -> {
            Reg[] some = part(values, i);
            Reg to = k.reg(Type.U64, "to");
            k.madWide(to, c, elements.bytes(), at);
            if (what.isGradient()) {
                Reg[] before = elements.load(k, "before", to);
                for (int j = 0; j < some.length; j++) {
                    k.add(some[j], some[j], before[j]);
                }
            }
            if (what == ExpertProduct.DOWN_BACKWARD) {
                Reg from = k.reg(Type.U64, "activated_at");
                k.madWide(from, c, elements.bytes(), extraAt);
                Reg[] activated = elements.load(k, "activated", from);
                for (int j = 0; j < some.length; j++) {
                    k.fma(dot, some[j], activated[j], dot);
                    k.mul(some[j], some[j], factor);
                }
            }
            elements.store(k, to, some);
        });
    }

    /// @param column of the first gate
    /// @param gates of neighbouring columns; changed
    /// @param ups of the same; changed
    void put(Reg column, Reg[] gates, Reg[] ups) {
        eachColumn(column, gates.length, (c, i) -> {
            Reg[] gate = part(gates, i);
            Reg[] up = part(ups, i);
            Reg to = k.reg(Type.U64, "to");
            Reg upColumn = k.reg(Type.U32, "up_column");
            for (int j = 0; j < gate.length; j++) {
                settle(gate[j]);
                settle(up[j]);
            }
            k.madWide(to, c, elements.bytes(), at);
            elements.store(k, to, gate);
            k.add(upColumn, c, a.width());
            k.madWide(to, upColumn, elements.bytes(), at);
            elements.store(k, to, up);
            for (int j = 0; j < gate.length; j++) {
                k.mul(gate[j], gate[j], Sigmoid.of(k, gate[j]));
                k.mul(gate[j], gate[j], up[j]);
            }
            k.madWide(to, c, elements.bytes(), extraAt);
            elements.store(k, to, gate);
        });
    }

    /// The number that will be read again.
    private void settle(Reg value) {
        k.selp(value, Float.NaN, value, isBad);
        if (elements.dtype() == DType.BF16) {
            Rounding.toBf16(k, value);
        }
    }

    private Reg[] part(Reg[] values, int from) {
        return Arrays.copyOfRange(values, from, from + elements.count());
    }

    private interface Column {
        void at(Reg column, int index);
    }

    private void eachColumn(Reg column, int count, Column body) {
        for (int i = 0; i < count; i += elements.count()) {
            int index = i;
            Reg c = k.reg(Type.U32, "c");
            k.add(c, column, i);
            k.when(k.compare(Compare.LT, c, a.width()), () -> body.at(c, index));
        }
    }
}
