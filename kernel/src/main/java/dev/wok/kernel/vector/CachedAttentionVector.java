package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.CachedAttention;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.host.PagedSequence;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/* A task is a block of queries, with all heads that share a key head, against a range of its keys, which it visits in
 * blocks with a running maximum. Ranges begin at fixed keys and are joined in their order, so a query's bits depend
 * neither on the number of threads nor on other queries.
 */
final class CachedAttentionVector extends CachedAttention {
    private static final int ROWS = 96;
    private static final int KEYS = Tiles.WIDTH * Math.max(1, 144 / Tiles.WIDTH);
    private static final int RANGE = 8 * KEYS;

    private final Workers workers;
    private final Precision precision;

    CachedAttentionVector(Workers workers, Precision precision) {
        this.workers = workers;
        this.precision = precision;
    }

    @Override
    protected void attend(
            Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {
        Tasks.requireFloats("CachedAttention", q, out);
        int share = q.size(1) / keys.size(2);
        record Task(Block block, int from) {}
        List<Block> blocks = new ArrayList<>();
        List<Task> tasks = new ArrayList<>();
        int perBlock = Math.max(1, ROWS / share);
        for (PagedSequence sequence : PagedSequence.of(table, positions, keys)) {
            for (int g = 0; g < keys.size(2); g++) {
                for (int t = sequence.from(); t < sequence.to(); t += perBlock) {
                    int tEnd = Math.min(sequence.to(), t + perBlock);
                    Block block = new Block(
                            q.slice(0, t, tEnd).slice(1, g * share, (g + 1) * share),
                            keys.select(2, g),
                            values.select(2, g),
                            sequence,
                            Arrays.stream(sequence.positions(), t - sequence.from(), tEnd - sequence.from())
                                    .map(position -> position + 1)
                                    .toArray(),
                            (float) scale,
                            out.slice(0, t, tEnd).slice(1, g * share, (g + 1) * share));
                    blocks.add(block);
                    for (int from = 0; from < block.most; from += RANGE) {
                        tasks.add(new Task(block, from));
                    }
                }
            }
        }
        workers.run(tasks.size(), (task, _) -> tasks.get(task).block.attend(tasks.get(task).from));
        workers.run(blocks.size(), (block, _) -> blocks.get(block).join());
    }

    /// Some queries of the heads that share a key head, a row for each.
    private final class Block {
        final Tensor q;
        final Tensor keys;
        final Tensor values;
        final PagedSequence sequence;
        final int[] ends;
        final int most;
        final float scale;
        final Tensor out;
        final int share;
        final int rows;
        final RunningSoftmax[] ranges;

        /// @param keys `[pages, rows, qkDim]`
        /// @param ends for each token how many keys it sees
        Block(Tensor q, Tensor keys, Tensor values, PagedSequence sequence, int[] ends, float scale, Tensor out) {
            this.q = q;
            this.keys = keys;
            this.values = values;
            this.sequence = sequence;
            this.ends = ends;
            this.scale = scale;
            this.out = out;
            most = Arrays.stream(ends).max().orElse(0);
            share = q.size(1);
            rows = ends.length * share;
            ranges = new RunningSoftmax[(most + RANGE - 1) / RANGE];
        }

        /// Visits a range of the keys.
        void attend(int from) {
            int qkDim = q.size(2);
            int vDim = values.size(2);
            int vWidth = Tiles.padded(vDim);
            float[] queries = new float[(rows + Tiles.ROWS) * qkDim];
            for (int row = 0; row < rows; row++) {
                Rows.copy(precision, q, q.offset(row / share, row % share), queries, row * qkDim, qkDim);
            }
            RunningSoftmax softmax = new RunningSoftmax(precision, scale, rows, vDim);
            float[] scores = new float[(rows + Tiles.ROWS) * KEYS];
            float[] copy = new float[KEYS * Math.max(qkDim, vDim)];
            float[] packedKeys = new float[KEYS * qkDim];
            float[] packedValues = new float[KEYS * vWidth];
            for (int k0 = from; k0 < Math.min(most, from + RANGE); k0 += KEYS) {
                int count = Math.min(most - k0, KEYS);
                int width = Tiles.padded(count);
                Tiles.packTransposed(rows(keys, k0, count, copy), 0, count, qkDim, packedKeys);
                Tiles.multiply(queries, 0, qkDim, 1, rows, packedKeys, 0, qkDim, width, scores, 0, KEYS, false);
                boolean masked = false;
                for (int row = 0; row < rows; row++) {
                    int seen = seen(row, k0, count);
                    masked |= seen < count;
                    softmax.update(row, scores, row * KEYS, 0, seen, width);
                }
                rows(values, k0, count, copy);
                if (masked && !Rows.finite(copy, count * vDim)) {
                    for (int row = 0; row < rows; row++) {
                        int seen = seen(row, k0, count);
                        Tiles.addSeen(scores, row * KEYS, 1, copy, 0, seen, vDim, softmax.sums(), row * vWidth);
                    }
                    continue;
                }
                Tiles.pack(copy, 0, count, vDim, packedValues);
                Tiles.multiply(
                        scores, 0, KEYS, 1, rows, packedValues, 0, count, vWidth, softmax.sums(), 0, vWidth, true);
            }
            ranges[from / RANGE] = softmax;
        }

        private int seen(int row, int k0, int count) {
            return Math.clamp(ends[row / share] - k0, 0, count);
        }

        private float[] rows(Tensor x, int from, int count, float[] to) {
            for (int j = 0; j < count; j++) {
                long row = x.offset(sequence.page(from + j), sequence.within(from + j));
                Rows.copy(precision, x, row, to, j * x.size(2), x.size(2));
            }
            return to;
        }

        /// Joins the ranges of all rows, those that each sees.
        void join() {
            int vDim = values.size(2);
            for (int row = 0; row < rows; row++) {
                int count = (ends[row / share] + RANGE - 1) / RANGE;
                long element = out.offset(row / share, row % share);
                if (count == 0) {
                    out.memory()
                            .asSlice(element * Float.BYTES, (long) vDim * Float.BYTES)
                            .fill((byte) 0);
                    continue;
                }
                RunningSoftmax first = ranges[0];
                for (int range = 1; range < count; range++) {
                    first.join(ranges[range], row);
                }
                first.divide(row);
                int at = row * Tiles.padded(vDim);
                Copies.floats(first.sums(), at, out.memory(), element * Float.BYTES, vDim);
            }
        }
    }
}
