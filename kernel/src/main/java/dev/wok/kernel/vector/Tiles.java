package dev.wok.kernel.vector;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// The inner loops of every matrix product here: tiles of 4 rows by up to three vectors, held in registers while the
/// common dimension runs.
///
/// The left operand lies in an array with any two strides. The right one is packed in panels: panel `j` holds columns
/// `j * WIDTH` and following, row after row, each row [#WIDTH] wide; the last panel is as narrow as whole vectors
/// allow. Twelve sums keep both fused multiply-add units busy for their whole latency.
final class Tiles {
    /// Rows of a tile.
    static final int ROWS = 4;

    /// Columns of a full panel.
    static final int WIDTH = 3 * Lanes.COUNT;

    private static final int L = Lanes.COUNT;

    private Tiles() {}

    /// @return `columns` rounded up to whole vectors: the width that packed panels and results take
    static int padded(int columns) {
        return (columns + L - 1) / L * L;
    }

    /// `c (+)= a * b`.
    ///
    /// @param a element `(i, p)` lies at `ao + i * aRow + p * aDepth`; rows up to the next multiple of 4 are read
    /// @param b packed panels of `depth` rows and `width` columns, from `bo`
    /// @param c element `(i, j)` lies at `co + i * ldc + j`; rows up to the next multiple of 4 are written
    /// @param width a multiple of the vector's length
    static void multiply(
            float[] a,
            int ao,
            int aRow,
            int aDepth,
            int rows,
            float[] b,
            int bo,
            int depth,
            int width,
            float[] c,
            int co,
            int ldc,
            boolean add) {
        for (int j = 0; j < width; j += WIDTH) {
            int panel = bo + j * depth;
            int vectors = Math.min(WIDTH, width - j) / L;
            for (int i = 0; i < rows; i += ROWS) {
                int left = ao + i * aRow;
                int result = co + i * ldc + j;
                switch (vectors) {
                    case 3 -> three(a, left, aRow, aDepth, b, panel, depth, c, result, ldc, add);
                    case 2 -> two(a, left, aRow, aDepth, b, panel, depth, c, result, ldc, add);
                    default -> one(a, left, aRow, aDepth, b, panel, depth, c, result, ldc, add);
                }
            }
        }
    }

    /// Packs rows `at .. at + count` of row-major `[.., dim]` transposed: `dim` deep, `padded(count)` wide.
    static float[] packTransposed(float[] rows, int at, int count, int dim, float[] packed) {
        int width = padded(count);
        Arrays.fill(packed, 0, width * dim, 0);
        for (int j = 0; j < count; j++) {
            int panel = j / WIDTH * WIDTH;
            int panelWidth = Math.min(WIDTH, width - panel);
            int to = panel * dim + j - panel;
            for (int p = 0; p < dim; p++) {
                packed[to + p * panelWidth] = rows[(at + j) * dim + p];
            }
        }
        return packed;
    }

    /// Packs rows `at .. at + count` of row-major `[.., dim]` as they are: `count` deep, `padded(dim)` wide.
    static float[] pack(float[] rows, int at, int count, int dim, float[] packed) {
        int width = padded(dim);
        for (int panel = 0; panel < width; panel += WIDTH) {
            int panelWidth = Math.min(WIDTH, width - panel);
            int columns = Math.min(panelWidth, dim - panel);
            for (int p = 0; p < count; p++) {
                int to = panel * count + p * panelWidth;
                System.arraycopy(rows, (at + p) * dim + panel, packed, to, columns);
                Arrays.fill(packed, to + columns, to + panelWidth, 0);
            }
        }
        return packed;
    }

    /// Adds the weighted sum of rows `first` to `end` of `[.., dim]`, as [#multiply] does, and no other rows: there are
    /// infinities or NaN among those, of which zero times is none.
    static void addSeen(
            float[] weights, int at, int step, float[] x, int first, int end, int dim, float[] sums, int to) {
        for (int i = 0; i < dim; i++) {
            float sum = 0;
            for (int j = first; j < end; j++) {
                sum = Math.fma(weights[at + (j - first) * step], x[j * dim + i], sum);
            }
            sums[to + i] = sum + sums[to + i];
        }
    }

    private static FloatVector vector(float[] values, int at) {
        return FloatVector.fromArray(Lanes.FLOATS, values, at);
    }

