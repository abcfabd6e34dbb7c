package dev.wok.kernel;

import dev.wok.device.Memory;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/// A weight in the order in which products read it, `[n, k]` or one for each expert `[experts, n, k]`:
/// the same bytes in memory and in files, on every processor. It does not change once it is filled.
///
/* A panel holds sixteen rows of the weight, which are columns of its products; the last panel is filled up with zero bytes.
 * It goes through the common dimension in steps of 32 bits, sixteen of them, a cache line, one after another:
 *
 *   values: | panel 0: step 0 of rows 0 .. 15 | step 1 of rows 0 .. 15 | .. | panel 1 | ..      64 bytes a step
 *   scales: | panel 0: group 0 of rows 0 .. 15 | group 1 | .. | panel 1 | ..                    bfloat16
 *
 * A step is one float32, two bfloat16, four bytes or eight half bytes, neighbours along k, the first in the lowest bits.
 * Whole numbers lie 128 or 8 too high, so that they are unsigned. The common dimension is rounded up to 32 elements where
 * they are whole numbers, to whole steps where not.
 */
///
/// Whole numbers share a factor in groups of neighbours along `k`: `w = scale * value`. The last group
/// may be short.
public final class Packed implements Weight {
    /// Rows of a panel.
    public static final int ROWS = 16;

    /// What the common dimension of whole numbers is rounded up to.
    public static final int UNIT = 32;

    /// Bytes of a step of a panel.
    public static final int STEP_BYTES = ROWS * Integer.BYTES;

    /// Sums of products of a group stay within 32 bits.
    private static final int LONGEST_GROUP = 1 << 16;

    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// What a weight's elements are stored as.
    public enum Element {
        F32(32, 0),
        BF16(16, 0),
        /// Whole numbers from -128 to 127; rounding uses -127 to 127.
        INT8(8, 127),
        /// Whole numbers from -8 to 7; rounding uses -7 to 7.
        INT4(4, 7);

        private final int bits;
        private final int most;

        Element(int bits, int most) {
            this.bits = bits;
            this.most = most;
        }

        public int bits() {
            return bits;
        }

        /// @return whether it is a whole number with a scale for each group
        public boolean isWhole() {
            return most > 0;
        }

        /// @return the elements of a step
        public int perStep() {
            return Integer.SIZE / bits;
        }

        /// @return the steps of a row of `k` elements
        public int steps(int k) {
            int padded = isWhole() ? Math.ceilDiv(k, UNIT) * UNIT : k;
            return Math.ceilDiv(padded, perStep());
        }
    }

    private final Element element;
    private final Tensor values;
    private final @Nullable Tensor scales;
    private final int n;
    private final int k;
    private final int group;
    private final Activations activations;

    private Packed(
            Element element, Tensor values, @Nullable Tensor scales, int n, int k, int group, Activations activations) {
        this.element = element;
        this.values = values;
        this.scales = scales;
        this.n = n;
        this.k = k;
        this.group = group;
        this.activations = activations;
    }

    /// @param experts how many matrices, or 0 for a weight that is one alone
    /// @return the sizes of the tensor of values, U8
    public static long[] valuesShape(Element element, int experts, int n, int k) {
        return shape(experts, Math.ceilDiv(n, ROWS), (long) element.steps(k) * STEP_BYTES);
    }

    /// @param experts how many matrices, or 0 for a weight that is one alone
    /// @return the sizes of the tensor of scales, BF16
    public static long[] scalesShape(int experts, int n, int k, int group) {
        return shape(experts, Math.ceilDiv(n, ROWS), (long) Math.ceilDiv(k, group) * ROWS);
    }

    private static long[] shape(int experts, long panels, long width) {
        return experts == 0 ? new long[] {panels, width} : new long[] {experts, panels, width};
    }

