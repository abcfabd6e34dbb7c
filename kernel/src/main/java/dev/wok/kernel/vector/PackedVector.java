package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Products with packed weights: a task takes some panels and runs all rows past them.
///
/* A vector holds as many of a panel's sixteen rows as it has lanes. Each element of the result is one chain of sums, group
 * after group, whatever the other rows.
 */
final class PackedVector {
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final int LANES = INTS.length();
    private static final int PANELS_PER_TASK = 4;
    private static final int UPPER_HALF = 0xFFFF0000;

    /// @param rows of the result
    /// @param pick from the product's row to the one of `x`
    /// @param x `[.., k]`
    /// @param w one matrix
    /// @param y `[rows, n]`
    record Problem(int rows, IntUnaryOperator pick, Tensor x, Packed w, Tensor y, boolean accumulate) {}

    /// Rows as they enter products, each as many elements as whole steps take.
    ///
    /// @param whole the same as whole numbers, where they are
    private record Left(float[] values, int[] whole, float[] scales) {}

    private record Piece(Problem problem, Left left, int panel) {}

    private final Workers workers;
    private final Precision precision;

    PackedVector(Workers workers, Precision precision) {
        this.workers = workers;
        this.precision = precision;
    }

    void run(List<Problem> problems) {
        List<Piece> pieces = new ArrayList<>();
        for (Problem problem : problems) {
            Left left = enter(problem);
            for (int panel = 0; panel < problem.w.panels(); panel += PANELS_PER_TASK) {
                pieces.add(new Piece(problem, left, panel));
            }
        }
        workers.run(pieces.size(), (task, _) -> {
            Piece piece = pieces.get(task);
            int end = Math.min(piece.problem.w.panels(), piece.panel + PANELS_PER_TASK);
            for (int panel = piece.panel; panel < end; panel++) {
                for (int column = 0; column < Packed.ROWS; column += LANES) {
                    for (int row = 0; row < piece.problem.rows; row++) {
                        int first = panel * Packed.ROWS + column;
                        if (first < piece.problem.w.n()) {
                            columns(piece.problem, piece.left, first, row);
                        }
                    }
                }
            }
        });
    }

    private Left enter(Problem problem) {
        Packed w = problem.w;
        int width = w.element().steps(w.k()) * w.element().perStep();
        boolean rounded = w.activations() == Activations.INT8;
        Left left = new Left(
                new float[rounded ? 0 : problem.rows * width],
                new int[rounded ? problem.rows * width : 0],
                new float[problem.rows * w.groups()]);
        Precision in = w.exact() ? Precision.F32 : precision;
        workers.run(problem.rows, (row, _) -> {
            long from = problem.pick.applyAsInt(row) * problem.x.stride(0);
            byte[] whole = new byte[w.group()];
            for (int g = 0; g < w.groups(); g++) {
                int first = g * w.group();
                int count = Math.min(w.group(), w.k() - first);
                int at = row * width + first;
                float scale = rounded ? Activations.quantize(problem.x, from + first, count, whole) : 1;
                left.scales[row * w.groups() + g] = scale;
                for (int p = 0; p < count; p++) {
                    if (rounded) {
                        left.whole[at + p] = whole[p];
                    } else {
                        left.values[at + p] = (float) in.operand(problem.x.get(from + first + p));
                    }
                }
            }
        });
        return left;
    }

