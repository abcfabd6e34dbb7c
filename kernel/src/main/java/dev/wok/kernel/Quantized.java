package dev.wok.kernel;

import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.stream.LongStream;

/// A weight of small whole numbers, `[n, k]` or one for each expert `[experts, n, k]`: groups of neighbours along `k`
/// share a factor, `w = scale * value`. It does not change.
///
/// ```
/// 8 bits: I8 [.., n, k]             value = the byte
/// 4 bits: U8 [.., n, ceil(k / 2)]   value = the half byte - 8; the lower half comes first
/// scales: BF16 [.., n, ceil(k / group)]; the last group of a row may be short
/// ```
public final class Quantized {
    /// Sums of products of a group stay within 32 bits.
    private static final int LONGEST_GROUP = 1 << 16;

    private static final int GROUP_UNIT = 32;

    private final Tensor values;
    private final Tensor scales;
    private final int bits;
    private final int k;
    private final int group;

    private Quantized(Tensor values, Tensor scales, int bits, int k, int group) {
        this.values = values;
        this.scales = scales;
        this.bits = bits;
        this.k = k;
        this.group = group;
    }

    /// A weight over memory that somebody else owns.
    ///
    /// @param values I8 for 8 bits, U8 for 4, without gaps
    /// @param scales BF16, without gaps
    /// @param group how many neighbours share a scale: a multiple of 32, at most 65536
    public static Quantized of(Tensor values, Tensor scales, int k, int group) {
        if (group < GROUP_UNIT || group > LONGEST_GROUP || group % GROUP_UNIT != 0) {
            throw new IllegalArgumentException("Quantized: a group of %d, expected a multiple of %d up to %d"
                    .formatted(group, GROUP_UNIT, LONGEST_GROUP));
        }
        if (values.dtype() != DType.U8) {
            Shape.require("Quantized", values, "values", DType.I8);
        }
        int bits = values.dtype() == DType.I8 ? 8 : 4;
        long[] expected = values.shape();
        if (expected.length != 2 && expected.length != 3) {
            throw new IllegalArgumentException(
                    "Quantized: values is %s, expected two or three dimensions".formatted(Shape.text(expected)));
        }
        expected[expected.length - 1] = bytes(k, bits);
        Shape.require("Quantized", values, "values", expected);
        expected[expected.length - 1] = groups(k, group);
        Shape.require("Quantized", scales, "scales", expected);
        Shape.require("Quantized", scales, "scales", DType.BF16);
        Shape.requireContiguous("Quantized", values, "values");
        Shape.requireContiguous("Quantized", scales, "scales");
        return new Quantized(values, scales, bits, k, group);
    }

    /// Rounds a weight: a group's scale is its largest magnitude over 127 (8 bits) or 7 (4 bits), as bfloat16, and its
    /// values are the quotients to the nearest whole number, even where two are. A group that holds a NaN or an
    /// infinity has such a scale.
    ///
    /// @param source `[n, k]` or `[experts, n, k]`
    /// @param bits 8 or 4
    /// @param group how many neighbours share a scale: a multiple of 32, at most 65536
    /// @param memory gets the result
    public static Quantized of(Tensor source, int bits, int group, Memory memory) {
        if (bits != 8 && bits != 4) {
            throw new IllegalArgumentException("Quantized: %d bits, expected 8 or 4".formatted(bits));
        }
        Shape.requireRows("Quantized", source, "source");
        int k = source.size(source.rank() - 1);
        long[] shape = source.shape();
        shape[shape.length - 1] = bytes(k, bits);
        Tensor values = memory.tensor(bits == 8 ? DType.I8 : DType.U8, shape);
        shape[shape.length - 1] = groups(k, group);
        Quantized to = of(values, memory.tensor(DType.BF16, shape), k, group);
        LongStream.range(0, to.rows()).parallel().forEach(row -> to.round(source, row));
        return to;
    }

    private void round(Tensor source, long row) {
        long from =
                source.rank() == 2 ? row * source.stride(0) : source.offset(row / source.dim(1), row % source.dim(1));
        int most = bits == 8 ? 127 : 7;
        for (int g = 0; g < groups(); g++) {
            int end = Math.min(k, (g + 1) * group);
            double largest = 0;
            for (int p = g * group; p < end; p++) {
                largest = Math.max(largest, Math.abs(source.get(from + p)));
            }
            scales.set(row * groups() + g, largest / most);
            double scale = scales.get(row * groups() + g);
            for (int p = g * group; p < end; p++) {
                double quotient = scale == 0 ? 0 : source.get(from + p) / scale;
                put(row, p, (int) Math.rint(Math.clamp(quotient, -most, most)));
            }
        }
    }

    private void put(long row, int p, int value) {
        if (bits == 8) {
            values.set(row * k + p, value);
        } else {
            long at = row * bytes(k, 4) + p / 2;
            int half = value + 8;
            values.set(at, p % 2 == 0 ? half : (int) values.get(at) | half << 4);
        }
    }

    private static int bytes(int k, int bits) {
        return bits == 8 ? k : (k + 1) / 2;
    }

    private static int groups(int k, int group) {
        return (k + group - 1) / group;
    }

    /// @param row counted over all experts
    /// @return the whole number that stands for element `p`
    public int value(long row, int p) {
        if (bits == 8) {
            return (int) values.get(row * k + p);
        }
        return ((int) values.get(row * bytes(k, 4) + p / 2) >> p % 2 * 4 & 15) - 8;
    }

    /// @param row counted over all experts
    /// @param g the group, from 0
    public double scale(long row, int g) {
        return scales.get(row * groups() + g);
    }

    /// @return the rows of all experts
    public long rows() {
        return values.rank() == 2 ? values.dim(0) : values.dim(0) * values.dim(1);
    }

    /// @return the sizes of the matrix that it stands for
    public long[] shape() {
        long[] shape = values.shape();
        shape[shape.length - 1] = k;
        return shape;
    }

    /// @return the whole numbers as they are stored
    public Tensor values() {
        return values;
    }

    /// @return the groups' factors
    public Tensor scales() {
        return scales;
    }

    /// @return 8 or 4
    public int bits() {
        return bits;
    }

    /// @return the length of a row
    public int k() {
        return k;
    }

    /// @return how many neighbours share a scale
    public int group() {
        return group;
    }

    /// @return how many groups a row has
    public int groups() {
        return groups(k, group);
    }

    @Override
    public String toString() {
        return "%d bits in groups of %d %s".formatted(bits, group, Shape.text(shape()));
    }
}
