package dev.wok.kernel.ptx;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Arrays;

/// Rows of adjacent numbers that begin at multiples of 16 bytes: what the copy engine and tensor cores
/// are fed with.
final class AlignedRows {
    private static final int ALIGNMENT = 16;

    private AlignedRows() {}

    /// @return whether a tensor's rows are such
    static boolean are(Tensor rows) {
        int last = rows.rank() - 1;
        boolean isAligned = rows.memory().address() % ALIGNMENT == 0 && rows.stride(last) == 1;
        for (int i = 0; i < last; i++) {
            isAligned &= rows.stride(i) * rows.dtype().bytes() % ALIGNMENT == 0;
        }
        return isAligned;
    }

    /// @return the shape with rows as long as the next row is from their beginning
    static long[] padded(DType dtype, long... shape) {
        long unit = ALIGNMENT / dtype.bytes();
        int last = shape.length - 1;
        long[] padded = shape.clone();
        padded[last] = Math.max(unit, Math.ceilDiv(shape[last], unit) * unit);
        return padded;
    }

    /// @return such rows in memory that is theirs until the next call with that name
    static Tensor scratch(Programs programs, String name, DType dtype, long... shape) {
        long[] padded = padded(dtype, shape);
        long elements = Arrays.stream(padded).reduce(1, Math::multiplyExact);
        return programs.scratch(name + "." + dtype, dtype, elements)
                .slice(0, 0, elements)
                .reshape(padded)
                .slice(shape.length - 1, 0, shape[shape.length - 1]);
    }
}