    /// A vector of one row of the result.
    private static void columns(Problem problem, Left left, int column, int row) {
        Packed w = problem.w;
        MemorySegment values = w.values().memory();
        int steps = w.element().steps(w.k());
        int width = steps * w.element().perStep();
        long at = column / Packed.ROWS * w.panelBytes() + (long) (column % Packed.ROWS) * Integer.BYTES;
        FloatVector total = Lanes.zero();
        float[] scales = new float[LANES];
        for (int g = 0; g < w.groups(); g++) {
            int first = g * w.group() / w.element().perStep();
            int end = Math.min(
                    steps,
                    first
                            + (w.group() + w.element().perStep() - 1)
                                    / w.element().perStep());
            FloatVector sum = w.activations() == Activations.INT8
                    ? wholeTimesWhole(values, at, first, end, w.element(), left.whole, row * width)
                    : timesFloats(values, at, first, end, w.element(), left.values, row * width);
            if (w.element().isScaled()) {
                for (int lane = 0; lane < LANES; lane++) {
                    scales[lane] = column + lane < w.n() ? (float) w.scale(column + lane, g) : 0;
                }
                FloatVector factor = FloatVector.fromArray(Lanes.FLOATS, scales, 0);
                total = sum.mul(factor)
                        .fma(FloatVector.broadcast(Lanes.FLOATS, left.scales[row * w.groups() + g]), total);
            } else {
                total = sum;
            }
        }
        total.intoArray(scales, 0);
        long to = row * problem.y.stride(0) + column;
        for (int lane = 0; lane < Math.min(LANES, w.n() - column); lane++) {
            problem.y.set(to + lane, problem.accumulate ? problem.y.get(to + lane) + scales[lane] : scales[lane]);
        }
    }

    private static FloatVector wholeTimesWhole(
            MemorySegment values, long at, int from, int to, Packed.Element element, int[] x, int row) {
        int bits = element.bits();
        int per = element.perStep();
        int offset = 1 << bits - 1;
        IntVector sum = IntVector.zero(INTS);
        for (int s = from; s < to; s++) {
            IntVector words = IntVector.fromMemorySegment(INTS, values, at + (long) s * Packed.STEP_BYTES, Lanes.ORDER);
            for (int e = 0; e < per; e++) {
                IntVector value = words.lanewise(VectorOperators.LSHR, bits * e)
                        .and((1 << bits) - 1)
                        .sub(offset);
                sum = sum.add(value.mul(x[row + s * per + e]));
            }
        }
        return (FloatVector) sum.convertShape(VectorOperators.I2F, Lanes.FLOATS, 0);
    }

    private static FloatVector timesFloats(
            MemorySegment values, long at, int from, int to, Packed.Element element, float[] x, int row) {
        int per = element.perStep();
        FloatVector sum = Lanes.zero();
        for (int s = from; s < to; s++) {
            IntVector words = IntVector.fromMemorySegment(INTS, values, at + (long) s * Packed.STEP_BYTES, Lanes.ORDER);
            int first = row + s * per;
            switch (element) {
                case F32 -> sum = words.reinterpretAsFloats().fma(FloatVector.broadcast(Lanes.FLOATS, x[first]), sum);
                case BF16 -> {
                    FloatVector low =
                            words.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
                    sum = low.fma(FloatVector.broadcast(Lanes.FLOATS, x[first]), sum);
                    FloatVector high = words.and(UPPER_HALF).reinterpretAsFloats();
                    sum = high.fma(FloatVector.broadcast(Lanes.FLOATS, x[first + 1]), sum);
                }
                case FP8 -> {
                    for (int e = 0; e < per; e++) {
                        FloatVector weight = e4m3(words, e);
                        sum = weight.fma(FloatVector.broadcast(Lanes.FLOATS, x[first + e]), sum);
                    }
                }
                case INT8, INT4 -> {
                    int bits = element.bits();
                    for (int e = 0; e < per; e++) {
                        IntVector value = words.lanewise(VectorOperators.LSHR, bits * e)
                                .and((1 << bits) - 1)
                                .sub(1 << bits - 1);
                        FloatVector weight = (FloatVector) value.convertShape(VectorOperators.I2F, Lanes.FLOATS, 0);
                        sum = weight.fma(FloatVector.broadcast(Lanes.FLOATS, x[first + e]), sum);
                    }
                }
            }
        }
        return sum;
    }

    private static FloatVector e4m3(IntVector words, int e) {
        return words.lanewise(VectorOperators.LSHL, Byte.SIZE * (3 - e))
                .lanewise(VectorOperators.ASHR, 4)
                .and(E4m3.IN_FLOAT32)
                .reinterpretAsFloats()
                .mul(E4m3.FROM_FLOAT32);
    }
}
