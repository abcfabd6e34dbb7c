package dev.wok.kernel;

import dev.wok.device.Memory;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
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
 * Whole numbers lie 128 or 8 too high, so that they are unsigned; E4M3 are their own bits. The common dimension is rounded
 * up to 32 elements where they have scales, to whole steps where not.
 */
///
/// Whole numbers and E4M3 share a factor in groups of neighbours along `k`: `w = scale * value`. The last
/// group may be short.
public final class Packed implements Weight {
    /// Rows of a panel.
    public static final int ROWS = 16;

    /// What the common dimension is rounded up to where elements have scales.
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
        /// E4M3, see [E4m3]. The scale of a group with a NaN is one.
        FP8(8, E4m3.MAX),
        /// Whole numbers from -128 to 127; rounding uses -127 to 127.
        INT8(8, 127),
        /// Whole numbers from -8 to 7; rounding uses -7 to 7.
        INT4(4, 7);

        private final int bits;
        private final float most;

        Element(int bits, float most) {
            this.bits = bits;
            this.most = most;
        }

        public int bits() {
            return bits;
        }

        /// @return whether each group has a scale
        public boolean isScaled() {
            return most > 0;
        }

        /// @return whether it is a whole number
        public boolean isWhole() {
            return this == INT8 || this == INT4;
        }

        /// @return what is added to a whole number so that it is unsigned
        private int offset() {
            return isWhole() ? 1 << bits - 1 : 0;
        }

        /// @return the elements of a step
        public int perStep() {
            return Integer.SIZE / bits;
        }