    private static void put(FloatVector value, float[] c, int at, boolean add) {
        (add ? value.add(vector(c, at)) : value).intoArray(c, at);
    }

    private static void three(
            float[] a,
            int ao,
            int aRow,
            int aDepth,
            float[] b,
            int bo,
            int depth,
            float[] c,
            int co,
            int ldc,
            boolean add) {
        FloatVector zero = Lanes.zero();
        FloatVector c00 = zero, c01 = zero, c02 = zero;
        FloatVector c10 = zero, c11 = zero, c12 = zero;
        FloatVector c20 = zero, c21 = zero, c22 = zero;
        FloatVector c30 = zero, c31 = zero, c32 = zero;
        int a1 = ao + aRow;
        int a2 = a1 + aRow;
        int a3 = a2 + aRow;
        for (int p = 0; p < depth; p++) {
            int at = bo + p * (3 * L);
            int step = p * aDepth;
            FloatVector b0 = vector(b, at);
            FloatVector b1 = vector(b, at + L);
            FloatVector b2 = vector(b, at + 2 * L);
            FloatVector x = Lanes.broadcast(a[ao + step]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            c02 = x.fma(b2, c02);
            x = Lanes.broadcast(a[a1 + step]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            c12 = x.fma(b2, c12);
            x = Lanes.broadcast(a[a2 + step]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            c22 = x.fma(b2, c22);
            x = Lanes.broadcast(a[a3 + step]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            c32 = x.fma(b2, c32);
        }
        put(c00, c, co, add);
        put(c01, c, co + L, add);
        put(c02, c, co + 2 * L, add);
        co += ldc;
        put(c10, c, co, add);
        put(c11, c, co + L, add);
        put(c12, c, co + 2 * L, add);
        co += ldc;
        put(c20, c, co, add);
        put(c21, c, co + L, add);
        put(c22, c, co + 2 * L, add);
        co += ldc;
        put(c30, c, co, add);
        put(c31, c, co + L, add);
        put(c32, c, co + 2 * L, add);
    }

    private static void two(
            float[] a,
            int ao,
            int aRow,
            int aDepth,
            float[] b,
            int bo,
            int depth,
            float[] c,
            int co,
            int ldc,
            boolean add) {
        FloatVector zero = Lanes.zero();
        FloatVector c00 = zero, c01 = zero, c10 = zero, c11 = zero;
        FloatVector c20 = zero, c21 = zero, c30 = zero, c31 = zero;
        int a1 = ao + aRow;
        int a2 = a1 + aRow;
        int a3 = a2 + aRow;
        for (int p = 0; p < depth; p++) {
            int at = bo + p * (2 * L);
            int step = p * aDepth;
            FloatVector b0 = vector(b, at);
            FloatVector b1 = vector(b, at + L);
            FloatVector x = Lanes.broadcast(a[ao + step]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = Lanes.broadcast(a[a1 + step]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = Lanes.broadcast(a[a2 + step]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = Lanes.broadcast(a[a3 + step]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
        }
        put(c00, c, co, add);
        put(c01, c, co + L, add);
        co += ldc;
        put(c10, c, co, add);
        put(c11, c, co + L, add);
        co += ldc;
        put(c20, c, co, add);
        put(c21, c, co + L, add);
        co += ldc;
        put(c30, c, co, add);
        put(c31, c, co + L, add);
    }

    private static void one(
            float[] a,
            int ao,
            int aRow,
            int aDepth,
            float[] b,
            int bo,
            int depth,
            float[] c,
            int co,
            int ldc,
            boolean add) {
        FloatVector c0 = Lanes.zero(), c1 = c0, c2 = c0, c3 = c0;
        int a1 = ao + aRow;
        int a2 = a1 + aRow;
        int a3 = a2 + aRow;
        for (int p = 0; p < depth; p++) {
            int step = p * aDepth;
            FloatVector b0 = vector(b, bo + p * L);
            c0 = Lanes.broadcast(a[ao + step]).fma(b0, c0);
            c1 = Lanes.broadcast(a[a1 + step]).fma(b0, c1);
            c2 = Lanes.broadcast(a[a2 + step]).fma(b0, c2);
            c3 = Lanes.broadcast(a[a3 + step]).fma(b0, c3);
        }
        put(c0, c, co, add);
        put(c1, c, co + ldc, add);
        put(c2, c, co + 2 * ldc, add);
        put(c3, c, co + 3 * ldc, add);
    }
}
