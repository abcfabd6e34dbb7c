package dev.wok.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class TensorTest {
    private static Tensor counting(DType dtype, long... shape) {
        Tensor tensor = Tensor.allocate(Arena.ofAuto(), dtype, shape);
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.set(i, (double) i);
        }
        return tensor;
    }

    private static String refusal(Class<? extends Exception> type, org.junit.jupiter.api.function.Executable code) {
        return String.valueOf(assertThrows(type, code).getMessage());
    }

    @Test
    void viewsShowTheRightElements() {
        Tensor x = counting(DType.F32, 4, 6);
        assertArrayEquals(
                new float[] {8, 9, 14, 15}, x.slice(0, 1, 3).slice(1, 2, 4).toFloats());
        assertArrayEquals(new float[] {3, 9, 15, 21}, x.select(1, 3).toFloats());
        assertArrayEquals(new float[] {12, 13, 14, 15, 16, 17}, x.select(0, 2).toFloats());
        Tensor split = x.slice(1, 2, 6).split(1, 2);
        assertEquals("F32[4, 2, 2]", split.toString());
        assertEquals(17, split.get(split.offset(2, 1, 1)) + 0);
        assertArrayEquals(
                new float[] {4, 5, 10, 11, 16, 17, 22, 23}, split.select(1, 1).toFloats());
        assertEquals("F32[4, 4]", split.join(1).toString());
        assertArrayEquals(x.slice(1, 2, 6).toFloats(), split.join(1).toFloats());
        assertArrayEquals(x.toFloats(), x.join(0).toFloats());
        assertEquals(23, x.reshape(2, 3, 4).get(x.reshape(2, 3, 4).offset(1, 2, 3)));
    }

    @Test
    void viewsShareMemory() {
        Tensor x = counting(DType.I32, 3, 3);
        x.select(1, 1).setInt(x.select(1, 1).offset(2), -7);
        assertEquals(-7, x.getInt(7));
        assertArrayEquals(new int[] {0, 1, 2, 3, 4, 5, 6, -7, 8}, x.toInts());
    }

    @Test
    void emptyTensorsHaveViewsToo() {
        Tensor none = counting(DType.F32, 0, 6);
        assertEquals("F32[0, 2]", none.slice(1, 2, 4).toString());
        assertEquals("F32[0, 3, 2]", none.slice(1, 0, 6).split(1, 2).toString());
        assertEquals("F32[0]", none.select(1, 5).toString());
        Tensor x = counting(DType.F32, 4, 6);
        assertTrue(x.slice(1, 3, 3).isContiguous());
        assertEquals("F32[0]", x.slice(1, 6, 6).reshape(0).toString());
        assertEquals(0, x.slice(0, 4, 4).toFloats().length);
        assertThrows(IndexOutOfBoundsException.class, () -> none.select(0, 0));
    }

    @Test
    void contiguityIsAboutRowOrder() {
        Tensor x = counting(DType.F32, 4, 6);
        assertTrue(x.slice(0, 1, 3).isContiguous());
        assertTrue(x.slice(0, 1, 2).slice(1, 2, 4).isContiguous());
        assertFalse(x.slice(1, 0, 3).isContiguous());
        assertFalse(x.select(1, 0).isContiguous());
        assertTrue(x.split(1, 3).isContiguous());
    }

    @Test
    void swapsDimensions() {
        Tensor x = counting(DType.F32, 2, 3, 4);
        Tensor swapped = x.swap(0, 2);
        assertEquals("F32[4, 3, 2]", swapped.toString());
        assertEquals(x.get(x.offset(1, 2, 3)), swapped.get(swapped.offset(3, 2, 1)));
        assertFalse(swapped.isContiguous());
        assertTrue(swapped.swap(2, 0).isContiguous());
    }

    @Test
    void refusesWhatDoesNotFit() {
        Tensor x = counting(DType.F32, 4, 6);
        assertEquals(
                "slice 3..7 of dimension 1 of F32[4, 6]",
                refusal(IndexOutOfBoundsException.class, () -> x.slice(1, 3, 7)));
        assertEquals(
                "slice 2..1 of dimension 0 of F32[4, 6]",
                refusal(IndexOutOfBoundsException.class, () -> x.slice(0, 2, 1)));
        assertEquals(
                "cannot join dimension 0 of F32[4, 4] to the next",
                refusal(IllegalArgumentException.class, () -> x.slice(1, 2, 6).join(0)));
        assertEquals(
                "cannot split dimension 1 of F32[4, 6] by 4",
                refusal(IllegalArgumentException.class, () -> x.split(1, 4)));
        assertEquals("cannot see F32[4, 6] as [5, 5]", refusal(IllegalArgumentException.class, () -> x.reshape(5, 5)));
        assertThrows(IllegalArgumentException.class, () -> x.slice(1, 0, 3).reshape(12));
        assertEquals(
                "memory holds 8 bytes, a tensor [3] of F32 needs 12",
                refusal(
                        IllegalArgumentException.class,
                        () -> Tensor.of(MemorySegment.ofArray(new float[2]), DType.F32, 3)));
        assertThrows(ArithmeticException.class, () -> Tensor.of(MemorySegment.NULL, DType.F64, 1L << 40, 1L << 40));
        assertEquals(
                "cannot copy F32[4, 6] into F32[6, 4]",
                refusal(
                        IllegalArgumentException.class,
                        () -> counting(DType.F32, 6, 4).copyFrom(x)));
        assertThrows(IndexOutOfBoundsException.class, () -> x.get(24));
    }

    @Test
    void copiesConvertBetweenAllTypes() {
        for (DType from : DType.values()) {
            for (DType to : DType.values()) {
                Tensor source = counting(from, 3, 2, 5);
                Tensor target = Tensor.allocate(Arena.ofAuto(), to, 3, 2, 5);
                target.copyFrom(source);
                Tensor strided = Tensor.allocate(Arena.ofAuto(), to, 3, 4, 7)
                        .slice(1, 1, 3)
                        .slice(2, 2, 7);
                strided.copyFrom(source);
                for (int i = 0; i < 30; i++) {
                    double value = from == DType.F8_E4M3 || to == DType.F8_E4M3 ? E4m3.value(E4m3.bits(i)) : i;
                    assertEquals(value, target.get(i), from + " to " + to);
                    assertEquals(value, strided.get(strided.offset(i / 10, i / 5 % 2, i % 5)), from + " to " + to);
                }
            }
        }
        Tensor scalar = Tensor.allocate(Arena.ofAuto(), DType.BF16);
        scalar.copyFrom(counting(DType.F32, 3).select(0, 2));
        assertEquals(2, scalar.get(0));
    }

    /// Whole numbers beyond 2^53 survive a copy between strided tensors of their own type.
    @Test
    void stridedCopiesOfTheSameTypeAreExact() {
        Tensor source = Tensor.of(
                MemorySegment.ofArray(new long[] {Long.MAX_VALUE, 0, Long.MIN_VALUE + 1, 0}), DType.I64, 2, 2);
        Tensor target = Tensor.allocate(Arena.ofAuto(), DType.I64, 2, 3).slice(1, 1, 2);
        target.copyFrom(source.slice(1, 0, 1));
        assertEquals(Long.MAX_VALUE, target.memory().get(ValueLayout.JAVA_LONG, 0));
        assertEquals(Long.MIN_VALUE + 1, target.memory().get(ValueLayout.JAVA_LONG, 24));
    }

    /// All finite values of a 16-bit format in ascending order, and the pattern of each.
    private record Format(double[] values, int[] patterns) {
        static Format of(DType dtype) {
            Tensor one = Tensor.allocate(Arena.ofAuto(), dtype, 1);
            SortedMap<Double, Integer> sorted = new TreeMap<>();
            for (int pattern = 0; pattern < 1 << 16; pattern++) {
                one.memory().set(ValueLayout.JAVA_SHORT, 0, (short) pattern);
                double value = one.get(0);
                if (Double.isFinite(value) && (value != 0 || pattern == 0)) {
                    sorted.put(value, pattern);
                }
            }
            return new Format(
                    sorted.keySet().stream().mapToDouble(v -> v).toArray(),
                    sorted.values().stream().mapToInt(p -> p).toArray());
        }

        double largest() {
            return values[values.length - 1];
        }

        /// The nearest value, the one with the even pattern in a tie; infinite from half a step beyond the largest.
        double nearest(double value) {
            double step = largest() - values[values.length - 2];
            if (Math.abs(value) >= largest() + step / 2) {
                return Math.copySign(Double.POSITIVE_INFINITY, value);
            }
            if (Math.abs(value) >= largest()) {
                return Math.copySign(largest(), value);
            }
            int found = Arrays.binarySearch(values, value);
            int above = found < 0 ? -found - 1 : found;
            int below = found < 0 ? above - 1 : above;
            double down = value - values[below];
            double up = values[above] - value;
            boolean even = (patterns[below] & 1) == 0;
            return down < up || (down == up && even) ? values[below] : values[above];
        }

        /// Any size; exactly between two neighbours; or a hair beside that.
        double candidate(Rng rng, int i) {
            int below = rng.below(2L * i, values.length - 1);
            double middle = (values[below] + values[below + 1]) / 2;
            return switch (i % 4) {
                case 0 -> Math.scalb(rng.normal(2L * i), rng.below(3L * i + 1, 60) - 30);
                case 1 -> Math.nextUp(middle);
                case 2 -> Math.nextDown(middle);
                default -> middle;
            };
        }
    }

    private static void requireRoundsToNearestEven(DType dtype, double largest) {
        Format format = Format.of(dtype);
        assertEquals(largest, format.largest());
        Tensor one = Tensor.allocate(Arena.ofAuto(), dtype, 1);
        for (double value : format.values) {
            one.set(0, value);
            assertEquals(value, one.get(0));
        }
        Rng rng = new Rng(5).split(dtype.name());
        for (int i = 0; i < 200_000; i++) {
            double value = format.candidate(rng, i);
            one.set(0, value);
            assertEquals(format.nearest(value), one.get(0) + 0.0, dtype + " of " + value);
        }
        for (double sign : new double[] {1, -1}) {
            one.set(0, sign * largest * 1.001);
            assertEquals(format.nearest(sign * largest * 1.001), one.get(0));
            one.set(0, sign * 1e300);
            assertEquals(sign * Double.POSITIVE_INFINITY, one.get(0));
        }
    }

    @Test
    void bfloat16RoundsToNearestEven() {
        requireRoundsToNearestEven(DType.BF16, Math.scalb(255.0, 120));
    }

    @Test
    void halfPrecisionRoundsToNearestEven() {
        requireRoundsToNearestEven(DType.F16, 65504);
    }

    @Test
    void notANumberStaysOne() {
        for (DType dtype : new DType[] {DType.F64, DType.F32, DType.BF16, DType.F16}) {
            Tensor x = Tensor.allocate(Arena.ofAuto(), dtype, 2);
            x.set(0, Double.NaN);
            x.set(1, Float.intBitsToFloat(0x7f800001));
            assertTrue(Double.isNaN(x.get(0)) && Double.isNaN(x.get(1)), dtype.name());
        }
    }

    @Test
    void shapesAreCheckedByName() {
        Tensor x = counting(DType.F32, 4, 6);
        Shape.require("Op", x, "x", -1, 6);
        assertEquals(
                "Op: x is [4, 6], expected [*, 7]",
                refusal(IllegalArgumentException.class, () -> Shape.require("Op", x, "x", -1, 7)));
        assertEquals(
                "Op: x is [4, 6], expected [*, *, *]",
                refusal(IllegalArgumentException.class, () -> Shape.require("Op", x, "x", -1, -1, -1)));
        assertEquals(
                "Op: x holds F32, expected I32",
                refusal(IllegalArgumentException.class, () -> Shape.require("Op", x, "x", DType.I32)));
        Shape.requireRows("Op", x.slice(1, 1, 3), "x");
        assertEquals(
                "Op: the rows of x, F32[4], are not adjacent",
                refusal(IllegalArgumentException.class, () -> Shape.requireRows("Op", x.select(1, 0), "x")));
        assertEquals(
                "Op: x, F32[4, 2], has gaps between its rows",
                refusal(IllegalArgumentException.class, () -> Shape.requireContiguous("Op", x.slice(1, 1, 3), "x")));
        assertThrows(ArithmeticException.class, () -> Shape.elements(3, -1));
        assertThrows(ArithmeticException.class, () -> Shape.elements(1L << 32, 1L << 31));
    }

    @Test
    void sizesAndBytes() {
        assertEquals(48, counting(DType.F64, 2, 3).bytes());
        assertEquals(12, counting(DType.BF16, 2, 3).bytes());
        long[] shape = counting(DType.F32, 2, 3).shape();
        assertEquals("[2, 3]", Arrays.toString(shape));
        Tensor huge = Tensor.of(MemorySegment.NULL, DType.F32, 1L << 33);
        assertThrows(ArithmeticException.class, () -> huge.size(0));
        assertTrue(DType.BF16.isFloating() && !DType.I64.isFloating());
    }
}
