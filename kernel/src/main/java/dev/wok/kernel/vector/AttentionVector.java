package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Attention;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/* A task is one key head of one segment. A segment is a run of tokens that looks at nothing outside itself: it begins
 * where a token's keys begin with the token itself. Within it, blocks of keys (outer loop) meet blocks of queries (inner
 * loop), each pair a small matrix product of Tiles; blocks wholly above the diagonal are left out.
 */
final class AttentionVector extends Attention {
    private static final int QUERIES = 48;
    private static final int KEYS = Tiles.WIDTH * Math.max(1, 144 / Tiles.WIDTH);

    private record Task(int from, int to, int kvHead) {}

    private final Workers workers;
    private final Precision precision;

    AttentionVector(Workers workers, Precision precision) {
        this.precision = precision;
        this.workers = workers;
    }

    private static Task[] tasks(int[] keyStart, int kvHeads) {
        int[] starts = new int[keyStart.length + 1];
        int segments = 0;
        for (int t = 0; t < keyStart.length; t++) {
            if (keyStart[t] == t) {
                starts[segments++] = t;
            }
        }
        starts[segments] = keyStart.length;
        Task[] tasks = new Task[segments * kvHeads];
        for (int i = 0; i < tasks.length; i++) {
            tasks[i] = new Task(starts[i / kvHeads], starts[i / kvHeads + 1], i % kvHeads);
        }
        return tasks;
    }