    /// A weight over memory that somebody else owns.
    ///
    /// @param values U8, without gaps
    /// @param scales BF16, without gaps; null where elements are no whole numbers
    /// @param n rows
    /// @param k length of a row
    /// @param group how many neighbours share a scale: a multiple of 32, at most 65536; ignored where
    ///     there are none
    /// @param activations how the left operand enters products with whole numbers
    public static Packed of(
            Element element, Tensor values, @Nullable Tensor scales, int n, int k, int group, Activations activations) {
        Shape.require("Packed", values, "values", DType.U8);
        int experts = values.rank() == 3 ? values.size(0) : 0;
        Shape.require("Packed", values, "values", valuesShape(element, experts, n, k));
        Shape.requireContiguous("Packed", values, "values");
        if (!element.isWhole()) {
            return new Packed(element, values, null, n, k, k, Activations.FLOAT);
        }
        if (group < UNIT || group > LONGEST_GROUP || group % UNIT != 0) {
            throw new IllegalArgumentException(
                    "Packed: a group of %d, expected a multiple of %d up to %d".formatted(group, UNIT, LONGEST_GROUP));
        }
        if (scales == null) {
            throw new IllegalArgumentException("Packed: %s without scales".formatted(element));
        }
        Shape.require("Packed", scales, "scales", scalesShape(experts, n, k, group));
        Shape.require("Packed", scales, "scales", DType.BF16);
        Shape.requireContiguous("Packed", scales, "scales");
        return new Packed(element, values, scales, n, k, group, activations);
    }

    /// Memory for a weight, filled through [#put].
    ///
    /// @param experts how many matrices, or 0 for a weight that is one alone
    /// @param memory gets it; on the host
    public static Packed allocate(
            Element element, int experts, int n, int k, int group, Activations activations, Memory memory) {
        Tensor values = memory.tensor(DType.U8, valuesShape(element, experts, n, k));
        Tensor scales = element.isWhole() ? memory.tensor(DType.BF16, scalesShape(experts, n, k, group)) : null;
        return of(element, values, scales, n, k, group, activations);
    }

    /// Packs a weight, rounding where its elements are narrower: see [#put].
    ///
    /// @param source `[n, k]` or `[experts, n, k]`
    /// @param memory gets the result
    public static Packed of(Tensor source, Element element, int group, Activations activations, Memory memory) {
        Shape.requireRows("Packed", source, "source");
        int experts = source.rank() == 3 ? source.size(0) : 0;
        int k = source.size(source.rank() - 1);
        int n = source.size(source.rank() - 2);
        Packed to = allocate(element, experts, n, k, group, activations, memory);
        LongStream.range(0, to.rows()).parallel().forEach(row -> {
            long from = experts == 0 ? row * source.stride(0) : source.offset(row / n, row % n);
            float[] floats = new float[k];
            for (int p = 0; p < k; p++) {
                floats[p] = (float) source.get(from + p);
            }
            to.put(row, floats);
        });
        return to;
    }

    /// Fills a row, all of whose elements are zeros so far. Threads may fill different rows at once.
    ///
    /// Whole numbers are rounded: a group's scale is its largest magnitude over 127 (8 bits) or 7 (4
    /// bits), as bfloat16, and its values are the quotients to the nearest whole number, even where two
    /// are. A group that holds a NaN or an infinity has such a scale. Others are rounded to the
    /// nearest, even where two are.
    ///
    /// @param row counted over all experts
    /// @param source `k` elements
    public void put(long row, float[] source) {
        switch (element) {
            case F32 -> {
                int[] words = new int[k];
                for (int p = 0; p < k; p++) {
                    words[p] = Float.floatToRawIntBits(source[p]);
                }
                putWords(row, words);
            }
            case BF16 -> {
                int[] words = new int[element.steps(k)];
                for (int s = 0; s < words.length; s++) {
                    int high = 2 * s + 1 < k ? Bf16.bits(source[2 * s + 1]) : 0;
                    words[s] = high << Short.SIZE | Bf16.bits(source[2 * s]) & 0xFFFF;
                }
                putWords(row, words);
            }
            case INT8, INT4 -> {
                byte[] whole = new byte[element.steps(k) * element.perStep()];
                for (int g = 0; g < groups(); g++) {
                    round(row, g, source, whole);
                }
                putWhole(row, whole);
            }
        }
    }

    private void round(long row, int g, float[] source, byte[] whole) {
        int begin = g * group;
        int end = Math.min(k, begin + group);
        float largest = 0;
        float spoiled = 0;
        for (int p = begin; p < end; p++) {
            largest = Math.max(largest, Math.abs(source[p]));
            spoiled += source[p] * 0;
        }
        float scale = Bf16.round(largest / element.most + spoiled);
        putScale(row, g, scale);
        if (scale == 0) {
            return;
        }
        double most = element.most;
        for (int p = begin; p < end; p++) {
            double quotient = Math.rint(source[p] / (double) scale);
            whole[p] = (byte) Math.min(most, Math.max(-most, quotient));
        }
    }