        /// @return the steps of a row of `k` elements
        public int steps(int k) {
            int padded = isScaled() ? Math.ceilDiv(k, UNIT) * UNIT : k;
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
    /// @param scales BF16, without gaps; null where elements have none
    /// @param n rows
    /// @param k length of a row
    /// @param group how many neighbours share a scale: a multiple of 32, at most 65536; ignored where
    ///     there are none
    /// @param activations how the left operand enters products with whole numbers; with others it is FLOAT
    public static Packed of(
            Element element, Tensor values, @Nullable Tensor scales, int n, int k, int group, Activations activations) {
        Shape.require("Packed", values, "values", DType.U8);
        int experts = values.rank() == 3 ? values.size(0) : 0;
        Shape.require("Packed", values, "values", valuesShape(element, experts, n, k));
        Shape.requireContiguous("Packed", values, "values");
        if (!element.isScaled()) {
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
        Activations entering = element.isWhole() ? activations : Activations.FLOAT;
        return new Packed(element, values, scales, n, k, group, entering);
    }

    /// Memory for a weight, filled through [#put].
    ///
    /// @param experts how many matrices, or 0 for a weight that is one alone
    /// @param memory gets it; on the host
    public static Packed allocate(
            Element element, int experts, int n, int k, int group, Activations activations, Memory memory) {
        Tensor values = memory.tensor(DType.U8, valuesShape(element, experts, n, k));
        Tensor scales = element.isScaled() ? memory.tensor(DType.BF16, scalesShape(experts, n, k, group)) : null;
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
    /// A group's scale is its largest magnitude over 127 (whole numbers of 8 bits), 7 (of 4 bits) or 448
    /// (E4M3), as bfloat16, and its values are the quotients to the nearest, even where two are. A group
    /// that holds a NaN or an infinity has the scale NaN. Others are rounded to the nearest, even where
    /// two are.
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
            case FP8, INT8, INT4 -> {
                byte[] codes = new byte[k];
                float[] factors = new float[groups()];
                for (int g = 0; g < factors.length; g++) {
                    factors[g] = round(g, source, codes);
                }
                putCodes(row, codes, factors);
            }
        }
    }

    /// @return the group's scale
    private float round(int g, float[] source, byte[] codes) {
        int begin = g * group;
        int end = Math.min(k, begin + group);
        float largest = 0;
        float spoiled = 0;
        for (int p = begin; p < end; p++) {
            largest = Math.max(largest, Math.abs(source[p]));
            spoiled += source[p] * 0;
        }
        float scale = Bf16.round(largest / element.most + spoiled);
        if (scale > 0) {
            double most = element.most;
            for (int p = begin; p < end; p++) {
                double quotient = Math.clamp(source[p] / (double) scale, -most, most);
                codes[p] = element.isWhole() ? (byte) Math.rint(quotient) : E4m3.bits(quotient);
            }
        }
        return scale;
    }

    /// Fills a row of elements that have scales.
    ///
    /// @param codes for each element the whole number or the bits of E4M3; a group with those of NaN has
    ///     the scale NaN
    /// @param factors for each group the scale, which is rounded to bfloat16
    public void putCodes(long row, byte[] codes, float[] factors) {
        int per = element.perStep();
        int offset = element.offset();
        int mask = (1 << element.bits) - 1;
        int[] words = new int[element.steps(k)];
        for (int s = 0; s < words.length; s++) {
            int word = 0;
            for (int i = 0; i < per; i++) {
                int at = s * per + i;
                int value = (at < k ? codes[at] : 0) + offset & mask;
                word |= value << element.bits * i;
            }
            words[s] = word;
        }
        putWords(row, words);
        for (int g = 0; g < groups(); g++) {
            short scale = Bf16.bits(isNumbers(codes, g) ? factors[g] : Float.NaN);
            scales().memory().set(HALF, scaleOffset(row, g) * Short.BYTES, scale);
        }
    }

    private boolean isNumbers(byte[] codes, int g) {
        if (element.isWhole()) {
            return true;
        }
        for (int p = g * group; p < Math.min(k, (g + 1) * group); p++) {
            if (E4m3.isNaN(codes[p])) {
                return false;
            }
        }
        return true;
    }

    /// @return whether a row of one is the same bytes in the other
    public boolean isLike(Packed other) {
        return element == other.element && k == other.k && group == other.group;
    }

    /// Fills a row with that of a weight that is like this one.
    public void put(long row, Packed from, long fromRow) {
        if (!isLike(from)) {
            throw new IllegalArgumentException("Packed: a row of %s, expected one of %s".formatted(from, this));
        }
        int[] words = new int[element.steps(k)];
        for (int s = 0; s < words.length; s++) {
            words[s] = from.values.memory().get(WORD, from.wordOffset(fromRow, s));
        }
        putWords(row, words);
        for (int g = 0; g < groups() && scales != null; g++) {
            short scale = from.scales().memory().get(HALF, from.scaleOffset(fromRow, g) * Short.BYTES);
            scales.memory().set(HALF, scaleOffset(row, g) * Short.BYTES, scale);
        }
    }

    private void putWords(long row, int[] words) {
        MemorySegment memory = values.memory();
        long at = wordOffset(row, 0);
        for (int word : words) {
            memory.set(WORD, at, word);
            at += STEP_BYTES;
        }
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
    /// @return element `p` as it is stored, before its scale
    public double value(long row, int p) {
        int per = element.perStep();
        int word = values.memory().get(WORD, wordOffset(row, p / per));
        int i = p % per;
        return switch (element) {
            case F32 -> Float.intBitsToFloat(word);
            case BF16 -> Float.intBitsToFloat(i == 0 ? word << Short.SIZE : word & 0xFFFF0000);
            case FP8 -> E4m3.value((byte) (word >>> 8 * i));
            case INT8, INT4 -> (word >>> element.bits * i & (1 << element.bits) - 1) - element.offset();
        };
    }

    /// @param row counted over all experts
    /// @param g the group, from 0
    /// @return the group's factor, 1 where elements have none
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
    /// @throws IllegalStateException where elements have none
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

    /// @return how many groups a row has; one where elements have no scales
    public int groups() {
        return element.isScaled() ? Math.ceilDiv(k, group) : 1;
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
        String groups = element.isScaled() ? " in groups of %d".formatted(group) : "";
        return "%s%s %s".formatted(element, groups, Arrays.toString(shape()));
    }
}
