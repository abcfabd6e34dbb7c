package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import dev.wok.kernel.ptx.PackedShape.Entering;
import dev.wok.tensor.DType;

/// Turns rows of a left operand into what a product with a [Packed] weight reads: rounded, in whole
/// units of 32 elements with zeros behind the end, each unit in [PackedShape#order]. A warp takes a
/// group of a row.
///
/// Where it rounds to 8 bits, it does so as [dev.wok.kernel.Activations#quantize], and leaves for each
/// group its scale and what sums begin with: minus the sum of the whole numbers times what the weight's
/// lie too high.
///
/// @param from F32 or BF16
record PackedEntry(DType from, PackedShape shape) {
    private static final int WARPS = 4;
    private static final int MOST_ROWS = 65535;
    private static final float MOST = 127;

    /// Bytes of a group's scale and beginning.
    static final int HEAD = 8;

    static PackedEntry of(DType from, PackedShape shape) {
        return new PackedEntry(
                from, new PackedShape(shape.element(), shape.entering(), shape.group(), false, false, false, false));
    }

    Launch launch(int rows, int k) {
        return Launch.of(1, WARPS * Sums.LANES)
                .withGrid(Math.ceilDiv(shape.groups(k), WARPS), Math.min(rows, MOST_ROWS), 1);
    }

    void write(PtxKernel k) {
        k.maxThreads(WARPS * Sums.LANES);
        Elements source = new Elements(from, 1);
        Reg x = k.param("x", Type.U64);
        Reg xRow = k.param("x_row_bytes", Type.U64);
        Reg entered = k.param("entered", Type.U64);
        Reg heads = k.param("heads", Type.U64);
        Reg rows = k.param("rows", Type.U32);
        Reg depth = k.param("k", Type.U32);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg group = k.reg(Type.U32, "warp");
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(group, tid, 5);
        k.mad(group, block, WARPS, group);
        Reg begin = k.reg(Type.U32, "begin");
        Reg end = k.reg(Type.U32, "end");
        Reg padded = k.reg(Type.U32, "padded");
        k.add(padded, depth, Packed.UNIT - 1);
        k.and(padded, padded, -Packed.UNIT);
        k.mul(begin, group, shape.group());
        k.when(k.compare(Compare.GE, begin, depth), k::ret);
        k.add(end, begin, shape.group());
        k.min(end, end, padded);
        Reg place = place(k, lane);
        Reg firstRow = k.reg(Type.U32, "first_row", Special.CTAID_Y);
        Reg rowStep = k.reg(Type.U32, "row_step", Special.NCTAID_Y);
        Reg own = k.reg(Type.U32, "own");
        k.add(own, begin, lane);
        k.loop("row", firstRow, rows, rowStep, row -> {
            Reg wide = k.reg(Type.U64, "wide");
            Reg from = k.reg(Type.U64, "from");
            Reg to = k.reg(Type.U64, "to");
            k.op("cvt.u64.u32", wide, row);
            k.mad(from, wide, xRow, x);
            Reg rowBytes = k.reg(Type.U32, "entered_row_bytes");
            k.mul(rowBytes, padded, shape.entering().bytes());
            k.madWide(to, row, rowBytes, entered);
            Reg value = k.reg(Type.F32, "value");
            if (shape.entering() == Entering.INT8) {
                Reg head = k.reg(Type.U64, "head_at");
                Reg groups = k.reg(Type.U32, "groups");
                k.add(groups, depth, shape.group() - 1);
                k.div(groups, groups, shape.group());
                k.mul(groups, groups, HEAD);
                k.madWide(head, row, groups, heads);
                k.madWide(head, group, HEAD, head);
                quantize(k, source, from, to, own, end, depth, place, lane, value, head);
            } else {
                k.loop("at", own, end, Sums.LANES, at -> {
                    load(k, source, value, from, at, depth);
                    Reg target = target(k, to, at, lane, place);
                    new Elements(shape.entering() == Entering.F32 ? DType.F32 : DType.BF16, 1).store(k, target, value);
                });
            }
        });
    }

    /// @return the lane's place in a unit
    private Reg place(PtxKernel k, Reg lane) {
        int[] order = shape.order();
        Reg place = k.reg(Type.U32, "place", 0);
        Reg bit = k.reg(Type.U32, "bit");
        for (int from : order) {
            k.shr(bit, lane, from);
            k.and(bit, bit, 1);
            k.mad(place, place, 2, bit);
        }
        return place;
    }

    private static void load(PtxKernel k, Elements source, Reg value, Reg row, Reg at, Reg depth) {
        k.mov(value, 0f);
        k.when(k.compare(Compare.LT, at, depth), () -> {
            Reg address = k.reg(Type.U64, "x_at");
            k.madWide(address, at, source.bytes(), row);
            source.load(k, new Reg[] {value}, address);
        });
    }

    /// @return where an element of this lane goes
    private Reg target(PtxKernel k, Reg row, Reg at, Reg lane, Reg place) {
        Reg index = k.reg(Type.U32, "index");
        Reg target = k.reg(Type.U64, "target");
        k.sub(index, at, lane);
        k.add(index, index, place);
        k.madWide(target, index, shape.entering().bytes(), row);
        return target;
    }

    private void quantize(
            PtxKernel k,
            Elements source,
            Reg from,
            Reg to,
            Reg own,
            Reg end,
            Reg depth,
            Reg place,
            Reg lane,
            Reg value,
            Reg head) {
        Reg largest = k.reg(Type.F32, "largest", 0f);
        Reg spoiled = k.reg(Type.F32, "spoiled", 0f);
        Reg size = k.reg(Type.F32, "size");
        k.loop("at", own, end, Sums.LANES, at -> {
            load(k, source, value, from, at, depth);
            k.abs(size, value);
            k.op("max.NaN.f32", largest, largest, size);
            k.fma(spoiled, value, 0f, spoiled);
        });
        Sums.greatestOfWarp(k, largest);
        Sums.overWarp(k, spoiled);
        Reg factor = k.reg(Type.F32, "factor", MOST);
        Reg scale = k.reg(Type.F32, "scale");
        k.div(factor, factor, largest);
        k.div(scale, largest, MOST);
        k.add(scale, scale, spoiled);
        k.comment("a group of zeros");
        k.onlyIf(k.compare(Compare.EQ, largest, 0f), () -> k.mov(factor, 0f));
        Reg sum = k.reg(Type.S32, "sum", 0);
        Reg whole = k.reg(Type.S32, "whole");
        k.loop("at", own, end, Sums.LANES, at -> {
            load(k, source, value, from, at, depth);
            k.mul(value, value, factor);
            k.op("max.NaN.f32", value, value, -MOST);
            k.op("min.NaN.f32", value, value, MOST);
            k.op("cvt.rni.s32.f32", whole, value);
            k.add(sum, sum, whole);
            k.op("st.global.u8", target(k, to, at, lane, place).at(0), whole);
        });
        k.op("redux.sync.add.s32", sum, sum, Largest.FULL_WARP);
        k.mul(sum, sum, -shape.offset());
        Reg bits = k.reg(Type.S32, "scale_bits");
        k.op("mov.b32", bits, scale);
        k.when(k.compare(Compare.EQ, lane, 0), () -> k.st(GLOBAL, head, vec(bits, sum)));
    }
}