    /// Fills a row of whole numbers.
    ///
    /// @param whole a number for each element, and what is behind `k` zero
    public void putWhole(long row, byte[] whole) {
        int per = element.perStep();
        int offset = element.most + 1;
        int[] words = new int[element.steps(k)];
        for (int s = 0; s < words.length; s++) {
            int word = 0;
            for (int i = 0; i < per; i++) {
                int at = s * per + i;
                int value = (at < whole.length ? whole[at] : 0) + offset;
                word |= value << element.bits * i;
            }
            words[s] = word;
        }
        putWords(row, words);
    }

    private void putWords(long row, int[] words) {
        MemorySegment memory = values.memory();
        long at = wordOffset(row, 0);
        for (int word : words) {
            memory.set(WORD, at, word);
            at += STEP_BYTES;
        }
    }

    /// @param g the group, from 0
    public void putScale(long row, int g, float scale) {
        scales().memory().set(HALF, scaleOffset(row, g) * Short.BYTES, Bf16.bits(scale));
    }

    /// Panels are counted over all experts too.
    private long panel(long row) {
        return row / n * panels() + row % n / ROWS;
    }

    private long wordOffset(long row, int step) {
        return panel(row) * panelBytes() + (long) step * STEP_BYTES + row % n % ROWS * Integer.BYTES;
    }

    private long scaleOffset(long row, int g) {
        return (panel(row) * groups() + g) * ROWS + row % n % ROWS;
    }

    /// @param row counted over all experts
    /// @return element `p` as it is stored: a whole number, or the weight itself
    public double value(long row, int p) {
        int per = element.perStep();
        int word = values.memory().get(WORD, wordOffset(row, p / per));
        int i = p % per;
        return switch (element) {
            case F32 -> Float.intBitsToFloat(word);
            case BF16 -> Float.intBitsToFloat(i == 0 ? word << Short.SIZE : word & 0xFFFF0000);
            case INT8 -> (word >>> 8 * i & 0xFF) - 128;
            case INT4 -> (word >>> 4 * i & 15) - 8;
        };
    }

    /// @param row counted over all experts
    /// @param g the group, from 0
    /// @return the group's factor, 1 where elements are no whole numbers
    public double scale(long row, int g) {
        return scales == null ? 1 : Bf16.value(scales.memory().get(HALF, scaleOffset(row, g) * Short.BYTES));
    }

    /// @return the sizes of the matrix that it stands for
    @Override
    public long[] shape() {
        return values.rank() == 2 ? new long[] {n, k} : new long[] {values.dim(0), n, k};
    }

    /// @return whether its elements are float32
    @Override
    public boolean exact() {
        return element == Element.F32;
    }

    /// @return the weight of one expert, over the same memory
    public Packed matrix(int expert) {
        Tensor own = scales == null ? null : scales.select(0, expert);
        return new Packed(element, values.select(0, expert), own, n, k, group, activations);
    }

    public Element element() {
        return element;
    }

    /// @return how the left operand enters products
    public Activations activations() {
        return activations;
    }

    /// @return the elements as they are stored
    public Tensor values() {
        return values;
    }

    /// @return the groups' factors
    /// @throws IllegalStateException where elements are no whole numbers
    public Tensor scales() {
        if (scales == null) {
            throw new IllegalStateException(this + " has no scales");
        }
        return scales;
    }

    /// @return all bytes that it takes
    public long bytes() {
        return values.bytes() + (scales == null ? 0 : scales.bytes());
    }

    /// @return rows of a matrix
    public int n() {
        return n;
    }

    /// @return the length of a row
    public int k() {
        return k;
    }

    /// @return how many neighbours share a scale, all where there is none
    public int group() {
        return group;
    }

    /// @return how many groups a row has; one where elements are no whole numbers
    public int groups() {
        return element.isWhole() ? Math.ceilDiv(k, group) : 1;
    }

    /// @return how many panels a matrix has
    public int panels() {
        return Math.ceilDiv(n, ROWS);
    }

    /// @return the bytes of a panel's values
    public long panelBytes() {
        return (long) element.steps(k) * STEP_BYTES;
    }

    /// @return the rows of all experts
    public long rows() {
        return values.rank() == 2 ? n : values.dim(0) * n;
    }

    @Override
    public String toString() {
        String groups = element.isWhole() ? " in groups of %d".formatted(group) : "";
        return "%s%s %s".formatted(element, groups, Arrays.toString(shape()));
    }
}
