package dev.wok.kernel.host;

import dev.wok.device.Workers;
import dev.wok.kernel.AdamW;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// What both backends of the processor share: splits work into tasks whose bounds depend on the shape alone, so that
/// results do not depend on how many threads
/// there are.
public final class Tasks {
    private static final int ROW_ELEMENTS = 1 << 15;
    private static final int BLOCK = AdamW.BLOCK;

    /// A range of rows.
    public interface Range {
        void visit(int from, int to, int worker);
    }

    /// A block of elements.
    public interface Block {
        void visit(long from, int count, int worker);
    }

    private Tasks() {}

    /// Visits all rows in ranges.
    ///
    /// @param width what a row costs, in elements
    public static void rows(Workers workers, int rows, long width, Range body) {
        ranges(workers, rows, (int) Math.clamp(ROW_ELEMENTS / Math.max(1, width), 1, ROW_ELEMENTS), body);
    }

    /// Visits all rows in ranges of `step`, the last may be shorter.
    public static void ranges(Workers workers, int rows, int step, Range body) {
        int tasks = Math.ceilDiv(rows, step);
        workers.run(tasks, (task, worker) -> body.visit(task * step, Math.min(rows, (task + 1) * step), worker));
    }

    /// Visits all elements in blocks, each of which begins at a multiple of a large power of two.
    public static void blocks(Workers workers, long elements, Block body) {
        workers.run(blocks(elements), (task, worker) -> {
            long from = (long) task * BLOCK;
            body.visit(from, (int) Math.min(BLOCK, elements - from), worker);
        });
    }

    /// @return how many blocks there are
    public static int blocks(long elements) {
        return Math.toIntExact(Math.ceilDiv(elements, BLOCK));
    }

    /// @return the number of the block that begins here
    public static int block(long from) {
        return (int) (from / BLOCK);
    }

    /// @throws IllegalArgumentException where an operand holds something else than F32
    public static void requireFloats(String op, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            Shape.require(op + " on the processor", tensor, "an operand", DType.F32);
        }
    }
}
