package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.kernel.ptx.PackedShape.Entering;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Products with [Packed] weights, of one matrix or of one for each expert: two launches, one that
/// turns the left operand into what the other reads. An element of the result is a sum over `k` whose
/// order depends on `k` alone.
final class PackedProduct {
    /// Blocks are there for experts with so many times the rows of the mean; they take those of others
    /// in turn.
    private static final int UNEVEN = 2;

    private static final int ALIGNMENT = 16;

    private final Programs programs;
    private final Precision precision;

    PackedProduct(Programs programs, Precision precision) {
        this.programs = programs;
        this.precision = precision;
    }

    /// `y (+)= x * w^T`.
    ///
    /// @param x `[m, k]`, F32 or BF16, rows of adjacent numbers
    /// @param w `[n, k]`
    /// @param y `[m, n]`, F32, rows of adjacent numbers, written, or added to where `accumulate`
    void multiply(Tensor x, Packed w, Tensor y, boolean accumulate) {
        PackedShape shape = PackedShape.of(w, precision, false, false, accumulate);
        launch(shape, x, w, y, null, y.size(0), 1);
    }

    /// `y_r = x_r * w_e^T` for the rows of each expert `e`, a row's bits those of [#multiply]. Rows
    /// behind the last expert's stay as they are; one whose slot is of no row of `x` is NaN.
    ///
    /// @param x `[rows, k]`; where `gathers`, `[tokens, k]`, of which row `rowSlot[r] / topK` stands
    ///     for row `r`
    /// @param w `[experts, n, k]`
    /// @param y `[rows, n]`, F32, rows of adjacent numbers, written
    void multiplyGrouped(Tensor x, boolean gathers, Routing.Plan plan, Packed w, Tensor y) {
        if (y.elements() == 0) {
            return;
        }
        PackedShape shape = PackedShape.of(w, precision, true, gathers, false);
        int experts = plan.offsets().size(0) - 1;
        launch(shape, x, w, y, plan, Math.ceilDiv(y.size(0), experts), experts);
    }

    /// @param rowsOfWeight how many rows share a matrix, about
    private void launch(
            PackedShape shape,
            Tensor x,
            Packed w,
            Tensor y,
            Routing.@Nullable Plan plan,
            int rowsOfWeight,
            int experts) {
        Shape.requireRows("PackedProduct", y, "y", DType.F32);
        requireAligned(w.values());
        if (w.element().isScaled()) {
            requireAligned(w.scales());
        }
        int rows = y.size(0);
        int most = plan == null ? rows : Math.min(rows, UNEVEN * rowsOfWeight);
        int k = w.k();
        long padded = (long) Math.ceilDiv(k, Packed.UNIT) * Packed.UNIT;
        Tensor entered = programs.scratch(
                "PackedProduct.x." + shape.entering(), dtype(shape.entering()), Math.max(1, x.size(0) * padded));
        Tensor heads =
                programs.scratch("PackedProduct.heads", DType.I32, Math.max(1, 2L * x.size(0) * shape.groups(k)));
        if (k > 0) {
            PackedEntry entry = PackedEntry.of(x.dtype(), shape);
            programs.gpu().stream()
                    .launch(
                            programs.get(entry, "packed_entry", entry::write),
                            entry.launch(x.size(0), k),
                            x,
                            Elements.rowBytes(x),
                            entered,
                            heads,
                            x.size(0),
                            k);
        }
        PtxFunction kernel;
        Launch launch;
        if (shape.entering() == Entering.F32) {
            PackedSum sum = new PackedSum(shape);
            kernel = get(sum, "packed_sum", sum::write);
            launch = sum.launch(most, w.n(), experts);
        } else if (rowsOfWeight > PackedTile.MOST_ROWS) {
            PackedBlock block = new PackedBlock(shape);
            kernel = get(block, "packed_block", block::write);
            launch = block.launch(most, w.n(), experts);
        } else {
            PackedTile tile = PackedTile.choose(shape, rowsOfWeight);
            kernel = get(tile, "packed_tile", tile::write);
            launch = tile.launch(most, w.n(), experts);
        }
        programs.gpu().stream()
                .launch(
                        kernel,
                        launch,
                        entered,
                        heads,
                        k == 0 ? entered : w.values(),
                        k == 0 || !w.element().isScaled() ? entered : w.scales(),
                        w.panelBytes(),
                        k,
                        y,
                        Elements.rowBytes(y),
                        rows,
                        w.n(),
                        plan == null ? entered : plan.offsets(),
                        plan == null ? entered : plan.rowSlot(),
                        Math.max(1, rows / Math.max(1, x.size(0))),
                        x.size(0));
    }

    private static void requireAligned(Tensor tensor) {
        if (tensor.elements() > 0 && tensor.memory().address() % ALIGNMENT != 0) {
            throw new IllegalArgumentException("packed weight at %x, expected a multiple of %d"
                    .formatted(tensor.memory().address(), ALIGNMENT));
        }
    }

    private PtxFunction get(Object key, String name, Consumer<PtxKernel> code) {
        return programs.get(key, name, code);
    }

    private static DType dtype(Entering entering) {
        return switch (entering) {
            case F32 -> DType.F32;
            case BF16 -> DType.BF16;
            case INT8 -> DType.U8;
        };
    }
}
