package dev.wok.kernel.vector;

import dev.wok.kernel.Precision;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Softmax over rows of scores that come in blocks: for each row the largest score so far, the sum of
/// the exponentials relative to it, and a row of sums under these weights.
final class RunningSoftmax {
    private final Precision precision;
    private final float scale;
    private final int width;
    private final float[] max;
    private final float[] total;
    private final float[] sums;

    /// @param scale on the scores
    /// @param columns of the sums
    RunningSoftmax(Precision precision, float scale, int rows, int columns) {
        this.precision = precision;
        this.scale = scale;
        width = Tiles.padded(columns);
        max = new float[rows];
        total = new float[rows];
        sums = new float[(rows + Tiles.ROWS) * width];
        Arrays.fill(max, Float.NEGATIVE_INFINITY);
    }

    /// @return `[rows, columns rounded up to whole vectors]`, and the rows that [Tiles] writes behind
    ///     them
    float[] sums() {
        return sums;
    }

    /// Turns a row of scores into exponentials relative to the largest so far, and scales what was
    /// summed before to it.
    ///
    /// @param at where the row of scores begins
    /// @param first of the scores that count
    /// @param end behind the last of them; the others become zeros
    /// @param count of all scores of the row
    void update(int row, float[] scores, int at, int first, int end, int count) {
        float largest = max[row];
        for (int j = first; j < end; j++) {
            scores[at + j] *= scale;
            largest = Math.max(largest, scores[at + j]);
        }
        if (first >= end || largest == Float.NEGATIVE_INFINITY) {
            Arrays.fill(scores, at, at + count, 0);
            return;
        }
        Arrays.fill(scores, at, at + first, 0);
        Arrays.fill(scores, at + end, at + count, 0);
        if (largest > max[row]) {
            float factor = (float) Math.exp(max[row] - largest);
            scale(row, factor);
            total[row] *= factor;
            max[row] = largest;
        }
        total[row] += LatentAttentionVector.exponentials(scores, at + first, end - first, largest);
        Rows.round(precision, scores, at + first, end - first);
    }

    private void scale(int row, float factor) {
        for (int i = row * width; i < (row + 1) * width; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.FLOATS, sums, i).mul(factor).intoArray(sums, i);
        }
    }

    /// Divides a row's sums by the sum of their weights.
    void divide(int row) {
        scale(row, 1 / total[row]);
    }

    /// @return the logarithm of the sum of a row's exponentials
    double logSum(int row) {
        return max[row] + Math.log(total[row]);
    }

    /// Adds what the same row has summed over further scores.
    void join(RunningSoftmax further, int row) {
        float largest = Math.max(max[row], further.max[row]);
        if (largest == Float.NEGATIVE_INFINITY) {
            return;
        }
        float before = (float) Math.exp(max[row] - largest);
        float behind = (float) Math.exp(further.max[row] - largest);
        for (int i = row * width; i < (row + 1) * width; i += Lanes.COUNT) {
            FloatVector more =
                    FloatVector.fromArray(Lanes.FLOATS, further.sums, i).mul(behind);
            FloatVector.fromArray(Lanes.FLOATS, sums, i)
                    .fma(Lanes.broadcast(before), more)
                    .intoArray(sums, i);
        }
        total[row] = total[row] * before + further.total[row] * behind;
        max[row] = largest;
    }
}
