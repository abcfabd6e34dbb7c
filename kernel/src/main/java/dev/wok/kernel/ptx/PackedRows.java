package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import java.util.function.Consumer;

/// The parameters of a product with a [Packed] weight, and which of its rows and panels a block has.
/// The grid is panels or several of them, by experts, by tiles of rows.
///
/// @param x the left operand as [PackedEntry] leaves it
/// @param heads of its groups
/// @param rowBytes of `x`
/// @param values of this block's expert
/// @param scales likewise
/// @param begin the expert's first row
/// @param end behind its last
record PackedRows(
        PackedShape shape,
        Reg x,
        Reg heads,
        Reg rowBytes,
        Reg values,
        Reg scales,
        Reg panelBytes,
        Reg panels,
        Reg groups,
        Reg units,
        Reg steps,
        Reg y,
        Reg yRowBytes,
        Reg n,
        Reg begin,
        Reg end,
        Reg rowSlot,
        Reg topK,
        Reg xRows) {

    /// A row of the left operand that does not exist.
    private static final int NONE = -1;

    private static final int SCALE_BYTES = Packed.ROWS * Short.BYTES;

    static PackedRows of(PtxKernel k, PackedShape shape) {
        Reg x = k.param("x", Type.U64);
        Reg heads = k.param("heads", Type.U64);
        Reg values = k.param("values", Type.U64);
        Reg scales = k.param("scales", Type.U64);
        Reg panelBytes = k.param("panel_bytes", Type.U64);
        Reg depth = k.param("k", Type.U32);
        Reg y = k.param("y", Type.U64);
        Reg yRowBytes = k.param("y_row_bytes", Type.U64);
        Reg rows = k.param("rows", Type.U32);
        Reg n = k.param("n", Type.U32);
        Reg offsets = k.param("offsets", Type.U64);
        Reg rowSlot = k.param("row_slot", Type.U64);
        Reg topK = k.param("top_k", Type.U32);
        Reg xRows = k.param("x_rows", Type.U32);
        Reg panels = k.reg(Type.U32, "panels");
        Reg groups = k.reg(Type.U32, "groups");
        Reg units = k.reg(Type.U32, "units");
        Reg steps = k.reg(Type.U32, "steps");
        Reg rowBytes = k.reg(Type.U32, "row_bytes");
        k.add(panels, n, Packed.ROWS - 1);
        k.div(panels, panels, Packed.ROWS);
        k.add(groups, depth, shape.group() - 1);
        k.div(groups, groups, shape.group());
        k.add(units, depth, Packed.UNIT - 1);
        k.div(units, units, Packed.UNIT);
        k.add(steps, depth, shape.element().perStep() - 1);
        k.div(steps, steps, shape.element().perStep());
        k.mul(rowBytes, units, Packed.UNIT * shape.entering().bytes());
        Reg begin = k.reg(Type.U32, "begin", 0);
        Reg end = k.reg(Type.U32, "end", rows);
        if (shape.isGrouped()) {
            k.comment("this expert's rows and weight");
            Reg expert = k.reg(Type.U32, "expert", Special.CTAID_Y);
            Reg at = k.reg(Type.U64, "offsets_at");
            k.madWide(at, expert, Integer.BYTES, offsets);
            k.ld(GLOBAL, begin, at);
            k.ld(GLOBAL, end, at.at(Integer.BYTES));
            k.min(end, end, rows);
            Reg before = k.reg(Type.U32, "panels_before");
            Reg wide = k.reg(Type.U64, "wide");
            k.mul(before, expert, panels);
            k.op("cvt.u64.u32", wide, before);
            k.mad(values, wide, panelBytes, values);
            k.mul(wide, wide, SCALE_BYTES);
            Reg wideGroups = k.reg(Type.U64, "wide_groups");
            k.op("cvt.u64.u32", wideGroups, groups);
            k.mad(scales, wide, wideGroups, scales);
        }
        return new PackedRows(
                shape,
                x,
                heads,
                rowBytes,
                values,
                scales,
                panelBytes,
                panels,
                groups,
                units,
                steps,
                y,
                yRowBytes,
                n,
                begin,
                end,
                rowSlot,
                topK,
                xRows);
    }

    /// Goes through the block's tiles of so many rows.
    void eachTile(PtxKernel k, int rows, Consumer<Reg> body) {
        Reg first = k.reg(Type.U32, "first_tile", Special.CTAID_Z);
        Reg step = k.reg(Type.U32, "tile_step", Special.NCTAID_Z);
        k.mad(first, first, rows, begin);
        k.mul(step, step, rows);
        k.loop("tile", first, end, step, body);
    }

    /// @param row of the result; behind the last one that is taken instead
    /// @return the row of the left operand that it is made of, in a new register; 2^32 - 1 where it
    ///     does not exist
    Reg source(PtxKernel k, Reg row) {
        Reg source = k.reg(Type.U32, "source");
        Reg last = k.reg(Type.U32, "last_row");
        k.sub(last, end, 1);
        k.min(source, row, last);
        if (shape.isGathered()) {
            Reg at = k.reg(Type.U64, "slot_at");
            k.madWide(at, source, Integer.BYTES, rowSlot);
            k.ld(GLOBAL, source, at);
            k.div(source, source, topK);
        }
        k.onlyIf(k.compare(Compare.GE, source, xRows), () -> k.mov(source, NONE));
        return source;
    }

    /// @return where a row of the left operand begins, in a new register; another one's where it does
    ///     not exist
    Reg sourceAt(PtxKernel k, Reg source) {
        Reg row = k.reg(Type.U32, "source_row", source);
        Reg at = k.reg(Type.U64, "source_at");
        k.onlyIf(isNone(k, source), () -> k.mov(row, 0));
        k.madWide(at, row, rowBytes, x);
        return at;
    }

    /// @return where the heads of a row of the left operand begin, in a new register
    Reg headsAt(PtxKernel k, Reg source) {
        Reg row = k.reg(Type.U32, "source_row", source);
        Reg bytes = k.reg(Type.U32, "head_bytes");
        Reg at = k.reg(Type.U64, "heads_at");
        k.onlyIf(isNone(k, source), () -> k.mov(row, 0));
        k.mul(bytes, groups, PackedEntry.HEAD);
        k.madWide(at, row, bytes, heads);
        return at;
    }

    /// @return what sums of a row begin with, in a new register: 0, or NaN where its left operand does
    ///     not exist
    Reg zero(PtxKernel k, Reg source) {
        Reg zero = k.reg(Type.F32, "zero", 0f);
        k.onlyIf(isNone(k, source), () -> k.mov(zero, Float.NaN));
        return zero;
    }

    private static Reg isNone(PtxKernel k, Reg source) {
        return k.compare(Compare.EQ, source, NONE);
    }

    /// @param panel of the weight; behind the last one that is taken instead
    /// @return where its values begin, in a new register
    Reg valuesAt(PtxKernel k, Reg panel) {
        Reg wide = k.reg(Type.U64, "wide_panel");
        Reg at = k.reg(Type.U64, "values_at");
        k.op("cvt.u64.u32", wide, inside(k, panel));
        k.mad(at, wide, panelBytes, values);
        return at;
    }

    /// @return where a panel's scales begin, in a new register
    Reg scalesAt(PtxKernel k, Reg panel) {
        Reg bytes = k.reg(Type.U32, "scale_bytes");
        Reg at = k.reg(Type.U64, "scales_at");
        k.mul(bytes, groups, SCALE_BYTES);
        k.madWide(at, inside(k, panel), bytes, scales);
        return at;
    }

    private Reg inside(PtxKernel k, Reg panel) {
        Reg inside = k.reg(Type.U32, "panel_inside");
        k.sub(inside, panels, 1);
        k.min(inside, inside, panel);
        return inside;
    }

    /// @return where a group's scales lie that begin at `scales`, in a new register
    static Reg groupScales(PtxKernel k, Reg scales, Reg group) {
        Reg at = k.reg(Type.U64, "group_scales_at");
        k.madWide(at, group, SCALE_BYTES, scales);
        return at;
    }

    /// Writes an element of the result, where there is one.
    void store(PtxKernel k, Reg row, Reg column, Reg value) {
        Reg isInside = k.compare(Compare.LT, row, end);
        Reg isColumn = k.compare(Compare.LT, column, n);
        k.op("and.pred", isInside, isInside, isColumn);
        k.when(isInside, () -> {
            Reg wide = k.reg(Type.U64, "wide_row");
            Reg at = k.reg(Type.U64, "y_at");
            k.op("cvt.u64.u32", wide, row);
            k.mad(at, wide, yRowBytes, y);
            k.madWide(at, column, Float.BYTES, at);
            if (shape.accumulates()) {
                Reg before = k.reg(Type.F32, "before");
                k.ld(GLOBAL, before, at);
                k.add(value, value, before);
            }
            k.st(GLOBAL, at, value);
        });
    }
}
