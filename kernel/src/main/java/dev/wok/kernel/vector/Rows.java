package dev.wok.kernel.vector;

import dev.wok.kernel.Precision;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Loops over rows of floats in memory that several operations share.
final class Rows {
    private Rows() {}

    /// Turns values into operands of a product.
    static void round(Precision precision, float[] values, int from, int count) {
        if (precision == Precision.BF16) {
            for (int i = from; i < from + count; i++) {
                values[i] = Bf16.round(values[i]);
            }
        }
    }

    /// Copies a row's values as operands of a product.
    ///
    /// @param element its first, of `count`
    static void copy(Precision precision, Tensor x, long element, float[] to, int at, int count) {
        if (x.dtype() == DType.BF16) {
            for (int i = 0; i < count; i++) {
                to[at + i] = Bf16.value(x.memory().get(ValueLayout.JAVA_SHORT, (element + i) * Short.BYTES));
            }
            return;
        }
        Copies.floats(x.memory(), element * Float.BYTES, to, at, count);
        round(precision, to, at, count);
    }

    /// @return the values as operands of a product, float32: a copy where that changes them
    static Tensor rounded(Precision precision, Tensor tensor) {
        if (precision == Precision.F32 && tensor.dtype() == DType.F32) {
            return tensor;
        }
        float[] values = tensor.toFloats();
        round(precision, values, 0, values.length);
        return Tensor.of(values).reshape(tensor.shape());
    }

    static float dot(MemorySegment a, long i, MemorySegment b, long j, int count) {
        FloatVector even = Lanes.zero();
        FloatVector odd = Lanes.zero();
        int n = 0;
        for (; n <= count - 2 * Lanes.COUNT; n += 2 * Lanes.COUNT) {
            even = Lanes.load(a, i + n).fma(Lanes.load(b, j + n), even);
            odd = Lanes.load(a, i + n + Lanes.COUNT).fma(Lanes.load(b, j + n + Lanes.COUNT), odd);
        }
        for (; n < count; n += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(n, count);
            even = Lanes.load(a, i + n, mask).fma(Lanes.load(b, j + n, mask), even);
        }
        return Lanes.sum(even.add(odd));
    }

    static float dot(float[] a, int i, MemorySegment b, long j, int count) {
        FloatVector even = Lanes.zero();
        FloatVector odd = Lanes.zero();
        int n = 0;
        for (; n <= count - 2 * Lanes.COUNT; n += 2 * Lanes.COUNT) {
            even = FloatVector.fromArray(Lanes.FLOATS, a, i + n).fma(Lanes.load(b, j + n), even);
            odd = FloatVector.fromArray(Lanes.FLOATS, a, i + n + Lanes.COUNT)
                    .fma(Lanes.load(b, j + n + Lanes.COUNT), odd);
        }
        for (; n < count; n += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(n, count);
            even = FloatVector.fromArray(Lanes.FLOATS, a, i + n, mask).fma(Lanes.load(b, j + n, mask), even);
        }
        return Lanes.sum(even.add(odd));
    }

    /// `to[i..] += factor * from[j..]`.
    static void add(MemorySegment from, long j, float factor, MemorySegment to, long i, int count) {
        for (int n = 0; n < count; n += Lanes.COUNT) {
            if (n + Lanes.COUNT <= count) {
                Lanes.store(Lanes.load(from, j + n).fma(Lanes.broadcast(factor), Lanes.load(to, i + n)), to, i + n);
            } else {
                VectorMask<Float> mask = Lanes.tail(n, count);
                FloatVector sum =
                        Lanes.load(from, j + n, mask).fma(Lanes.broadcast(factor), Lanes.load(to, i + n, mask));
                Lanes.store(sum, to, i + n, mask);
            }
        }
    }

    /// `to[i..] += factor * from[j..]`.
    static void add(MemorySegment from, long j, float factor, float[] to, int i, int count) {
        for (int n = 0; n < count; n += Lanes.COUNT) {
            if (n + Lanes.COUNT <= count) {
                FloatVector old = FloatVector.fromArray(Lanes.FLOATS, to, i + n);
                Lanes.load(from, j + n).fma(Lanes.broadcast(factor), old).intoArray(to, i + n);
            } else {
                VectorMask<Float> mask = Lanes.tail(n, count);
                FloatVector old = FloatVector.fromArray(Lanes.FLOATS, to, i + n, mask);
                Lanes.load(from, j + n, mask).fma(Lanes.broadcast(factor), old).intoArray(to, i + n, mask);
            }
        }
    }

    /// `x[i..] *= factor`.
    static void scale(MemorySegment x, long i, float factor, int count) {
        for (int n = 0; n < count; n += Lanes.COUNT) {
            if (n + Lanes.COUNT <= count) {
                Lanes.store(Lanes.load(x, i + n).mul(factor), x, i + n);
            } else {
                VectorMask<Float> mask = Lanes.tail(n, count);
                Lanes.store(Lanes.load(x, i + n, mask).mul(factor), x, i + n, mask);
            }
        }
    }

    /// @return whether there is neither an infinity nor NaN among them
    static boolean finite(float[] values) {
        return finite(values, values.length);
    }

    /// @return whether there is neither an infinity nor NaN among the first ones
    static boolean finite(float[] values, int count) {
        for (int i = 0; i < count; i++) {
            if (!Float.isFinite(values[i])) {
                return false;
            }
        }
        return true;
    }
}
