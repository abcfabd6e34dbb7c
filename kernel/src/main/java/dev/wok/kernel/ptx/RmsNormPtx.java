package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.RmsNorm;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Each row belongs to one warp where it is short, to a block where it is long: read for the sum, and once more, from
/// the cache, for the result.
final class RmsNormPtx extends RmsNorm {
    /// Rows up to here are a warp's.
    private static final int SHORT = 1024;

    private static final int BLOCK_WARPS = 8;
    private static final int ROWS_PER_BLOCK = 4;

    /// Columns of a block that sums the weight's gradient, and its threads along the tokens.
    private static final int COLUMNS = Sums.LANES;

    private static final int SLICES = 8;

    private final Programs programs;

    RmsNormPtx(Programs programs) {
        this.programs = programs;
    }

    /// @param warps of a row
    private record Row(Elements elements, int warps) {
        int rowsPerBlock() {
            return warps == 1 ? ROWS_PER_BLOCK : 1;
        }

        Launch launch(int tokens) {
            return Launch.of((tokens + rowsPerBlock() - 1) / rowsPerBlock(), Sums.LANES * warps * rowsPerBlock());
        }
    }

    private record Forward(Row row) {}

    private record Backward(Row row, boolean accumulates) {}

    private record WeightGradient(Elements elements) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        for (int warps : new int[] {1, BLOCK_WARPS}) {
            Row row = new Row(elements, warps);
            all.add(k -> forward(k, row));
            all.add(k -> inputGradient(k, row, false));
            all.add(k -> inputGradient(k, row, true));
        }
        all.add(k -> weightGradient(k, new Elements(elements.dtype(), 1)));
        return all;
    }

    private static Row row(int n, Tensor... tensors) {
        return new Row(Elements.of(n, tensors), n <= SHORT ? 1 : BLOCK_WARPS);
    }

    @Override
    protected void normalize(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd) {
        Row row = row(x.size(1), x, weight, y);
        PtxFunction kernel = programs.get(new Forward(row), "rms_norm", k -> forward(k, row));
        programs.gpu().stream()
                .launch(
                        kernel,
                        row.launch(x.size(0)),
                        x,
                        Elements.rowBytes(x),
                        weight,
                        y,
                        Elements.rowBytes(y),
                        rstd,
                        x.size(0),
                        x.size(1),
                        (float) eps);
    }

    /// Which row a thread works on, and which part of it.
    ///
    /// @param at where the thread begins, in numbers
    private record Place(Reg row, Reg at, Reg lane, Reg warp) {
        static Place of(PtxKernel k, Row shape, Reg tokens) {
            Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
            Reg lane = k.reg(Type.U32, "lane");
            Reg warp = k.reg(Type.U32, "warp");
            Reg row = k.reg(Type.U32, "row", Special.CTAID_X);
            k.and(lane, tid, Sums.LANES - 1);
            k.shr(warp, tid, 5);
            Reg at = k.reg(Type.U32, "at");
            if (shape.warps == 1) {
                k.comment("a row for each warp");
                k.mad(row, row, shape.rowsPerBlock(), warp);
                k.mul(at, lane, shape.elements.count());
            } else {
                k.comment("a row for the block");
                k.mul(at, tid, shape.elements.count());
            }
            k.when(k.compare(Compare.GE, row, tokens), k::ret);
            return new Place(row, at, lane, warp);
        }

        /// @return where this row of a matrix begins
        Reg in(PtxKernel k, String name, Reg base, Reg rowBytes) {
            Reg begin = k.reg(Type.U64, name);
            Reg wide = k.reg(Type.U64, "wide");
            k.op("cvt.u64.u32", wide, row);
            k.mad(begin, wide, rowBytes, base);
            return begin;
        }

        /// @return a place of a vector with one number for each row
        Reg in(PtxKernel k, String name, Reg base) {
            Reg place = k.reg(Type.U64, name);
            k.madWide(place, row, Float.BYTES, base);
            return place;
        }
    }

    private static void eachPart(PtxKernel k, Row shape, Place place, Reg n, Consumer<Reg> body) {
        k.loop("i", place.at, n, Sums.LANES * shape.warps * shape.elements.count(), body);
    }

    private static Reg address(PtxKernel k, String name, Reg begin, Reg i, Elements elements) {
        Reg address = k.reg(Type.U64, name);
        k.madWide(address, i, elements.bytes(), begin);
        return address;
    }

    private static void forward(PtxKernel k, Row shape) {
        Elements elements = shape.elements;
        Reg x = k.param("x", Type.U64);
        Reg xRow = k.param("x_row_bytes", Type.U64);
        Reg weight = k.param("weight", Type.U64);
        Reg y = k.param("y", Type.U64);
        Reg yRow = k.param("y_row_bytes", Type.U64);
        Reg rstds = k.param("rstd", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        Reg eps = k.param("eps", Type.F32);
        Symbol part = Sums.part(k, "part", shape.warps);
        Place place = Place.of(k, shape, tokens);
        Reg from = place.in(k, "from", x, xRow);
        Reg to = place.in(k, "to", y, yRow);

        k.comment("rstd = 1 / sqrt(mean(x^2) + eps)");
        Reg sum = k.reg(Type.F32, "sum", 0f);
        eachPart(k, shape, place, n, i -> {
            for (Reg value : elements.load(k, "x", address(k, "x_at", from, i, elements))) {
                k.fma(sum, value, value, sum);
            }
        });
        Sums.overBlock(k, sum, shape.warps, part, place.lane, place.warp);
        Reg count = k.reg(Type.F32, "count");
        Reg rstd = k.reg(Type.F32, "rstd");
        k.cvt(count, n);
        k.div(rstd, sum, count);
        k.add(rstd, rstd, eps);
        k.sqrt(rstd, rstd);
        k.op("rcp.rn.f32", rstd, rstd);
        Reg isFirst = k.compare(Compare.EQ, place.at, 0);
        Reg rstdAt = place.in(k, "rstd_at", rstds);
        k.when(isFirst, () -> k.st(GLOBAL, rstdAt, rstd));

        k.comment("y = x * rstd * weight");
        eachPart(k, shape, place, n, i -> {
            Reg[] values = elements.load(k, "x", address(k, "x_at", from, i, elements));
            Reg[] scales = elements.load(k, "w", address(k, "w_at", weight, i, elements));
            for (int j = 0; j < values.length; j++) {
                k.mul(values[j], values[j], rstd);
                k.mul(values[j], values[j], scales[j]);
            }
            elements.store(k, address(k, "y_at", to, i, elements), values);
        });
    }

    @Override
    protected void gradient(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        Row row = row(x.size(1), x, weight, dy, dx);
        PtxFunction forInput =
                programs.get(new Backward(row, accumulate), "rms_norm_dx", k -> inputGradient(k, row, accumulate));
        Elements single = new Elements(x.dtype(), 1);
        PtxFunction forWeight = programs.get(new WeightGradient(single), "rms_norm_dw", k -> weightGradient(k, single));
        programs.gpu().stream()
                .launch(
                        forInput,
                        row.launch(x.size(0)),
                        x,
                        Elements.rowBytes(x),
                        weight,
                        rstd,
                        dy,
                        Elements.rowBytes(dy),
                        dx,
                        Elements.rowBytes(dx),
                        x.size(0),
                        x.size(1));
        programs.gpu().stream()
                .launch(
                        forWeight,
                        Launch.of((x.size(1) + COLUMNS - 1) / COLUMNS, 1).withBlock(COLUMNS, SLICES, 1),
                        x,
                        Elements.rowBytes(x),
                        rstd,
                        dy,
                        Elements.rowBytes(dy),
                        dWeight,
                        x.size(0),
                        x.size(1));
    }

    private static void inputGradient(PtxKernel k, Row shape, boolean accumulates) {
        Elements elements = shape.elements;
        Reg x = k.param("x", Type.U64);
        Reg xRow = k.param("x_row_bytes", Type.U64);
        Reg weight = k.param("weight", Type.U64);
        Reg rstds = k.param("rstd", Type.U64);
        Reg dy = k.param("dy", Type.U64);
        Reg dyRow = k.param("dy_row_bytes", Type.U64);
        Reg dx = k.param("dx", Type.U64);
        Reg dxRow = k.param("dx_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        Symbol part = Sums.part(k, "part", shape.warps);
        Place place = Place.of(k, shape, tokens);
        Reg fromX = place.in(k, "from_x", x, xRow);
        Reg fromDy = place.in(k, "from_dy", dy, dyRow);
        Reg to = place.in(k, "to", dx, dxRow);
        Reg rstd = k.reg(Type.F32, "rstd");
        k.ld(GLOBAL, rstd, place.in(k, "rstd_at", rstds));

        k.comment("mean = mean(dy * weight * x * rstd)");
        Reg mean = k.reg(Type.F32, "mean", 0f);
        Reg g = k.reg(Type.F32, "g");
        Reg h = k.reg(Type.F32, "h");
        eachPart(k, shape, place, n, i -> {
            Reg[] values = elements.load(k, "x", address(k, "x_at", fromX, i, elements));
            Reg[] scales = elements.load(k, "w", address(k, "w_at", weight, i, elements));
            Reg[] slopes = elements.load(k, "dy", address(k, "dy_at", fromDy, i, elements));
            for (int j = 0; j < values.length; j++) {
                k.mul(g, slopes[j], scales[j]);
                k.mul(h, values[j], rstd);
                k.fma(mean, g, h, mean);
            }
        });
        Sums.overBlock(k, mean, shape.warps, part, place.lane, place.warp);
        Reg count = k.reg(Type.F32, "count");
        k.cvt(count, n);
        k.div(mean, mean, count);

        k.comment("dx = rstd * (dy * weight - x * rstd * mean)");
        eachPart(k, shape, place, n, i -> {
            Reg[] values = elements.load(k, "x", address(k, "x_at", fromX, i, elements));
            Reg[] scales = elements.load(k, "w", address(k, "w_at", weight, i, elements));
            Reg[] slopes = elements.load(k, "dy", address(k, "dy_at", fromDy, i, elements));
            Reg dxAt = address(k, "dx_at", to, i, elements);
            Reg[] before = accumulates ? elements.load(k, "dx", dxAt) : new Reg[0];
            for (int j = 0; j < values.length; j++) {
                k.mul(g, slopes[j], scales[j]);
                k.mul(h, values[j], rstd);
                k.mul(h, h, mean);
                k.sub(g, g, h);
                if (accumulates) {
                    k.fma(values[j], g, rstd, before[j]);
                } else {
                    k.mul(values[j], g, rstd);
                }
            }
            elements.store(k, dxAt, values);
        });
    }

    /// A thread sums every eighth token of a column; the block's eight rows of threads are added in their order.
    private static void weightGradient(PtxKernel k, Elements elements) {
        Reg x = k.param("x", Type.U64);
        Reg xRow = k.param("x_row_bytes", Type.U64);
        Reg rstds = k.param("rstd", Type.U64);
        Reg dy = k.param("dy", Type.U64);
        Reg dyRow = k.param("dy_row_bytes", Type.U64);
        Reg dWeight = k.param("dweight", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        Symbol parts = k.shared("parts", Type.F32, COLUMNS * SLICES, Float.BYTES);
        Reg column = k.reg(Type.U32, "column", Special.CTAID_X);
        Reg lane = k.reg(Type.U32, "lane", Special.TID_X);
        Reg slice = k.reg(Type.U32, "slice", Special.TID_Y);
        k.mad(column, column, COLUMNS, lane);
        Reg isInside = k.compare(Compare.LT, column, n);

        Reg sum = k.reg(Type.F32, "sum", 0f);
        k.when(isInside, () -> {
            Reg wide = k.reg(Type.U64, "wide");
            Reg fromX = k.reg(Type.U64, "from_x");
            Reg fromDy = k.reg(Type.U64, "from_dy");
            Reg rstd = k.reg(Type.F32, "rstd");
            Reg h = k.reg(Type.F32, "h");
            k.loop("token", slice, tokens, SLICES, token -> {
                k.op("cvt.u64.u32", wide, token);
                k.mad(fromX, wide, xRow, x);
                k.mad(fromDy, wide, dyRow, dy);
                Reg value = elements.load(k, "x", address(k, "x_at", fromX, column, elements))[0];
                Reg slope = elements.load(k, "dy", address(k, "dy_at", fromDy, column, elements))[0];
                Reg rstdAt = k.reg(Type.U64, "rstd_at");
                k.madWide(rstdAt, token, Float.BYTES, rstds);
                k.ld(GLOBAL, rstd, rstdAt);
                k.mul(h, value, rstd);
                k.fma(sum, slope, h, sum);
            });
        });

        k.comment("the slices in their order");
        Reg at = k.reg(Type.U32, "part_at");
        Reg base = k.reg(Type.U32, "parts_at");
        k.mov(base, parts);
        k.mad(base, lane, Float.BYTES, base);
        k.mad(at, slice, Float.BYTES * COLUMNS, base);
        k.st(SHARED, at, sum);
        k.bar();
        Reg isFirst = k.compare(Compare.EQ, slice, 0);
        k.op("and.pred", isFirst, isFirst, isInside);
        k.when(isFirst, () -> {
            Reg to = address(k, "to", dWeight, column, elements);
            Reg total = elements.load(k, "total", to)[0];
            Reg one = k.reg(Type.F32, "one");
            for (int i = 0; i < SLICES; i++) {
                k.ld(SHARED, one, base.at((long) i * Float.BYTES * COLUMNS));
                k.add(total, total, one);
            }
            elements.store(k, to, total);
        });
    }
}
