package dev.wok.tune;

import dev.wok.generate.LogSumExp;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.stream.IntStream;

/// Rows of logits in the host's memory, worked on by all threads, a row by one of them: what becomes of
/// a row does not depend on how many there are.
final class LogitRows {
    /// What a loss does with a row.
    @FunctionalInterface
    interface Work {
        /// @param row counted from 0
        /// @param logits `[vocab]`, widened exactly; to be replaced by what goes back into the row
        void replace(int row, double[] logits);
    }

    private LogitRows() {}

    /// Replaces each row.
    ///
    /// @param logits `[rows, vocab]`, F32 or F64; overwritten
    /// @param rows how many are expected
    static void replace(Tensor logits, int rows, Work work) {
        Shape.require("LogitLoss", logits, "logits", rows, -1);
        Shape.requireRows("LogitLoss", logits, "logits");
        if (logits.dtype() != DType.F32 && logits.dtype() != DType.F64) {
            throw new IllegalArgumentException("LogitLoss: logits are %s, expected F32 or F64".formatted(logits));
        }
        IntStream.range(0, rows).parallel().forEach(row -> {
            Tensor one = logits.select(0, row);
            double[] values = read(one);
            work.replace(row, values);
            write(values, one);
        });
    }

    private static double[] read(Tensor row) {
        if (row.dtype() == DType.F32) {
            return LogSumExp.widened(row.toFloats());
        }
        double[] values = new double[row.size(0)];
        for (int i = 0; i < values.length; i++) {
            values[i] = row.get(i);
        }
        return values;
    }

    private static void write(double[] values, Tensor row) {
        if (row.dtype() == DType.F64) {
            for (int i = 0; i < values.length; i++) {
                row.set(i, values[i]);
            }
            return;
        }
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = (float) values[i];
        }
        Copies.floats(floats, 0, row.memory(), 0, floats.length);
    }
}