    @Override
    protected void attend(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {
        Tasks.requireFloats("Attention", q, k, v, out, lse);
        int[] starts = keyStart.toInts();
        Task[] tasks = tasks(starts, k.size(1));
        int share = q.size(1) / k.size(1);
        workers.run(tasks.length, (task, _) -> {
            Task t = tasks[task];
            for (int h = t.kvHead * share; h < (t.kvHead + 1) * share; h++) {
                new Segment(t, h, q, k, v, starts, (float) scale).attend(out, lse);
            }
        });
    }

    @Override
    protected void gradient(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        Tasks.requireFloats("Attention", q, k, v, out, lse, dOut, dq, dk, dv);
        int[] starts = keyStart.toInts();
        Task[] tasks = tasks(starts, k.size(1));
        int share = q.size(1) / k.size(1);
        workers.run(tasks.length, (task, _) -> {
            Task t = tasks[task];
            for (int h = t.kvHead * share; h < (t.kvHead + 1) * share; h++) {
                new Segment(t, h, q, k, v, starts, (float) scale)
                        .gradient(out, lse, dOut, dq, dk, dv, h > t.kvHead * share);
            }
        });
    }

    /// One query head of one segment.
    private final class Segment {
        final int from;
        final int length;
        final int head;
        final int kvHead;
        final int qkDim;
        final int vDim;
        final int[] keyStart;
        final float scale;
        final float[] queries;
        final Tensor k;
        final Tensor v;

        /// Scores of one block of queries against one of keys, `[QUERIES, KEYS]`.
        final float[] scores = new float[QUERIES * KEYS];

        Segment(Task task, int head, Tensor q, Tensor k, Tensor v, int[] keyStart, float scale) {
            from = task.from;
            length = task.to - task.from;
            this.head = head;
            kvHead = task.kvHead;
            qkDim = q.size(2);
            vDim = v.size(2);
            this.keyStart = keyStart;
            this.scale = scale;
            this.k = k;
            this.v = v;
            queries = rows(q, head, qkDim);
        }

        /// This segment's rows of one head as operands, `[length rounded up to whole tiles, dim]`.
        private float[] rows(Tensor x, int h, int dim) {
            float[] rows = new float[(length + Tiles.ROWS) * dim];
            for (int t = 0; t < length; t++) {
                Rows.copy(precision, x, (from + t) * x.stride(0) + h * x.stride(1), rows, t * dim, dim);
            }
            return rows;
        }

        private static void write(float[] rows, int at, Tensor x, long t, long h, int dim) {
            long element = t * x.stride(0) + h * x.stride(1);
            Copies.floats(rows, at, x.memory(), element * Float.BYTES, dim);
        }

        private boolean apart(int q0, int qEnd, int k0, int kEnd) {
            return k0 >= qEnd || kEnd <= keyStart[from + q0] - from;
        }

        private boolean masked(int q0, int qEnd, int k0, int kEnd) {
            return keyStart[from + qEnd - 1] - from > k0 || q0 + 1 < kEnd;
        }

        /// The first key from `k0` on that a query sees.
        private int firstSeen(int t, int k0) {
            return Math.max(k0, keyStart[from + t] - from);
        }

        private static int endSeen(int t, int kEnd) {
            return Math.min(kEnd, t + 1);
        }

        /// Behind the last query before `qEnd` that sees a key.
        private int endSeeing(int key, int qEnd) {
            int end = qEnd;
            while (end > 0 && keyStart[from + end - 1] - from > key) {
                end--;
            }
            return end;
        }

        void attend(Tensor out, Tensor lse) {
            float[] keys = rows(k, kvHead, qkDim);
            float[] values = rows(v, kvHead, vDim);
            int vWidth = Tiles.padded(vDim);
            RunningSoftmax softmax = new RunningSoftmax(precision, scale, length, vDim);
            float[] sums = softmax.sums();
            float[] packedKeys = new float[KEYS * qkDim];
            float[] packedValues = new float[KEYS * vWidth];
            boolean finite = Rows.finite(values);
            for (int k0 = 0; k0 < length; k0 += KEYS) {
                int kEnd = Math.min(length, k0 + KEYS);
                int width = Tiles.padded(kEnd - k0);
                Tiles.packTransposed(keys, k0, kEnd - k0, qkDim, packedKeys);
                Tiles.pack(values, k0, kEnd - k0, vDim, packedValues);
                for (int q0 = k0 / QUERIES * QUERIES; q0 < length; q0 += QUERIES) {
                    int qEnd = Math.min(length, q0 + QUERIES);
                    if (apart(q0, qEnd, k0, kEnd)) {
                        continue;
                    }
                    Tiles.multiply(
                            queries,
                            q0 * qkDim,
                            qkDim,
                            1,
                            qEnd - q0,
                            packedKeys,
                            0,
                            qkDim,
                            width,
                            scores,
                            0,
                            KEYS,
                            false);
                    for (int t = q0; t < qEnd; t++) {
                        int first = firstSeen(t, k0) - k0;
                        int end = endSeen(t, kEnd) - k0;
                        softmax.update(t, scores, t % QUERIES * KEYS, first, end, width);
                    }
                    if (!finite && masked(q0, qEnd, k0, kEnd)) {
                        for (int t = q0; t < qEnd; t++) {
                            int row = t % QUERIES * KEYS - k0;
                            int first = firstSeen(t, k0);
                            int end = endSeen(t, kEnd);
                            Tiles.addSeen(scores, row + first, 1, values, first, end, vDim, sums, t * vWidth);
                        }
                        continue;
                    }
                    Tiles.multiply(
                            scores,
                            0,
                            KEYS,
                            1,
                            qEnd - q0,
                            packedValues,
                            0,
                            kEnd - k0,
                            vWidth,
                            sums,
                            q0 * vWidth,
                            vWidth,
                            true);
                }
            }
            for (int t = 0; t < length; t++) {
                softmax.divide(t);
                write(sums, t * vWidth, out, from + t, head, vDim);
                lse.set((from + t) * lse.stride(0) + head, softmax.logSum(t));
            }
        }

        void gradient(Tensor out, Tensor lse, Tensor dOut, Tensor dq, Tensor dk, Tensor dv, boolean addToKeys) {
            int qkWidth = Tiles.padded(qkDim);
            int vWidth = Tiles.padded(vDim);
            float[] keys = rows(k, kvHead, qkDim);
            float[] values = rows(v, kvHead, vDim);
            float[] dOuts = rows(dOut, head, vDim);
            float[] delta = new float[length];
            for (int t = 0; t < length; t++) {
                delta[t] = Rows.dot(
                        out.memory(),
                        (from + t) * out.stride(0) + head * out.stride(1),
                        dOut.memory(),
                        (from + t) * dOut.stride(0) + head * dOut.stride(1),
                        vDim);
            }
            float[] dQueries = new float[(length + Tiles.ROWS) * qkWidth];
            float[] dKeys = new float[(KEYS + Tiles.ROWS) * qkWidth];
            float[] dValues = new float[(KEYS + Tiles.ROWS) * vWidth];
            float[] slopes = new float[QUERIES * KEYS];
            float[] keysAcross = new float[KEYS * qkDim];
            float[] keysAlong = new float[KEYS * qkWidth];
            float[] valuesAcross = new float[KEYS * vDim];
            float[] queriesAlong = new float[QUERIES * qkWidth];
            float[] dOutsAlong = new float[QUERIES * vWidth];
            boolean finite = Rows.finite(keys) && Rows.finite(queries) && Rows.finite(dOuts);
            for (int k0 = 0; k0 < length; k0 += KEYS) {
                int kEnd = Math.min(length, k0 + KEYS);
                int count = kEnd - k0;
                int width = Tiles.padded(count);
                Tiles.packTransposed(keys, k0, count, qkDim, keysAcross);
                Tiles.pack(keys, k0, count, qkDim, keysAlong);
                Tiles.packTransposed(values, k0, count, vDim, valuesAcross);
                Arrays.fill(dKeys, 0);
                Arrays.fill(dValues, 0);
                for (int q0 = k0 / QUERIES * QUERIES; q0 < length; q0 += QUERIES) {
                    int qEnd = Math.min(length, q0 + QUERIES);
                    int rows = qEnd - q0;
                    if (apart(q0, qEnd, k0, kEnd)) {
                        continue;
                    }
                    Tiles.multiply(
                            queries, q0 * qkDim, qkDim, 1, rows, keysAcross, 0, qkDim, width, scores, 0, KEYS, false);
                    Tiles.multiply(
                            dOuts, q0 * vDim, vDim, 1, rows, valuesAcross, 0, vDim, width, slopes, 0, KEYS, false);
                    for (int t = q0; t < qEnd; t++) {
                        float logSum = (float) lse.get((from + t) * lse.stride(0) + head);
                        slope(t, k0, kEnd, logSum, delta[t], slopes);
                    }
                    if (!finite && masked(q0, qEnd, k0, kEnd)) {
                        for (int j = k0; j < kEnd; j++) {
                            int first = Math.max(q0, j);
                            int end = endSeeing(j, qEnd);
                            int at = first % QUERIES * KEYS + j - k0;
                            int row = j - k0;
                            Tiles.addSeen(scores, at, KEYS, dOuts, first, end, vDim, dValues, row * vWidth);
                            Tiles.addSeen(slopes, at, KEYS, queries, first, end, qkDim, dKeys, row * qkWidth);
                        }
                        for (int t = q0; t < qEnd; t++) {
                            int first = firstSeen(t, k0);
                            int at = t % QUERIES * KEYS - k0 + first;
                            Tiles.addSeen(slopes, at, 1, keys, first, endSeen(t, kEnd), qkDim, dQueries, t * qkWidth);
                        }
                        continue;
                    }
                    Tiles.pack(queries, q0, rows, qkDim, queriesAlong);
                    Tiles.pack(dOuts, q0, rows, vDim, dOutsAlong);
                    Tiles.multiply(scores, 0, 1, KEYS, count, dOutsAlong, 0, rows, vWidth, dValues, 0, vWidth, true);
                    Tiles.multiply(slopes, 0, 1, KEYS, count, queriesAlong, 0, rows, qkWidth, dKeys, 0, qkWidth, true);
                    Tiles.multiply(
                            slopes,
                            0,
                            KEYS,
                            1,
                            rows,
                            keysAlong,
                            0,
                            count,
                            qkWidth,
                            dQueries,
                            q0 * qkWidth,
                            qkWidth,
                            true);
                }
                for (int j = 0; j < count; j++) {
                    put(dKeys, j * qkWidth, dk, from + k0 + j, qkDim, addToKeys);
                    put(dValues, j * vWidth, dv, from + k0 + j, vDim, addToKeys);
                }
            }
            for (int t = 0; t < length; t++) {
                write(dQueries, t * qkWidth, dq, from + t, head, qkDim);
            }
        }

        private void put(float[] rows, int at, Tensor x, long t, int dim, boolean add) {
            if (add) {
                long element = t * x.stride(0) + kvHead * x.stride(1);
                for (int i = 0; i < dim; i++) {
                    x.set(element + i, x.get(element + i) + rows[at + i]);
                }
            } else {
                write(rows, at, x, t, kvHead, dim);
            }
        }

        /// Turns a row of scores into probabilities `p`, and a row of `dp = dOut . v` into `p (dp - delta) scale`.
        private void slope(int t, int k0, int kEnd, float logSum, float delta, float[] slopes) {
            int row = t % QUERIES * KEYS;
            int first = Math.max(0, keyStart[from + t] - from - k0);
            int end = Math.max(first, Math.min(kEnd, t + 1) - k0);
            int width = Tiles.padded(kEnd - k0);
            Arrays.fill(scores, row, row + Math.min(first, width), 0);
            Arrays.fill(slopes, row, row + Math.min(first, width), 0);
            for (int j = first; j < end; j += Lanes.COUNT) {
                VectorMask<Float> mask = Lanes.tail(j, end);
                FloatVector p = FloatVector.fromArray(Lanes.FLOATS, scores, row + j, mask);
                p = Lanes.exp(p.mul(scale).sub(logSum));
                FloatVector dp = FloatVector.fromArray(Lanes.FLOATS, slopes, row + j, mask);
                p.intoArray(scores, row + j, mask);
                p.mul(dp.sub(delta)).mul(scale).intoArray(slopes, row + j, mask);
            }
            Rows.round(precision, scores, row + first, end - first);
            Rows.round(precision, slopes, row + first, end - first);
            if (end < width) {
                Arrays.fill(scores, row + Math.min(end, width), row + width, 0);
                Arrays.fill(slopes, row + Math.min(end, width), row + width, 0);
            }
        }
    }
}
