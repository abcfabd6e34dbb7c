package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

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

/// Each row belongs to one warp where it is short, to a block where it is long: read for the sum, and
/// once more, from the cache, for the result.
final class RmsNormPtx extends RmsNorm {
    /// Rows up to here are a warp's.
    private static final int SHORT = 1024;

    private static final int BLOCK_WARPS = 8;
    private static final int ROWS_PER_BLOCK = 4;

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
            return Launch.of(Math.ceilDiv(tokens, rowsPerBlock()), Sums.LANES * warps * rowsPerBlock());
        }
    }

    private record Forward(Row row) {}

    private record Backward(Row row, boolean accumulates) {}

    private record WeightGradient(Elements elements) implements ColumnSums.Terms {
        @Override
        public String name() {
            return "rms_norm_dw";
        }

        @Override
        public ColumnSums.Adder begin(PtxKernel k) {
            Reg x = k.param("x", Type.U64);
            Reg xRow = k.param("x_row_bytes", Type.U64);
            Reg rstds = k.param("rstd", Type.U64);
            Reg dy = k.param("dy", Type.U64);
            Reg dyRow = k.param("dy_row_bytes", Type.U64);
            Reg rstd = k.reg(Type.F32, "rstd");
            Reg h = k.reg(Type.F32, "h");
            return (sums, token, column) -> {
                Reg[] values = elements.load(k, "x", elements.at(k, "x_at", x, token, xRow, column));
                Reg[] slopes = elements.load(k, "dy", elements.at(k, "dy_at", dy, token, dyRow, column));
                Reg rstdAt = k.reg(Type.U64, "rstd_at");
                k.madWide(rstdAt, token, Float.BYTES, rstds);
                k.ld(GLOBAL, rstd, rstdAt);
                for (int i = 0; i < sums.length; i++) {
                    k.mul(h, values[i], rstd);
                    k.fma(sums[i], slopes[i], h, sums[i]);
                }
            };
        }
    }

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        for (int warps : new int[] {1, BLOCK_WARPS}) {
            Row row = new Row(elements, warps);
            all.add(k -> forward(k, row));
            all.add(k -> inputGradient(k, row, false));
            all.add(k -> inputGradient(k, row, true));
        }
        all.addAll(ColumnSums.kernels(new WeightGradient(elements)));
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
    private record Place(Reg row, Reg at, BlockThread thread) {
        static Place of(PtxKernel k, Row shape, Reg tokens) {
            BlockThread thread = BlockThread.of(k);
            Reg row = k.reg(Type.U32, "row", Special.CTAID_X);
            Reg at = k.reg(Type.U32, "at");
            if (shape.warps == 1) {
                k.comment("a row for each warp");
                k.mad(row, row, shape.rowsPerBlock(), thread.warp());
                k.mul(at, thread.lane(), shape.elements.count());
            } else {
                k.comment("a row for the block");
                k.mul(at, thread.number(), shape.elements.count());
            }
            k.when(k.compare(Compare.GE, row, tokens), k::ret);
            return new Place(row, at, thread);
        }

        /// @return where this row of a matrix begins
        Reg in(PtxKernel k, String name, Reg base, Reg rowBytes) {
            return Elements.row(k, name, base, row, rowBytes);
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
            for (Reg value : elements.load(k, "x", elements.at(k, "x_at", from, i))) {
                k.fma(sum, value, value, sum);
            }
        });
        Sums.overBlock(k, sum, shape.warps, part, place.thread.lane(), place.thread.warp());
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
            Reg[] values = elements.load(k, "x", elements.at(k, "x_at", from, i));
            Reg[] scales = elements.load(k, "w", elements.at(k, "w_at", weight, i));
            for (int j = 0; j < values.length; j++) {
                k.mul(values[j], values[j], rstd);
                k.mul(values[j], values[j], scales[j]);
            }
            elements.store(k, elements.at(k, "y_at", to, i), values);
        });
    }

    @Override
    protected void gradient(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        Row row = row(x.size(1), x, weight, dy, dx);
        PtxFunction forInput =
                programs.get(new Backward(row, accumulate), "rms_norm_dx", k -> inputGradient(k, row, accumulate));
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
        int n = x.size(1);
        ColumnSums.add(
                programs,
                new WeightGradient(Elements.of(n, x, dy, dWeight)),
                x.size(0),
                n,
                dWeight,
                x,
                Elements.rowBytes(x),
                rstd,
                dy,
                Elements.rowBytes(dy));
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
            Reg[] values = elements.load(k, "x", elements.at(k, "x_at", fromX, i));
            Reg[] scales = elements.load(k, "w", elements.at(k, "w_at", weight, i));
            Reg[] slopes = elements.load(k, "dy", elements.at(k, "dy_at", fromDy, i));
            for (int j = 0; j < values.length; j++) {
                k.mul(g, slopes[j], scales[j]);
                k.mul(h, values[j], rstd);
                k.fma(mean, g, h, mean);
            }
        });
        Sums.overBlock(k, mean, shape.warps, part, place.thread.lane(), place.thread.warp());
        Reg count = k.reg(Type.F32, "count");
        k.cvt(count, n);
        k.div(mean, mean, count);

        k.comment("dx = rstd * (dy * weight - x * rstd * mean)");
        eachPart(k, shape, place, n, i -> {
            Reg[] values = elements.load(k, "x", elements.at(k, "x_at", fromX, i));
            Reg[] scales = elements.load(k, "w", elements.at(k, "w_at", weight, i));
            Reg[] slopes = elements.load(k, "dy", elements.at(k, "dy_at", fromDy, i));
            Reg dxAt = elements.at(k, "dx_at", to, i);
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
}
